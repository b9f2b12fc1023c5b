// @ts-check
/** The timeline at the foot of the stage: where the run is, and the way back to where it was. */
import { clear, h, svg } from 'fallline/dom';
import { count } from 'fallline/terrain/format';

/** @typedef {import('fallline/services').Services} Services */

export class Timeline {
  /**
   * @param {Services} services
   * @param {{onscrub: (step: number) => void}} options
   */
  constructor(services, options) {
    this.services = services;
    this.first = 0;
    this.last = 0;
    this.step = 0;
    /** @type {number[]} */
    this.forks = [];
    /** A step asked for that the engine has not shown yet. @type {number|null} */
    this.asked = null;
    this.range = /** @type {HTMLInputElement} */ (
      h('input', { type: 'range', min: '0', max: '1', step: '1', value: '0', label: 'terrain.timeline' })
    );
    this.range.addEventListener('input', () => this.ask(Number(this.range.value)));
    this.range.addEventListener('change', () => this.ask(Number(this.range.value)));
    this.marks = h('div', { class: 'forks', 'aria-hidden': 'true' });
    this.now = h('output', { class: 'now' });
    this.end = h('span', { class: 'end' });
    this.rewind = h('button', {
      class: 'icon',
      label: 'terrain.rewind',
      onclick: () => this.ask(this.first),
    });
    this.rewind.append(rewindIcon());
    this.onscrub = options.onscrub;
    this.element = h(
      'div',
      { class: 'timeline', role: 'group', label: 'terrain.timeline' },
      this.rewind,
      this.now,
      h('div', { class: 'track' }, this.range, this.marks),
      this.end,
    );
    this.element.removeAttribute('title');
    this.update();
  }

  /** @param {number} step */
  ask(step) {
    this.asked = step;
    this.show(step);
    this.onscrub(step);
  }

  /**
   * The run as the engine remembers it.
   * @param {{first: number, last: number}} message
   */
  known(message) {
    this.first = message.first;
    this.last = message.last;
    this.update();
  }

  /** The future after a step was given up for another. @param {number} step */
  fork(step) {
    this.forks = [...this.forks.filter((fork) => fork < step), step];
    this.last = step;
    this.update();
  }

  /** A frame was drawn. @param {number} step */
  at(step) {
    if (step === this.asked) {
      this.asked = null;
    }
    if (this.asked === null) {
      this.last = Math.max(this.last, step);
      this.show(step);
    }
  }

  /** A new run. */
  restart() {
    this.first = 0;
    this.last = 0;
    this.forks = [];
    this.asked = null;
    this.show(0);
  }

  /** Is an earlier step shown than the newest? */
  get behind() {
    return this.step < this.last;
  }

  /** @param {number} step */
  show(step) {
    this.step = step;
    this.update();
  }

  update() {
    const { range, first, last, step } = this;
    range.min = String(first);
    range.max = String(Math.max(last, first + 1));
    range.value = String(step);
    range.disabled = last <= first;
    range.setAttribute(
      'aria-valuetext',
      this.services.t('terrain.step_of', { n: count(step), m: count(last) }),
    );
    range.style.setProperty('--p', `${(100 * (step - first)) / Math.max(1, last - first)}%`);
    this.now.textContent = count(step);
    this.end.textContent = count(last);
    const shown = this.forks.filter((fork) => fork > first && fork < last);
    if (shown.length !== this.marks.childElementCount || shown.length) {
      clear(this.marks);
      for (const fork of shown) {
        const mark = h('i', {});
        mark.style.left = `${(100 * (fork - first)) / (last - first)}%`;
        this.marks.append(mark);
      }
    }
  }
}

function rewindIcon() {
  return svg(
    'svg',
    { viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    svg('path', { d: 'M4 3v10M13 3.5 6.5 8l6.5 4.5z' }),
  );
}
