// @ts-check
/** The wall: ten cards, each with its curve, and the score above them. */
import { button } from 'fallline/controls';
import { h, name_, say } from 'fallline/dom';
import { drawPulse, drawThumb } from 'fallline/gallery/parts';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/gallery/parts').Patient} Patient */
/** @typedef {import('fallline/gallery/parts').Stage} Stage */
/** @typedef {import('fallline/gallery/score').Score} Score */

export class Wall {
  /**
   * @param {Services} services
   * @param {Score} score
   * @param {{open: (name: string) => void, reset: () => void, title: (name: string) => string}} does
   */
  constructor(services, score, does) {
    this.services = services;
    this.score = score;
    this.does = does;
    /** @type {Patient[]} */
    this.patients = [];
    /** @type {Record<string, Stage>} */
    this.stages = {};
    /** @type {Record<string, HTMLButtonElement>} */
    this.cards = {};
    this.list = h('ol', { class: 'cards' });
    this.dots = h('div', { class: 'dots', 'aria-hidden': 'true' });
    this.told = h('p', { class: 'told', role: 'status' });
    this.progress = h('p', { class: 'progress' });
    this.reset = button(services, { t: 'gallery.reset', class: 'small', onclick: does.reset });
    this.element = h('div', { class: 'wall' },
      h('header', { class: 'wall-head' },
        h('div', { class: 'wall-words' }, h('h2', { t: 'gallery.title' }), h('p', { class: 'lead', t: 'gallery.lead' })),
        h('div', { class: 'score' },
          h('div', { class: 'score-line' }, h('h3', { class: 'heading', t: 'gallery.score' }), this.reset.element),
          this.dots, this.told)),
      this.list, this.progress);
  }

  /** @param {Patient[]} patients @param {Record<string, Stage>} stages */
  set(patients, stages) {
    this.patients = patients;
    this.stages = stages;
    this.cards = {};
    this.list.replaceChildren(...patients.map((patient, i) => {
      const card = h('button', { type: 'button', class: 'card', onclick: () => this.does.open(patient.name) });
      card.style.setProperty('--place', String(i));
      this.cards[patient.name] = card;
      return h('li', {}, card);
    }));
    patients.forEach((patient) => this.draw(patient));
    this.count();
  }

  /** @param {Patient} patient */
  draw(patient) {
    const { services: { t }, score } = this;
    const card = this.cards[patient.name];
    if (!card) return;
    const n = this.patients.indexOf(patient) + 1;
    const mark = score.of(patient.name);
    const stage = this.stages[patient.name] ?? 'waiting';
    const kind = mark ? (mark.right ? 'right' : 'wrong') : null;
    const state = kind ? t(`gallery.state.${kind}`, { title: this.does.title(mark?.ill ?? '') })
      : t(stage === 'ready' ? 'gallery.state.open' : stage === 'failed' ? 'gallery.failed' : `gallery.state.${stage}`);
    const title = t(`gallery.title.${patient.name}`);
    card.className = ['card', stage, kind].filter(Boolean).join(' ');
    name_(card, 'gallery.card', { n, title, state });
    card.removeAttribute('title');
    const drawn = JSON.stringify([patient.thumb !== null, stage === 'training']);
    let picture = card.querySelector('.picture');
    if (!picture || picture.getAttribute('data-drawn') !== drawn) {
      picture = h('span', { class: 'picture', 'data-drawn': drawn },
        patient.thumb ? drawThumb(patient.thumb) : drawPulse());
    }
    card.replaceChildren(picture,
      h('span', { class: 'card-number' }, t('gallery.number', { n })),
      h('span', { class: 'card-title' }, title),
      h('span', { class: 'card-state' }, kind ? h('i', { 'aria-hidden': 'true' }, kind === 'right' ? '✓' : '✗') : null, state));
  }

  count() {
    const { patients, score } = this;
    this.dots.replaceChildren(...patients.map(({ name }) => {
      const mark = score.of(name);
      return h('i', { class: mark ? (mark.right ? 'right' : 'wrong') : '' });
    }));
    const all = patients.length;
    const whole = all > 0 && score.right === all;
    say(this.told, whole ? 'gallery.perfect' : 'gallery.answered', { right: score.right, all });
    this.reset.element.hidden = !score.answered;
    const done = patients.filter(({ thumb }) => thumb).length;
    say(this.progress, 'gallery.trained', { done, all });
    this.progress.classList.toggle('done', done === all);
  }

  /** One patient has changed. @param {string} name */
  changed(name) {
    const patient = this.patients.find((one) => one.name === name);
    if (patient) this.draw(patient);
    this.count();
  }

  retranslate() {
    this.patients.forEach((patient) => this.draw(patient));
    this.count();
  }

  /** Arrow keys: to the next card in that direction. @param {string} key */
  move(key) {
    const cards = this.patients.map(({ name }) => this.cards[name]);
    const at = cards.findIndex((card) => card === document.activeElement);
    const tops = cards.map((card) => card.offsetTop);
    const columns = Math.max(1, tops.filter((top) => top === tops[0]).length);
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key] ?? 0;
    const to = at < 0 ? 0 : at + by;
    cards[to >= 0 && to < cards.length ? to : at]?.focus();
  }
}
