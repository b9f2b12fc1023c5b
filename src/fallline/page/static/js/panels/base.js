// @ts-check
/** What every panel of a run has in common: an element, services, data that may be set again and again. */
import { h } from 'fallline/dom';

/**
 * What a panel wants of the page; a report or a notebook offers no more.
 * @typedef {Object} Given
 * @property {(key: string, values?: Record<string, string | number>) => string} t
 * @property {() => string} language
 * @property {() => 'dark' | 'light'} theme
 * @property {() => boolean} reduced is little motion wanted?
 * @property {number} [pixelRatio]
 * @property {(text: string) => void} [announce]
 */

/** @template Data, [Options={}] */
export class Panel {
  /**
   * @param {HTMLElement} element to fill; it has a size of its own
   * @param {Given} services
   * @param {Options} [options]
   */
  constructor(element, services, options = /** @type {Options} */ ({})) {
    this.element = element;
    this.services = services;
    this.options = options;
    /** @type {Data | null} */
    this.data = null;
    /** What was set, in few words: the same again draws nothing. */
    this.mark = '';
    /** Key of the sentence that stands where nothing is to be seen. */
    this.emptyKey = 'panels.empty';
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(element);
    element.classList.add('fallline-panel');
  }

  /** @param {Data | null} data the whole, each time */
  set(data) {
    const mark = JSON.stringify(data ?? null);
    if (mark === this.mark) return;
    this.mark = mark;
    this.data = data ?? null;
    this.render();
  }

  /** Draw what there is. */
  render() {
    if (this.data === null) this.showEmpty();
  }

  /** One quiet sentence. */
  showEmpty() {
    this.element.replaceChildren(h('p', { class: 'empty' }, this.services.t(this.emptyKey)));
  }

  retheme() {
    this.render();
  }

  retranslate() {
    this.render();
  }

  resize() {}

  dispose() {
    this.observer.disconnect();
    this.element.replaceChildren();
  }

  /** For tests: the numbers that are shown. @returns {any} */
  get test() {
    return this.data;
  }
}
