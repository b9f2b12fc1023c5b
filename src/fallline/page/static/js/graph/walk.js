// @ts-check
/** The buttons and the bar that move through the steps. */
import { button } from 'fallline/controls';
import { h } from 'fallline/dom';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {'play' | 'forward' | 'back' | 'reset'} Action */

export class Walk {
  /**
   * @param {Services} services
   * @param {{onwalk: (action: Action) => void, onscrub: (position: number) => void}} wishes
   */
  constructor(services, wishes) {
    this.services = services;
    const go = (/** @type {Action} */ action) => () => wishes.onwalk(action);
    this.play = button(services, { t: 'graph.play', primary: true, class: 'run', onclick: go('play') });
    const back = button(services, { icon: '←', label: 'graph.back', onclick: go('back') });
    const forward = button(services, { icon: '→', label: 'graph.forward', onclick: go('forward') });
    const reset = button(services, { icon: '⟲', label: 'graph.reset', onclick: go('reset') });
    this.place = h('output', { for: 'graph-scrub' });
    this.bar = h('input', { type: 'range', id: 'graph-scrub', min: 0, max: 1, step: 1 });
    this.bar.addEventListener('input', () => wishes.onscrub(Number(this.bar.value)));
    this.element = h(
      'div',
      { class: 'walk' },
      h(
        'div',
        { class: 'slider' },
        h(
          'div',
          { class: 'slider-head' },
          h('label', { for: 'graph-scrub', t: 'graph.position' }),
          this.place,
        ),
        this.bar,
      ),
      h('div', { class: 'buttons' }, this.play.element, back.element, forward.element, reset.element),
    );
  }

  /** @param {number} position @param {number} last @param {number} forward how many steps go forward */
  show(position, last, forward) {
    this.bar.max = String(last);
    this.bar.value = String(position);
    this.bar.style.setProperty('--p', `${(100 * position) / Math.max(1, last)}%`);
    this.bar.style.setProperty('--turn', `${(100 * forward) / Math.max(1, last)}%`);
    const part =
      position === 0 ? 'graph.start' : position <= forward ? 'graph.forwardPart' : 'graph.backwardPart';
    const { t } = this.services;
    this.place.textContent = t('graph.place', { n: position, all: last, part: t(part) });
    this.bar.setAttribute('aria-valuetext', this.place.textContent);
  }

  set playing(/** @type {boolean} */ on) {
    this.play.text = on ? 'graph.pause' : 'graph.play';
  }
}
