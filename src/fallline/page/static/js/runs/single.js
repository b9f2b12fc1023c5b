// @ts-check
/** One run: what it is, how it went, what the doctor says, what was measured, how to repeat it. */
import { button } from 'fallline/controls';
import { h, say } from 'fallline/dom';
import { Boundary } from 'fallline/maps/boundary';
import { Confusion } from 'fallline/maps/confusion';
import { Residuals } from 'fallline/maps/residuals';
import { Surface } from 'fallline/maps/surface';
import { Activations } from 'fallline/panels/activations';
import { ending } from 'fallline/panels/ending';
import { Findings } from 'fallline/panels/findings';
import { Flow } from 'fallline/panels/flow';
import { Lines } from 'fallline/panels/lines';
import { Losses } from 'fallline/panels/losses';
import { RangeTest } from 'fallline/panels/rates';
import { Reproduce } from 'fallline/panels/reproduce';
import { Summary } from 'fallline/panels/summary';
import { Box } from 'fallline/runs/boxes';
import { four, standing } from 'fallline/runs/words';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/runs/words').Row} Row */
/**
 * @typedef {object} Told
 * @property {(kind: 'diagnose' | 'measure' | 'report', more?: Record<string, any>) => void} wanted
 * @property {() => void} cancelled
 * @property {() => void} network
 * @property {(finding: any) => void} applied
 */

/** What takes its time, and how it is called. */
const DEEDS = /** @type {const} */ (['diagnose', 'measure', 'report']);

/** How many times the lowest of the positive values goes into the highest. @param {any[]} values */
function spread(values) {
  const known = values.filter((value) => value > 0);
  return known.length ? known.reduce((a, b) => Math.max(a, b)) / known.reduce((a, b) => Math.min(a, b)) : 1;
}

export class Single {
  /** @param {Services} services @param {Told} told */
  constructor(services, told) {
    this.services = services;
    /** @type {any} */
    this.card = null;
    /** @type {any} */
    this.diagnosis = null;
    /** Are its files as they were written? */
    this.sound = true;
    this.title = h('h2', { class: 'run-title' });
    this.state = h('span', { class: 'state' });
    this.lead = h('p', { class: 'lead' });
    this.buttons = Object.fromEntries(DEEDS.map((kind) => [kind, button(services, {
      t: `runs.${kind}`, label: `runs.about.${kind}`, primary: kind === 'diagnose', onclick: () => told.wanted(kind),
    })]));
    this.network = button(services, { t: 'runs.toNetwork', label: 'runs.about.toNetwork', onclick: told.network });
    this.working = h('span', { role: 'status' });
    this.elapsed = h('span', { class: 'number' });
    this.cancel = button(services, { t: 'runs.cancel', class: 'small', onclick: told.cancelled });
    this.deed = h('div', { class: 'deed', hidden: true },
      h('i', { class: 'spinner', 'aria-hidden': 'true' }), this.working, this.elapsed, this.cancel.element);
    this.remarks = h('ul', { class: 'remarks', hidden: true });
    const box = (/** @type {string} */ title, /** @type {string} */ size, /** @type {(e: HTMLElement) => any} */ make) =>
      new Box(services, title, size, make);
    const lines = (/** @type {HTMLElement} */ e) => new Lines(e, services);
    this.boxes = {
      losses: box('runs.box.losses', 'main tall', (e) => new Losses(e, services)),
      summary: box('runs.box.summary', 'beside-losses', (e) => new Summary(e, services)),
      rate: box('runs.box.rate', 'third', lines),
      norm: box('runs.box.norm', 'third', lines),
      findings: box('runs.box.findings', 'free', (e) => new Findings(e, services, {
        onapply: told.applied,
        oncopy: (/** @type {string} */ command) => this.copy(command),
      })),
      range: box('runs.box.range', '', (e) => new RangeTest(e, services)),
      flow: box('runs.box.flow', 'half', (e) => new Flow(e, services)),
      activations: box('runs.box.activations', 'half', (e) => new Activations(e, services)),
      confusion: box('runs.box.confusion', 'half square', (e) => new Confusion(e, services)),
      residuals: box('runs.box.residuals', 'half square', (e) => new Residuals(e, services)),
      boundary: box('runs.box.boundary', 'half square', (e) => new Boundary(e, services)),
      surface: box('runs.box.surface', 'half square', (e) => new Surface(e, services)),
      reproduce: box('runs.box.reproduce', 'free', (e) => new Reproduce(e, services)),
    };
    this.prove = button(services, {
      t: 'runs.prove', label: 'runs.about.prove', class: 'small', onclick: () => told.wanted('diagnose', { prove: true }),
    });
    this.boxes.findings.tools.append(this.prove.element);
    this.grid = h('div', { class: 'grid' }, ...Object.values(this.boxes).map((one) => one.element));
    this.element = h('div', { class: 'single' },
      h('header', { class: 'run-head' },
        h('div', { class: 'run-words' }, h('div', { class: 'run-line' }, this.title, this.state), this.lead),
        h('div', { class: 'run-tools' }, this.network.element, this.buttons.report.element,
          this.buttons.measure.element, this.buttons.diagnose.element)),
      this.deed, this.remarks, this.grid);
    this.began = 0;
    setInterval(() => this.tick(), 200);
  }

  /** What the list knows of it, before the card is there. @param {Row} row */
  introduce(row) {
    this.title.textContent = row.name;
    this.title.title = row.name;
    this.badge(this.sound ? standing(row) : 'damaged');
    if (!this.card) say(this.lead, row.status === 'running' ? 'runs.waiting' : 'runs.reading');
  }

  /** @param {string} status */
  badge(status) {
    this.state.className = `state ${status}`;
    this.state.replaceChildren(h('i', { class: `dot ${status}`, 'aria-hidden': 'true' }), h('span', { t: `runs.state.${status}` }));
  }

  /** What can be done with this run now. */
  enable() {
    const able = this.sound && this.deed.hidden;
    for (const one of [...Object.values(this.buttons), this.prove]) one.disabled = !able;
  }

  /** Another run: nothing of the last one stays. */
  empty() {
    this.card = null;
    this.diagnosis = null;
    this.sound = true;
    this.element.classList.remove('damaged');
    this.enable();
    this.remarks.hidden = true;
    for (const box of Object.values(this.boxes)) box.set(null);
  }

  /** @param {any} card */
  set(card) {
    this.card = card;
    const { boxes, services } = this;
    const { curves, epochs } = card;
    this.lead.removeAttribute('data-t');
    // The engine says in English how it ended, and what to do then; the panels know it in other languages.
    const ended = services.language() === 'en' ? card.stop?.sentence : ending(services, card);
    this.lead.textContent = ended || services.t('runs.soFar', {
      steps: four(card.trained?.steps ?? 0), epochs: four(Math.round(10 * (card.trained?.epochs ?? 0)) / 10, 5),
    });
    boxes.summary.set(card);
    boxes.losses.set(curves?.step?.length ? {
      runs: [{ name: card.title, curves, epochs, marks: [] }],
    } : null);
    const line = (/** @type {string} */ name, /** @type {string} */ key) =>
      (curves?.[name]?.some((/** @type {any} */ v) => v !== null) ? {
        lines: [{ name: services.t(key), x: curves.step, y: curves[name] }], log: spread(curves[name]) > 2, xKey: 'runs.step', yKey: key,
      } : null);
    boxes.rate.set(line('learning_rate', 'runs.box.rate'));
    boxes.norm.set(line('gradient_norm', 'runs.box.norm'));
    boxes.range.set(card.range_test);
    this.measured(card);
    boxes.reproduce.set(card.reproduce);
    const damaged = card.status === 'damaged';
    this.element.classList.toggle('damaged', damaged);
    if (damaged) this.badge('damaged');
    this.sound = !damaged;
    this.enable();
    if (card.diagnosis) this.diagnosed(card.diagnosis);
    this.remark(card.remarks ?? []);
  }

  /** What `measure` adds. @param {any} card */
  measured(card) {
    const { boxes } = this;
    const seen = card.instruments ?? {};
    // A run that goes on keeps what was measured, until it is measured again.
    if (!card.instruments && boxes.flow.panel && !boxes.flow.element.hidden) return;
    boxes.flow.set(seen.layers?.length ? { layers: seen.layers } : null);
    boxes.activations.set(seen.activations?.length ? seen.activations : null);
    boxes.confusion.set(seen.confusion ?? null);
    boxes.residuals.set(seen.residuals ?? null);
    boxes.boundary.set(seen.boundary ?? null);
    boxes.surface.set(card.surfaces?.length ? card.surfaces : null);
  }

  /** @param {any} diagnosis @param {string} [remark] */
  diagnosed(diagnosis, remark = '') {
    this.diagnosis = diagnosis;
    this.boxes.findings.set(diagnosis);
    const { findings = [] } = diagnosis;
    this.prove.element.hidden = !findings.some((/** @type {any} */ f) => f.complaint && f.fix && !f.proven);
    if (remark) this.remark([remark]);
  }

  /** @param {string[]} sentences */
  remark(sentences) {
    this.remarks.hidden = !sentences.length;
    this.remarks.replaceChildren(...sentences.map((text) => h('li', {}, text)));
  }

  /** Something is at work; null for nothing. @param {string | null} kind @param {string} [name] of the run */
  work(kind, name = '') {
    this.deed.hidden = !kind;
    this.enable();
    if (!kind) return;
    this.began = performance.now();
    say(this.working, `runs.working.${kind}`, { name });
    this.tick();
  }

  tick() {
    if (this.deed.hidden) return;
    this.elapsed.textContent = this.services.t('runs.seconds', { n: ((performance.now() - this.began) / 1000).toFixed(0) });
  }

  /** @param {string} text */
  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.services.announce(this.services.t('runs.copied'));
    } catch {
      this.services.fail(this.services.t('runs.copyByHand'));
    }
  }

  retheme() {
    for (const box of Object.values(this.boxes)) box.retheme();
  }

  retranslate() {
    for (const box of Object.values(this.boxes)) box.retranslate();
    if (this.card) this.set(this.card);
  }
}
