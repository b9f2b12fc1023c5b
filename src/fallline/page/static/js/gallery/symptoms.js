// @ts-check
/** The instruments at a patient's bed: what may be looked at before one guesses, and the verdict above them. */
import { h } from 'fallline/dom';
import { Boundary } from 'fallline/maps/boundary';
import { Activations } from 'fallline/panels/activations';
import { Findings } from 'fallline/panels/findings';
import { Flow } from 'fallline/panels/flow';
import { panel } from 'fallline/panels/frame';
import { Lines } from 'fallline/panels/lines';
import { Losses } from 'fallline/panels/losses';
import { CureSide } from 'fallline/gallery/cure';
import { Inputs } from 'fallline/gallery/inputs';
import { drawPulse } from 'fallline/gallery/parts';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/gallery/parts').Symptoms} Data */
/** @typedef {import('fallline/gallery/parts').Verdict} Verdict */

export class Bedside {
  /** @param {Services} services */
  constructor(services) {
    this.services = services;
    /** @type {Data | null} */
    this.data = null;
    /** @type {Verdict | null} */
    this.verdict = null;
    const made = (/** @type {string} */ key, /** @type {string} */ name, /** @type {string} */ size) => panel(services, key, `${name} ${size}`);
    this.boxes = {
      loss: made('gallery.losses', 'of-loss', 'w8 tall'),
      rate: made('panels.rateName', 'of-rate', 'w4'),
      gradient: made('gallery.gradient', 'of-gradient', 'w4'),
      flow: made('gallery.flow', 'of-flow', 'w6 free'),
      activations: made('gallery.activations', 'of-activations', 'w6 free'),
      inputs: made('gallery.inputs', 'of-inputs', 'w6 free'),
      map: made('gallery.map', 'of-map', 'w6 square'),
    };
    this.findingBox = made('gallery.verdict', 'of-findings', 'w5 free');
    this.cureBox = made('gallery.cure', 'of-cure', 'w7 free');
    this.aroundBox = made('gallery.around', 'of-around', 'wide');
    const { boxes } = this;
    const body = (/** @type {keyof typeof boxes} */ name) => boxes[name].body;
    this.lossSides = [h('div', { class: 'side' }), h('div', { class: 'side' })];
    body('loss').append(...this.lossSides);
    this.losses = new Losses(this.lossSides[0], services);
    /** Of a function: the axis is not logarithmic, so that the rest of the way is seen to be level. */
    this.value = new Lines(this.lossSides[1], services);
    this.rate = new Lines(body('rate'), services);
    this.gradient = new Lines(body('gradient'), services);
    this.flow = new Flow(body('flow'), services);
    this.activations = new Activations(body('activations'), services);
    this.inputs = new Inputs(body('inputs'), services);
    this.map = new Boundary(body('map'), services);
    this.findings = new Findings(this.findingBox.body, services);
    this.cure = new CureSide(this.cureBox.body, services);
    this.around = new Lines(this.aroundBox.body, services);
    this.waiting = h('p', { class: 'verdict-waits', role: 'status' }, drawPulse(), h('span', { t: 'gallery.verdictWaits' }));
    this.verdictRow = h('div', { class: 'grid verdict-row' }, this.waiting, this.findingBox.element, this.cureBox.element, this.aroundBox.element);
    this.grid = h('div', { class: 'grid symptoms' }, ...Object.values(boxes).map(({ element }) => element));
    this.preparing = h('div', { class: 'preparing', role: 'status' }, drawPulse(), h('p', { t: 'gallery.preparing' }));
    this.scroll = h('div', { class: 'page', tabindex: '-1' }, this.verdictRow,
      h('h2', { class: 'heading row-title', t: 'gallery.symptoms' }), this.grid);
    this.element = h('div', { class: 'stage bedside' }, this.scroll, this.preparing);
  }

  get parts() {
    return [this.losses, this.value, this.rate, this.gradient, this.flow, this.activations, this.inputs, this.map, this.findings, this.cure, this.around];
  }

  /** @param {Data | null} data null while it is trained */
  set(data) {
    this.data = data;
    this.preparing.hidden = data !== null;
    this.scroll.hidden = data === null;
    const { boxes } = this;
    this.point(null);
    if (!data) return;
    const { curves, epochs, instruments, inputs } = data;
    const line = (/** @type {string} */ key, /** @type {string} */ name) => ({
      lines: [{ name: this.services.t(key), x: curves.step, y: curves[name] ?? [] }], xKey: 'panels.step', yKey: key });
    const plain = data.trained.task === null;
    this.lossSides[0].hidden = plain;
    this.lossSides[1].hidden = !plain;
    if (plain) this.value.set({ ...line('panels.loss', 'loss'), log: false });
    else this.losses.set({ runs: [{ name: '', curves, epochs }] });
    this.rate.set(line('panels.rate', 'learning_rate'));
    this.gradient.set({ ...line('gallery.gradient', 'gradient_norm'), ...(plain ? { log: false } : {}) });
    const layers = instruments?.layers ?? [];
    boxes.flow.element.hidden = !layers.length;
    boxes.activations.element.hidden = !instruments?.activations?.length;
    boxes.inputs.element.hidden = !inputs;
    boxes.map.element.hidden = !instruments?.boundary;
    this.flow.set(layers.length ? { layers } : null);
    this.activations.set(instruments?.activations ?? null);
    this.inputs.set(inputs);
    this.map.set(instruments?.boundary ?? null);
    this.notes();
    this.scroll.scrollTop = 0;
  }

  notes() {
    const inputs = this.data?.inputs;
    const key = inputs && inputs.columns.length < inputs.all ? 'gallery.inputs.note' : 'gallery.inputs.noteAll';
    this.boxes.inputs.note.textContent = inputs ? this.services.t(key, { n: inputs.columns.length, all: inputs.all }) : '';
  }

  /** Nobody has guessed yet, or the doctor is still at it, or has spoken. @param {boolean} guessed @param {Verdict | null} verdict */
  tell(guessed, verdict) {
    this.verdict = verdict;
    this.verdictRow.hidden = !guessed;
    this.waiting.hidden = verdict !== null;
    this.findingBox.element.hidden = verdict === null;
    this.cureBox.element.hidden = !verdict?.cure;
    this.findings.set(verdict?.diagnosis ?? null);
    this.cure.set(verdict?.cure ?? null);
    const around = verdict?.around ?? null;
    this.aroundBox.element.hidden = !around;
    this.around.set(around && {
      lines: around.lines.map(({ name, y }) => ({ name: this.services.t('gallery.around.along', { name }), x: around.x, y })),
      xKey: 'gallery.around.by', yKey: 'gallery.around.value', log: false,
    });
  }

  /** Draw the eye to an instrument. @param {string | null} name */
  point(name) {
    for (const [other, { element }] of Object.entries(this.boxes)) element.classList.toggle('pointed', other === name);
    const box = name ? /** @type {any} */ (this.boxes)[name] : null;
    box?.element.scrollIntoView({ block: 'nearest', behavior: this.services.reduced() ? 'auto' : 'smooth' });
  }

  top() {
    this.scroll.scrollTo({ top: 0, behavior: this.services.reduced() ? 'auto' : 'smooth' });
  }

  retheme() {
    this.parts.forEach((part) => part.retheme());
  }

  retranslate() {
    this.set(this.data);
    this.tell(!this.verdictRow.hidden, this.verdict);
    this.parts.forEach((part) => part.retranslate());
    this.notes();
  }
}
