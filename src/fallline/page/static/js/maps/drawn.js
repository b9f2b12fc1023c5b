// @ts-check
/** What every map is: a canvas that fills its element, a tip beside the pointer, words for an empty one. */
import { h, say } from 'fallline/dom';
import { Ink } from 'fallline/maps/ink';

/** @typedef {import('fallline/panels/base').Given} Given what a map needs of the page; it asks for no server */

/** Less room than this is none. */
const LEAST = 40;

let made = 0;

export class Drawn {
  /**
   * @param {HTMLElement} element to fill
   * @param {Given} services
   * @param {{kind: string, empty: string, focusable?: boolean}} look `empty`: key of the sentence without data
   */
  constructor(element, services, { kind, empty, focusable = false }) {
    this.element = element;
    this.services = services;
    this.empty = empty;
    this.canvas = h('canvas', { role: 'img', tabindex: focusable ? '0' : null });
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext('2d'));
    this.tip = h('div', { class: 'maps-tip', 'aria-hidden': 'true', hidden: true });
    this.nothing = h('p', { class: 'maps-empty' });
    this.nothing.id = `map${(made += 1)}`;
    this.picture = h('div', { class: 'maps-picture' }, this.canvas, this.tip, this.nothing);
    this.root = h('div', { class: `maps maps-${kind}` }, this.picture);
    element.append(this.root);
    this.width = 0;
    this.height = 0;
    this.ink = new Ink(this.canvas, services.theme());
    this.frame = 0;
    /** Where the pointer is on the canvas. @type {[number, number] | null} */
    this.pointer = null;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.picture);
    this.lettered = () => this.changed();
    document.fonts?.addEventListener('loadingdone', this.lettered);
    say(this.nothing, empty);
    this.canvas.hidden = true;
    this.canvas.addEventListener('pointermove', (event) => {
      this.pointer = this.at(event);
      this.look();
    });
    this.canvas.addEventListener('pointerleave', () => {
      this.pointer = null;
      this.look();
    });
  }

  /** The pointer has moved, or what is under it has changed. */
  look() {}

  /** Is there something to draw? @returns {boolean} */
  get full() {
    return false;
  }

  /** Draw, within `width` and `height`, in pixels of CSS. */
  paint() {}

  /** The map in words. @returns {string} */
  words() {
    return '';
  }

  /** Look again: something is new. Drawn with the next frame, once. */
  changed() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  /** Draw now. */
  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { full, canvas, context, width, height } = this;
    this.nothing.hidden = full;
    canvas.hidden = !full;
    if (!full) this.tip.hidden = true;
    if (!full || width < LEAST || height < LEAST) return;
    const ratio = this.services.pixelRatio || 1;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== across || canvas.height !== down) {
      canvas.width = across;
      canvas.height = down;
    }
    this.ink = new Ink(canvas, this.services.theme());
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.paint();
    canvas.setAttribute('aria-label', this.words());
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.picture;
    if (width === this.width && height === this.height) return;
    this.width = width;
    this.height = height;
    this.tip.hidden = true;
    if (width >= LEAST && height >= LEAST) this.changed();
  }

  retheme() {
    this.changed();
  }

  retranslate() {
    say(this.nothing, this.empty);
    this.changed();
  }

  dispose() {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    document.fonts?.removeEventListener('loadingdone', this.lettered);
    this.root.remove();
  }

  /** Where an event happened on the canvas. @param {{clientX: number, clientY: number}} event @returns {[number, number]} */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /**
   * Show some lines beside a place, or none; the first is the name of what is there.
   * @param {string[] | null} lines @param {number} [x] @param {number} [y]
   */
  hint(lines, x = 0, y = 0) {
    const { tip, width, height } = this;
    tip.hidden = !lines;
    if (!lines) return;
    tip.replaceChildren(...lines.map((line) => h('span', {}, line)));
    const [wide, tall] = [tip.offsetWidth, tip.offsetHeight];
    const left = x + 14 + wide > width - 4 ? x - 14 - wide : x + 14;
    const top = Math.min(Math.max(4, y - tall - 8), height - tall - 4);
    tip.style.left = `${Math.max(4, Math.min(left, width - wide - 4))}px`;
    tip.style.top = `${Math.max(0, top)}px`;
  }
}
