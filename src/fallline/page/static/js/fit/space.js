// @ts-check
/**
 * The parameter space of a line: its loss over slope and intercept, the path of the descent, and the
 * gradients of single points around the ball. The relief is the scene's, all else a 2-D canvas above it.
 */
import { h } from 'fallline/dom';
import { Scene } from 'fallline/scene/scene';
import { drawMarks } from 'fallline/fit/marks';
import { ROW } from 'fallline/fit/state';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/fit/state').State} State */

const MOST_PATH = 4000;
/** How far the cloud of gradients reaches at first, as a share of the window. */
const REACH = 0.3;
const NEAR = 10;

/** The round number 1, 2 or 5 times a power of ten below another. @param {number} value */
function roundBelow(value) {
  const ten = 10 ** Math.floor(Math.log10(value));
  return ([5, 2].find((factor) => factor * ten <= value) ?? 1) * ten;
}

export class Space {
  /**
   * @param {HTMLElement} element to fill
   * @param {Services} services
   * @param {{start: (place: number[]) => void, pointed: (place: number[] | null) => void,
   *   hovered: (point: number) => void, scaled: () => void}} told
   */
  constructor(element, services, told) {
    this.element = element;
    this.services = services;
    this.told = told;
    /** @type {'map' | 'block'} */
    this.mode = 'map';
    /** @type {Scene | null} */
    this.scene = null;
    this.overlay = h('canvas', { class: 'over', 'aria-hidden': 'true' });
    this.ticks = h('div', { class: 'ticks' });
    this.trouble = h('p', { class: 'trouble note', hidden: true });
    /** @type {HTMLCanvasElement} */
    this.canvas = h('canvas', { role: 'img' });
    element.append(this.canvas, this.overlay, this.ticks, this.trouble);
    /** @type {{heights: Float32Array, grid: number, bounds: number[]} | null} */
    this.surface = null;
    /** @type {State | null} */
    this.state = null;
    /** @type {number[]} w, b by turns */
    this.path = [];
    /** @type {number[] | null} */
    this.best = null;
    /** The points that the gradients of the cloud belong to. @type {ArrayLike<number>} */
    this.cloud = [];
    this.showCloud = true;
    this.full = true;
    /** How many times longer than a step of plain descent the arrows are. */
    this.stretch = 0;
    this.hovered = -1;
    /** @type {number[] | null} */
    this.pointed = null;
    this.colour = '#ff5d5d';
    this.dirty = true;
    /** @type {{x: number, y: number} | null} where the pointer went down */
    this.pressed = null;
    this.camera = /** @type {Record<string, number> | null} */ (null);
  }

  /** Make the scene, once there is room for it. */
  open() {
    if (this.scene || !this.element.clientWidth) return;
    const { theme, quality, pixelRatio, reduced } = this.services;
    if (this.canvas.dataset.used) {
      // A canvas whose context was given back cannot be used again.
      const fresh = h('canvas', { role: 'img', 'aria-label': this.canvas.getAttribute('aria-label') });
      this.canvas.replaceWith(fresh);
      this.canvas = fresh;
    }
    this.canvas.dataset.used = 'yes';
    try {
      this.scene = new Scene(this.canvas, {
        mode: this.mode,
        theme: theme(),
        quality,
        pixelRatio,
        reduced: reduced(),
      });
    } catch (error) {
      this.trouble.textContent = error instanceof Error ? error.message : String(error);
      this.trouble.hidden = false;
      return;
    }
    if (this.mode === 'block' && this.camera) this.scene.camera = this.camera;
    this.scene.onmove = () => {
      this.camera = this.scene?.camera ?? null;
      this.services.touched();
    };
    this.scene.ticks(this.ticks);
    if (this.surface) this.scene.setSurface({ ...this.surface, axes: ['w', 'b'] });
    this.listen(this.canvas);
    this.resize();
  }

  close() {
    this.scene?.dispose();
    this.scene = null;
  }

  /** @param {'map' | 'block'} mode */
  setMode(mode) {
    if (mode === this.mode) return;
    this.mode = mode;
    this.close();
    this.open();
    this.dirty = true;
  }

  /** @param {HTMLCanvasElement} canvas */
  listen(canvas) {
    canvas.addEventListener('pointerdown', (event) => {
      this.pressed = { x: event.clientX, y: event.clientY };
    });
    canvas.addEventListener('pointerup', (event) => {
      const still =
        this.pressed && Math.hypot(event.clientX - this.pressed.x, event.clientY - this.pressed.y) < 5;
      const place = still ? this.place(event) : null;
      this.pressed = null;
      if (place) this.told.start(place);
    });
    canvas.addEventListener('pointermove', (event) => {
      this.point(event.buttons ? null : this.place(event));
      this.hoverCloud(event);
    });
    canvas.addEventListener('pointerleave', () => {
      this.point(null);
      this.hover(-1);
    });
  }

  /** The slope and intercept under the pointer. @param {PointerEvent} event @returns {number[] | null} */
  place(event) {
    const found = this.scene?.pick(event.clientX, event.clientY);
    return found && this.scene ? this.scene.toBounds(found.x, found.y) : null;
  }

  /** @param {number[] | null} place */
  point(place) {
    this.pointed = place;
    this.dirty = true;
    this.told.pointed(place);
  }

  /** @param {PointerEvent} event */
  hoverCloud(event) {
    const box = this.overlay.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best = -1;
    let least = NEAR * NEAR;
    for (let i = 0; this.showCloud && this.state && 2 * i < this.state.cloud.length; i += 1) {
      const end = this.arrow(this.state.cloud[2 * i], this.state.cloud[2 * i + 1]);
      const away = end ? (end[0] - x) ** 2 + (end[1] - y) ** 2 : Infinity;
      if (away < least) {
        best = i;
        least = away;
      }
    }
    this.hover(best < 0 ? -1 : this.cloud[best]);
  }

  /** @param {number} point */
  hover(point) {
    if (point !== this.hovered) {
      this.hovered = point;
      this.dirty = true;
      this.told.hovered(point);
    }
  }

  /** @param {Float32Array} data four bounds, then the heights @param {number} grid */
  setSurface(data, grid) {
    this.surface = { bounds: Array.from(data.subarray(0, 4)), heights: data.slice(4), grid };
    this.scene?.setSurface({ ...this.surface, axes: ['w', 'b'] });
    this.dirty = true;
  }

  /** A run begins. */
  begin() {
    this.path = [];
    this.state = null;
    this.stretch = 0;
    this.dirty = true;
  }

  /** @param {State} state @param {Float32Array} rows of metrics, some with their w and b */
  push(state, rows) {
    this.state = state;
    for (let at = 0; at + ROW <= rows.length; at += ROW) {
      if (Number.isFinite(rows[at + 6])) this.path.push(rows[at + 6], rows[at + 7]);
    }
    if (this.path.length > 2 * MOST_PATH) {
      // Every other place of the older half: the way there needs fewer of them.
      const half = this.path.length / 2;
      this.path = this.path.filter((_, i) => i >= half || i % 4 < 2);
    }
    if (!this.stretch && this.surface) this.measure();
    this.dirty = true;
  }

  /** Find a length for the arrows, once a run, so that a shrinking gradient is seen to shrink. */
  measure() {
    if (!this.state || !this.surface) return;
    const { cloud, rate } = this.state;
    const [w0, w1] = this.surface.bounds;
    const lengths = Array.from({ length: cloud.length / 2 }, (_, i) =>
      Math.hypot(cloud[2 * i], cloud[2 * i + 1]),
    );
    const typical = lengths.sort((a, b) => a - b)[Math.floor(0.7 * lengths.length)] ?? 0;
    if (!(typical > 0) || !(rate > 0)) return;
    this.stretch = roundBelow((REACH * (w1 - w0)) / (typical * rate));
    this.told.scaled();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    const ratio = this.services.pixelRatio;
    this.overlay.width = Math.round(width * ratio);
    this.overlay.height = Math.round(height * ratio);
    this.scene?.resize();
    this.dirty = true;
  }

  retheme() {
    this.scene?.setTheme(this.services.theme());
    this.dirty = true;
  }

  /** A place on the canvas, null outside the window. @param {number} w @param {number} b */
  project(w, b) {
    if (!this.scene || !Number.isFinite(w) || !Number.isFinite(b)) return null;
    const [x, y] = this.scene.toWindow(w, b);
    if (this.mode === 'block' && (Math.abs(x) > 1 || Math.abs(y) > 1)) return null;
    if (Math.abs(x) > 30 || Math.abs(y) > 30) return null;
    const [px, py] = this.scene.project(x, y, this.mode === 'block' ? 0.012 : 0);
    return [px, py];
  }

  /** Where the stretched step along a gradient leads to. @param {number} gw @param {number} gb */
  arrow(gw, gb) {
    if (!this.state) return null;
    const [w, b] = this.state.parameters;
    const size = this.state.rate * this.stretch;
    return this.project(w - size * gw, b - size * gb);
  }

  draw() {
    this.open();
    const moved = this.scene?.render() ?? false;
    if (!this.dirty && !moved) return;
    this.dirty = false;
    const context = /** @type {CanvasRenderingContext2D} */ (this.overlay.getContext('2d'));
    const ratio = this.services.pixelRatio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    if (!this.scene || !this.surface) return;
    drawMarks(this, context);
  }
}
