// @ts-check
/** The gallery: ten sick runs on a wall; open one, look, guess, and hear the doctor. */
import { Chart } from 'fallline/gallery/chart';
import { heard } from 'fallline/gallery/heard';
import { SHORTCUTS, pressed } from 'fallline/gallery/keys';
import { shuffled } from 'fallline/gallery/parts';
import { Score } from 'fallline/gallery/score';
import { Bedside } from 'fallline/gallery/symptoms';
import { Wall } from 'fallline/gallery/wall';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/gallery/parts').Patient} Patient */
/** @typedef {import('fallline/gallery/parts').Symptoms} Symptoms */
/** @typedef {import('fallline/gallery/parts').Verdict} Verdict */
/** @typedef {import('fallline/gallery/parts').Stage} Stage */

export class GalleryView {
  static shortcuts() {
    return SHORTCUTS;
  }

  /** @param {HTMLElement} root @param {Services} services */
  constructor(root, services) {
    this.root = root;
    this.services = services;
    this.online = false;
    this.visible = false;
    this.stale = true;
    /** @type {Patient[]} */
    this.patients = [];
    /** @type {import('fallline/gallery/parts').Titles} */
    this.titles = {};
    /** @type {Record<string, Stage>} */
    this.stages = {};
    /** @type {Record<string, Symptoms>} */
    this.symptoms = {};
    /** @type {Record<string, Verdict>} */
    this.verdicts = {};
    /** The patient that is open; null for the wall. @type {string | null} */
    this.case = null;
    /** @type {string | null} */
    this.answer = null;
    /** @type {string | null} */
    this.ill = null;
    this.hinted = false;
    /** Decides the order of the answers. */
    this.seed = 1 + Math.floor(Math.random() * 9999);
    /** What a link showed as guessed. @type {string | null} */
    this.wished = null;
    this.score = new Score();
    const title = (/** @type {string} */ name) => this.titles[name]?.[services.language()] ?? name;
    this.wall = new Wall(services, this.score, { open: (name) => this.open(name), reset: () => this.reset(), title });
    this.chart = new Chart(services, {
      answer: (name) => this.guess(name),
      hint: () => this.hint(),
      next: () => this.go(1),
      back: () => this.open(null),
      again: () => this.again(),
      tryIt: () => this.tryIt(),
      title,
    });
    this.bedside = new Bedside(services);
    root.append(this.wall.element, this.chart.element, this.bedside.element);
    this.draw();
  }

  /** @returns {Patient | null} */
  get patient() {
    return this.patients.find(({ name }) => name === this.case) ?? null;
  }

  get answers() {
    const { patient } = this;
    return patient ? shuffled(patient.answers, this.seed + 977 * this.patients.indexOf(patient)) : [];
  }

  // With the server.

  connected() {
    this.online = true;
    this.stale = true;
    if (this.visible) this.begin();
  }

  begin() {
    this.stale = false;
    return this.attempt(async () => {
      const { services } = this;
      const { patients, titles } = await services.request('wall');
      this.patients = patients;
      this.titles = titles;
      this.symptoms = {};
      this.verdicts = {};
      this.stages = Object.fromEntries(patients.map((/** @type {Patient} */ { name, thumb }) => [name, thumb ? 'ready' : 'waiting']));
      this.wall.set(patients, this.stages);
      if (!this.patient) this.case = null;
      if (this.case) await this.enter();
      this.draw();
      services.send('train');
    });
  }

  /** Do something that the server may refuse. @param {() => Promise<any>} action */
  async attempt(action) {
    try {
      await action();
    } catch (error) {
      this.services.fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {any} message */
  onText(message) {
    heard(this, message);
  }

  // What the user does.

  /** @param {string | null} name null for the wall */
  open(name) {
    const before = this.case;
    this.case = this.patients.some((one) => one.name === name) ? name : null;
    this.hinted = false;
    this.wished = null;
    this.bedside.tell(false, null);
    this.attempt(async () => {
      if (this.case) await this.enter();
      this.draw();
      if (!this.case) this.wall.cards[before ?? '']?.focus();
      else this.chart.title.focus();
    });
    this.services.touched();
  }

  /** Ask for the opened patient, and say again what was guessed of it. */
  async enter() {
    const name = /** @type {string} */ (this.case);
    const mark = this.score.of(name);
    const patient = /** @type {Patient} */ (this.patient);
    this.answer = this.wished && patient.answers.includes(this.wished) ? this.wished : (mark?.answer ?? null);
    this.ill = null;
    this.draw();
    this.services.send('open', { case: name });
    if (!this.answer || !patient.answers.includes(this.answer)) {
      this.answer = null;
      return;
    }
    const { ill } = await this.services.request('guess', { case: name, answer: this.answer });
    if (this.case !== name) return;
    this.ill = ill;
    this.ask();
  }

  /** @param {string} answer */
  guess(answer) {
    const { case: name, services } = this;
    if (!name || this.ill || !this.symptoms[name]) return;
    this.attempt(async () => {
      const { right, ill } = await services.request('guess', { case: name, answer });
      this.score.set(name, { answer, right, ill });
      this.wall.changed(name);
      if (this.case !== name) return;
      this.answer = answer;
      this.ill = ill;
      this.draw();
      services.announce(this.chart.aloud(name, answer, ill));
      this.ask();
      this.bedside.top();
      services.touched();
    });
  }

  /** Have the doctor speak, in the language of now. */
  ask() {
    const { case: name, services } = this;
    if (!name || !this.ill) return;
    const known = this.verdicts[name]?.lang === services.language() ? this.verdicts[name] : null;
    this.bedside.tell(true, known);
    if (!known) services.send('verdict', { case: name, lang: services.language() });
  }

  hint() {
    if (!this.patient || this.ill || !this.symptoms[this.case ?? '']) return;
    this.hinted = !this.hinted;
    this.draw();
  }

  again() {
    if (!this.case) return;
    this.score.set(this.case, null);
    this.answer = null;
    this.ill = null;
    this.wished = null;
    this.hinted = false;
    this.wall.changed(this.case);
    this.draw();
    this.services.touched();
  }

  reset() {
    this.score.clear();
    this.seed = 1 + Math.floor(Math.random() * 9999);
    this.wall.retranslate();
    // The button goes with the score; the keyboard goes to the first card.
    this.wall.cards[this.patients[0]?.name ?? '']?.focus();
    this.services.touched();
  }

  /** To the patient before or after. @param {number} by */
  go(by) {
    const all = this.patients.length;
    const at = this.patients.findIndex(({ name }) => name === this.case);
    if (all) this.open(this.patients[(at + by + all) % all].name);
  }

  tryIt() {
    const { patient } = this;
    if (patient?.link && this.ill) this.services.open(patient.link.view, patient.link.state);
  }

  // What is seen.

  draw() {
    const { patient, bedside, chart } = this;
    this.root.classList.toggle('asking', patient !== null);
    this.wall.element.hidden = patient !== null;
    chart.element.hidden = bedside.element.hidden = patient === null;
    if (!patient) return;
    const symptoms = this.symptoms[patient.name] ?? null;
    chart.show({
      patient, n: this.patients.indexOf(patient) + 1, all: this.patients.length, answers: this.answers,
      answer: this.answer, ill: this.ill, hinted: this.hinted, symptoms,
    });
    if (bedside.data !== symptoms || !symptoms) bedside.set(symptoms);
    if (!this.ill) bedside.tell(false, null);
    bedside.point(this.hinted && !this.ill ? patient.hint : null);
  }

  // What the shell asks for.

  show() {
    this.visible = true;
    if (this.online && this.stale) this.begin();
  }

  hide() {
    this.visible = false;
  }

  state() {
    return this.case ? { case: this.case, answer: this.ill ? this.answer : null, seed: this.seed } : {};
  }

  /** @param {Record<string, any>} given `case`: a patient's name; `answer`: what was guessed; `seed`: of the answers' order */
  restore(given) {
    this.case = typeof given.case === 'string' ? given.case : null;
    this.wished = typeof given.answer === 'string' ? given.answer : null;
    if (Number.isInteger(given.seed) && given.seed > 0 && given.seed < 1e6) this.seed = given.seed;
    this.hinted = false;
    this.stale = true;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    return pressed(this, event);
  }

  retheme() {
    this.bedside.retheme();
  }

  retranslate() {
    this.wall.retranslate();
    this.bedside.retranslate();
    this.draw();
    this.ask();
  }

  exports() {
    return {};
  }

  status() {
    return { step: Number(this.symptoms[this.case ?? '']?.trained?.steps ?? 0) };
  }

  /** For tests: what is shown. */
  get test() {
    const { patient, bedside, score } = this;
    return {
      case: this.case,
      patients: this.patients.map(({ name }) => name),
      trained: this.patients.filter(({ thumb }) => thumb).map(({ name }) => name),
      answers: this.answers,
      answer: this.answer,
      ill: this.ill,
      hinted: this.hinted,
      hint: patient?.hint ?? null,
      symptoms: Boolean(bedside.data),
      verdict: bedside.verdict ? bedside.findings.test.names : null,
      lang: bedside.verdict?.lang ?? null,
      cure: bedside.verdict?.cure ?? null,
      right: score.right,
      answered: score.answered,
    };
  }
}
