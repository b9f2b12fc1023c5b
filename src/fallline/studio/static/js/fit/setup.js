// @ts-check
/** The left column: points, model, loss, optimizer, batches, pace. */
import { button, number, section, segmented, select, slider, short, toggle, transport } from 'fallline/controls';
import { h, say } from 'fallline/dom';
import { ACTIVATIONS, DEFAULTS, LOSSES, MODELS, PRESETS, few, unitsOf } from 'fallline/fit/state';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/fit/state').Settings} Settings */
/** @typedef {import('fallline/fit/state').Facts} Facts */
/**
 * @typedef {object} Told
 * @property {(change: Record<string, any>) => void} settings something of the settings
 * @property {(name: string) => void} preset
 * @property {() => void} clear
 * @property {(kind: 'paint' | 'table') => void} source
 * @property {(table: {name: string, x: string, y: string}) => void} table
 * @property {(name: string) => void} columns a table whose columns are wanted
 * @property {() => void} pace
 * @property {() => void} run @property {() => void} step @property {() => void} reset
 * @property {() => void} terrain @property {() => void} graph
 */

const L2_LOWEST = -5;
/** From the place of the penalty's slider: 0 is none, then four values a decade. @param {number} place */
const l2At = (place) => (place <= 0 ? 0 : Number((10 ** (L2_LOWEST + (place - 1) / 4)).toPrecision(2)));
/** @param {number} value */
const placeOfL2 = (value) => (value <= 0 ? 0 : Math.round(4 * (Math.log10(value) - L2_LOWEST)) + 1);

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
    this.rows = 1;
    this.makePoints();
    this.makeModel();
    this.makeDescent();
    this.makePace();
    this.transport = transport(services, { onrun: told.run, onstep: told.step, onreset: told.reset });
    this.element = h('div', { class: 'column left' },
      h('div', { class: 'scroll', tabindex: '-1' }, this.pointsPart, this.modelPart, this.descentPart, this.pacePart),
      this.transport.element);
  }

  /** A change of the settings, told at once. @param {Record<string, any>} change */
  change(change) {
    Object.assign(this.settings, change);
    this.told.settings(change);
    this.arrange();
  }

  makePoints() {
    const { services, told } = this;
    this.source = segmented(services, {
      label: 'fit.source', value: 'paint', options: [{ value: 'paint', t: 'fit.paint' }, { value: 'table', t: 'fit.table' }],
      onchange: (value) => told.source(/** @type {'paint' | 'table'} */ (value)),
    });
    this.presets = PRESETS.map((name) => button(services, {
      t: `fit.preset.${name}`, pressed: false, class: 'small', onclick: () => told.preset(name),
    }));
    this.clear = button(services, { t: 'fit.clear', class: 'small', onclick: told.clear });
    this.painted = h('div', { class: 'presets' }, ...this.presets.map((one) => one.element), this.clear.element);
    this.tableChoice = select(services, { label: 'fit.tableName', options: [], value: '', onchange: told.columns });
    const pick = () => told.table({ name: this.tableChoice.value, x: this.x.value, y: this.y.value });
    this.x = select(services, { label: 'fit.x', options: [], value: '', onchange: pick });
    this.y = select(services, { label: 'fit.y', options: [], value: '', onchange: pick });
    this.tabled = h('div', { class: 'tabled', hidden: true }, this.tableChoice.element,
      h('div', { class: 'pair' }, this.x.element, this.y.element));
    this.note = h('p', { class: 'note' });
    this.pointsPart = section('fit.points', this.source.element, this.painted, this.tabled, this.note);
  }

  makeModel() {
    const { services } = this;
    this.model = segmented(services, {
      label: 'fit.model', value: 'line', options: MODELS.map((value) => ({ value, t: `fit.model.${value}` })),
      onchange: (value) => this.change({ model: value, place: null }),
    });
    this.degree = slider(services, {
      label: 'fit.degree', low: 2, high: 9, step: 1, value: 3, format: String,
      onchange: (value) => this.change({ degree: value }),
    });
    this.hidden = h('input', { type: 'text', class: 'code', id: 'fit-hidden', value: '8,8', spellcheck: 'false',
      autocomplete: 'off', 'aria-describedby': 'fit-hidden-trouble' });
    this.hiddenTrouble = h('p', { class: 'complaint', id: 'fit-hidden-trouble' });
    this.hidden.addEventListener('change', () => {
      const units = unitsOf(this.hidden.value);
      this.hidden.setAttribute('aria-invalid', String(!units));
      if (units) {
        this.hiddenTrouble.textContent = '';
        this.hiddenTrouble.removeAttribute('data-t');
        this.change({ hidden: units });
        services.touched();
      } else {
        say(this.hiddenTrouble, 'fit.hiddenTrouble');
      }
    });
    this.activation = select(services, {
      label: 'fit.activation', options: ACTIVATIONS.map((value) => ({ value, text: value.replace('_', ' ') })), value: 'tanh',
      onchange: (value) => this.change({ activation: value }),
    });
    this.network = h('div', { class: 'pair', hidden: true },
      h('div', { class: 'field' }, h('label', { for: 'fit-hidden', t: 'fit.hidden' }), this.hidden), this.activation.element);
    this.loss = select(services, {
      label: 'fit.loss', options: LOSSES.map((value) => ({ value, t: `fit.loss.${value}` })), value: 'squared_error',
      onchange: (value) => this.change({ loss: value }),
    });
    this.l2 = slider(services, {
      label: 'fit.l2', low: 0, high: placeOfL2(10), step: 1, value: 0,
      format: (place) => (place <= 0 ? '0' : few(l2At(place), 2)),
      onchange: (place) => this.change({ l2: l2At(place) }),
    });
    this.standardise = toggle(services, {
      label: 'fit.standardise', value: false, onchange: (value) => this.change({ standardise: value }),
    });
    this.modelPart = section('fit.modelAndLoss', this.model.element, this.degree.element, this.network,
      this.hiddenTrouble, this.loss.element, this.l2.element, this.standardise.element);
  }

  makeDescent() {
    const { services } = this;
    this.optimizer = select(services, {
      label: 'fit.optimizer', options: [], value: 'sgd',
      onchange: (value) => {
        this.change({ optimizer: value, settings: {}, ...(this.settings.rate === null ? {} : { rate: null }) });
      },
    });
    this.rate = slider(services, {
      label: 'fit.rate', low: 1e-5, high: 10, log: true, value: 0.1,
      oninput: (value) => {
        this.change({ rate: value });
        this.judge(value);
      },
    });
    this.own = button(services, { t: 'fit.own', label: 'fit.ownAbout', class: 'small', pressed: true,
      onclick: () => this.change({ rate: null }) });
    this.limitNote = h('span', { class: 'number limit' });
    this.numbers = h('div', { class: 'numbers-of' });
    this.batch = segmented(services, {
      label: 'fit.batches', value: 'all', options: ['all', 'one', 'mini'].map((value) => ({ value, t: `fit.batch.${value}` })),
      onchange: (value) => this.change({ batch: { all: 0, one: 1 }[value] ?? this.size.value }),
    });
    this.size = slider(services, {
      label: 'fit.size', low: 2, high: 64, step: 1, value: 8, format: String,
      onchange: (value) => this.change({ batch: value }),
    });
    this.seed = number(services, {
      label: 'fit.seed', low: 0, high: 2 ** 31, value: 0, step: 1, onchange: (value) => this.change({ seed: Math.round(value) }),
    });
    this.place = ['w', 'b'].map((name, i) => number(services, {
      label: `fit.start.${name}`, low: -1e6, high: 1e6, value: 0,
      onchange: (value) => {
        const place = [...(this.settings.place ?? [0, 0])];
        place[i] = value;
        this.change({ place });
      },
    }));
    this.start = h('div', { class: 'pair' }, ...this.place.map((one) => one.element));
    this.descentPart = section('fit.descent', this.optimizer.element, this.rate.element,
      h('div', { class: 'own' }, this.own.element, this.limitNote), this.numbers, this.batch.element,
      this.size.element, this.seed.element, this.start);
  }

  makePace() {
    const { services, told } = this;
    this.steps = slider(services, {
      label: 'fit.steps', low: 1, high: 200, log: true, value: 1, format: (v) => String(Math.round(v)), oninput: told.pace,
    });
    this.slow = toggle(services, { label: 'fit.slow', value: false, onchange: told.pace });
    this.links = h('div', { class: 'links' },
      h('button', { type: 'button', class: 'link', t: 'fit.toTerrain', onclick: told.terrain }),
      h('button', { type: 'button', class: 'link', t: 'fit.toGraph', onclick: told.graph }));
    this.pacePart = section('fit.pace', this.steps.element, this.slow.element, this.links);
  }

  /** Frames a second and steps a frame. */
  get pace() {
    return { steps: Math.round(this.steps.value), frames: this.slow.value ? 2 : 30 };
  }

  /** @param {{steps?: any, slow?: any}} given */
  set pace({ steps, slow }) {
    if (typeof steps === 'number' && steps >= 1 && steps <= 200) this.steps.value = steps;
    this.slow.value = slow === true;
  }

  /** The settings as controls show them. @param {Settings} settings */
  show(settings) {
    this.settings = structuredClone(settings);
    this.model.value = settings.model;
    this.degree.value = settings.degree;
    this.hidden.value = settings.hidden.join(',');
    this.activation.value = settings.activation;
    this.loss.value = settings.loss;
    this.l2.value = placeOfL2(settings.l2);
    this.standardise.value = settings.standardise ?? false;
    this.seed.value = settings.seed;
    this.batch.value = settings.batch === 0 ? 'all' : settings.batch === 1 ? 'one' : 'mini';
    if (settings.batch > 1) this.size.value = settings.batch;
    if (settings.rate !== null) this.rate.value = settings.rate;
    this.arrange();
  }

  /** Show what the settings of now have to do with. */
  arrange() {
    const { settings, services } = this;
    this.degree.element.hidden = settings.model !== 'polynomial';
    this.network.hidden = settings.model !== 'network';
    this.size.element.hidden = settings.batch < 2;
    this.start.hidden = settings.model !== 'line';
    this.links.firstElementChild?.toggleAttribute('hidden', settings.model !== 'line' || !settings.loss.includes('squared'));
    this.own.value = settings.rate === null;
    this.place.forEach((one, i) => {
      one.value = Number((settings.place?.[i] ?? 0).toPrecision(4));
    });
    const known = services.catalogue?.optimizers ?? [];
    this.optimizer.offer(known.map(({ name, title }) => ({ value: name, text: title })), settings.optimizer);
    const facts = known.find(({ name }) => name === settings.optimizer);
    const shown = Object.entries(facts?.settings ?? {}).filter(([, one]) => !one.static);
    const signature = `${settings.optimizer}:${shown.length}`;
    if (signature !== this.signature) {
      this.signature = signature;
      this.numbers.replaceChildren(...shown.map(([name, one]) => slider(services, {
        label: `fit.number.${name}`, low: one.low ?? 0, high: one.high ?? 1, log: one.log,
        value: settings.settings[name] ?? one.value, format: short,
        oninput: (value) => this.change({ settings: { ...this.settings.settings, [name]: value } }),
      }).element));
    }
  }

  /** What the server has made of it. @param {Facts} facts */
  tell(facts) {
    if (facts.rate !== null && facts.rate !== undefined) {
      this.rate.value = facts.rate;
      this.judge(facts.rate, facts.limit);
    }
    this.rate.limit = facts.limit ?? null;
    this.limit = facts.limit ?? null;
    this.standardise.value = facts.standardised ?? false;
    if (facts.limit !== null && facts.limit !== undefined) {
      say(this.limitNote, 'fit.limit', { limit: few(facts.limit, 3) });
    } else {
      this.limitNote.removeAttribute('data-t');
      this.limitNote.textContent = '';
    }
    this.tellPoints(facts);
  }

  /** @param {Facts} facts */
  tellPoints(facts) {
    const count = facts.n.toLocaleString('en');
    if (!facts.n) say(this.note, 'fit.none');
    else if (facts.flat) say(this.note, 'fit.flat', { n: count });
    else if (facts.rows - facts.missing > facts.n) {
      say(this.note, 'fit.drawn', { n: count, rows: facts.rows.toLocaleString('en') });
    } else if (facts.missing) say(this.note, 'fit.missing', { n: count, missing: facts.missing.toLocaleString('en') });
    else say(this.note, 'fit.count', { n: count });
  }

  /** Is the rate below the limit? @param {number} rate @param {number | null} [limit] */
  judge(rate, limit = this.limit ?? null) {
    this.rate.verdict = limit === null ? null : rate > limit ? 'explode' : rate > 0.9 * limit ? 'edge' : 'safe';
  }

  /** @type {number | null | undefined} */
  limit = null;
  /** @type {string | undefined} */
  signature = undefined;
}
