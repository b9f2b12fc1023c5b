// @ts-check
/** The left column: what is asked for, as controls; and what the server has made of it. */
import { short, slider, transport } from 'fallline/controls';
import { h } from 'fallline/dom';
import { descentPart, modelPart, pacePart, placeOfL2, pointsPart, sayOrNot } from 'fallline/fit/parts';
import { DEFAULTS, few } from 'fallline/fit/state';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/fit/state').Settings} Settings */
/** @typedef {import('fallline/fit/state').Facts} Facts */
/**
 * @typedef {object} Told
 * @property {(change: Record<string, any>) => void} settings something of the settings
 * @property {(name: string) => void} preset
 * @property {() => void} clear
 * @property {(kind: string) => void} source "paint" or "table"
 * @property {(table: {name: string, x: string, y: string}) => void} table
 * @property {(name: string) => void} columns a table whose columns are wanted
 * @property {() => void} pace
 * @property {() => void} run @property {() => void} step @property {() => void} reset
 * @property {() => void} terrain @property {() => void} graph
 */

/** Above this share of the limit a rate is at the edge. */
const EDGE = 0.9;
const FRAMES = 30;
const SLOW_FRAMES = 2;

export class Setup {
  /**
   * @param {Services} services
   * @param {Told} told
   */
  constructor(services, told) {
    this.services = services;
    this.told = told;
    /** @type {Settings} */
    this.settings = structuredClone(DEFAULTS);
    const change = (/** @type {Record<string, any>} */ fields) => this.change(fields);
    this.points = pointsPart(services, told);
    this.model = modelPart(services, change);
    this.descent = descentPart(services, change, (i, value) => {
      const place = [...(this.settings.place ?? [0, 0])];
      place[i] = value;
      change({ place });
    });
    this.paces = pacePart(services, told);
    this.transport = transport(services, { onrun: told.run, onstep: told.step, onreset: told.reset });
    this.element = h(
      'div',
      { class: 'column left' },
      h(
        'div',
        { class: 'scroll', tabindex: '-1' },
        this.points.element,
        this.model.element,
        this.descent.element,
        this.paces.element,
      ),
      this.transport.element,
    );
    /** @type {number | null} */
    this.limit = null;
    /** Which optimizer's numbers the sliders are for. */
    this.signature = '';
  }

  /** A change of the settings, told at once. @param {Record<string, any>} fields */
  change(fields) {
    Object.assign(this.settings, fields);
    this.told.settings(fields);
    this.arrange();
    if (fields.rate) this.judge(fields.rate);
  }

  /** Steps a frame and frames a second. */
  get pace() {
    return {
      steps: Math.round(this.paces.steps.value),
      frames: this.paces.slow.value ? SLOW_FRAMES : FRAMES,
    };
  }

  /** @param {Record<string, any>} given as an address has it */
  setPace({ steps, slow }) {
    this.paces.steps.value = typeof steps === 'number' && steps >= 1 && steps <= 200 ? steps : 1;
    this.paces.slow.value = slow === true;
  }

  /** The settings as controls show them. @param {Settings} settings */
  show(settings) {
    const { model, descent } = this;
    this.settings = structuredClone(settings);
    model.model.value = settings.model;
    model.degree.value = settings.degree;
    model.hidden.value = settings.hidden.join(',');
    model.activation.value = settings.activation;
    model.loss.value = settings.loss;
    model.l2.value = placeOfL2(settings.l2);
    model.standardise.value = settings.standardise ?? false;
    descent.seed.value = settings.seed;
    descent.batch.value = settings.batch === 0 ? 'all' : settings.batch === 1 ? 'one' : 'mini';
    if (settings.batch > 1) descent.size.value = settings.batch;
    if (settings.rate !== null) descent.rate.value = settings.rate;
    this.signature = '';
    this.arrange();
  }

  /** Show what the settings of now have to do with. */
  arrange() {
    const { settings, model, descent, paces } = this;
    const line = settings.model === 'line';
    model.degree.element.hidden = settings.model !== 'polynomial';
    model.network.hidden = settings.model !== 'network';
    descent.size.element.hidden = settings.batch < 2;
    descent.from.hidden = !line;
    paces.terrain.hidden = !line || !settings.loss.includes('squared');
    paces.graph.hidden = settings.model === 'polynomial';
    descent.own.value = settings.rate === null;
    descent.place.forEach((one, i) => {
      one.value = Number((settings.place?.[i] ?? 0).toPrecision(4));
    });
    this.offerOptimizers();
  }

  /** The optimizers, and sliders for the numbers of the one that is chosen. */
  offerOptimizers() {
    const { services, settings, descent } = this;
    const known = services.catalogue?.optimizers ?? [];
    const facts = known.find(({ name }) => name === settings.optimizer);
    const signature = `${known.length} ${settings.optimizer}`;
    if (signature === this.signature) return;
    this.signature = signature;
    descent.optimizer.offer(
      known.map(({ name, title }) => ({ value: name, text: title })),
      settings.optimizer,
    );
    const shown = Object.entries(facts?.settings ?? {}).filter(([, one]) => !one.static);
    descent.numbers.replaceChildren(
      ...shown.map(
        ([name, one]) =>
          slider(services, {
            label: `fit.number.${name}`,
            low: one.low ?? 0,
            high: one.high ?? 1,
            log: one.log,
            value: settings.settings[name] ?? one.value,
            format: short,
            oninput: (value) => this.change({ settings: { ...this.settings.settings, [name]: value } }),
          }).element,
      ),
    );
  }

  /** What the server has made of it. @param {Facts} facts */
  tell(facts) {
    const { rate, limit } = this.descent;
    this.limit = facts.limit ?? null;
    rate.limit = this.limit;
    if (facts.rate !== null && facts.rate !== undefined) {
      rate.value = facts.rate;
      this.judge(facts.rate);
    } else if (facts.n) rate.verdict = null;
    sayOrNot(limit, this.limit === null ? null : 'fit.limit', { limit: few(this.limit ?? 0, 3) });
    this.model.standardise.value = facts.standardised ?? false;
    const [key, values] = this.wordsOf(facts);
    sayOrNot(this.points.note, key, values);
  }

  /**
   * How many points there are, and what became of the others.
   * @param {Facts} facts @returns {[string, any]}
   */
  wordsOf(facts) {
    const written = (/** @type {number} */ count) => count.toLocaleString('en');
    const n = written(facts.n);
    if (!facts.n) return ['fit.none', {}];
    if (facts.flat) return ['fit.flat', { n }];
    if (facts.rows - facts.missing > facts.n) return ['fit.drawn', { n, rows: written(facts.rows) }];
    return facts.missing ? ['fit.missing', { n, missing: written(facts.missing) }] : ['fit.count', { n }];
  }

  /** Is the rate below the limit? @param {number} rate */
  judge(rate) {
    const { limit } = this;
    this.descent.rate.verdict =
      limit === null ? null : rate > limit ? 'explode' : rate > EDGE * limit ? 'edge' : 'safe';
  }
}
