// @ts-check
/**
 * The numbers along the axes: HTML beside the canvas, sharp and readable, kept in place as the block turns.
 */
import { Vector3 } from 'three';
import { roundNumbers } from 'fallline/axis';
import { BASE } from 'fallline/scene/block';

/** @typedef {import('three').Camera} Camera */
/** @typedef {{text: string, axis: 0 | 1, name: boolean, at: number}} Tick at: -1 to 1 along its axis */

const point = new Vector3();

/**
 * A number as a person writes it, with a true minus.
 * @param {number} value
 * @param {number} step between the numbers around it
 */
export function written(value, step) {
  if (Math.abs(value) < step * 1e-6) return '0';
  const size = Math.abs(value);
  const text = size >= 1e5 || size < 1e-4 ? value.toExponential(1) : String(Number(value.toPrecision(6)));
  return text.replace('-', '−');
}

export class Ticks {
  /**
   * @param {HTMLElement} element that lies over the canvas, of the same size
   * @param {boolean} flat over a map
   */
  constructor(element, flat) {
    this.element = element;
    this.flat = flat;
    /** @type {Tick[]} */
    this.ticks = [];
    /** @type {HTMLElement[]} */
    this.spans = [];
    element.setAttribute('aria-hidden', 'true');
  }

  /**
   * New numbers and names.
   * @param {number[]} bounds x0, x1, y0, y1
   * @param {string[]} axes
   */
  set(bounds, axes) {
    this.ticks = [];
    for (const axis of /** @type {(0 | 1)[]} */ ([0, 1])) {
      const [low, high] = [bounds[2 * axis], bounds[2 * axis + 1]];
      const numbers = roundNumbers(low, high);
      const step = numbers[1] - numbers[0] || 1;
      for (const number of numbers) {
        const at = (2 * (number - low)) / (high - low) - 1;
        // At the ends a map has no room.
        if (this.flat && Math.abs(at) > 0.94) continue;
        this.ticks.push({ text: written(number, step), axis, name: false, at });
      }
      if (!this.flat) this.ticks.push({ text: axes[axis], axis, name: true, at: -0.1 });
    }
    this.element.replaceChildren();
    this.spans = this.ticks.map(({ text, name }) => {
      const span = document.createElement('span');
      span.className = name ? 'scene-axis' : 'scene-tick';
      span.textContent = text;
      Object.assign(span.style, {
        position: 'absolute',
        left: '0',
        top: '0',
        pointerEvents: 'none',
        whiteSpace: 'nowrap',
        willChange: 'transform',
        color: this.flat ? '#eef2f7' : name ? 'var(--text)' : 'var(--muted)',
        font: name
          ? 'italic 500 14px Georgia, "Times New Roman", serif'
          : '400 10.5px var(--mono, monospace)',
        textShadow: this.flat ? '0 0 3px rgba(5, 10, 20, .9), 0 0 1px rgba(5, 10, 20, .9)' : 'none',
      });
      this.element.append(span);
      return span;
    });
  }

  /**
   * Where every tick is.
   * @param {Camera} camera
   * @param {number} width of the canvas
   * @param {number} height of the canvas
   * @returns {(Tick & {x: number, y: number, shown: boolean})[]}
   */
  places(camera, width, height) {
    const { position } = camera;
    // Along the two edges of the block that face the eye.
    const front = position.z >= 0 ? 1 : -1;
    const side = position.x >= 0 ? 1 : -1;
    return this.ticks.map((tick) => {
      const out = tick.name ? 1.27 : 1.13;
      if (this.flat) {
        point.set(tick.axis === 0 ? tick.at : 0, 0, tick.axis === 0 ? 0 : -tick.at).project(camera);
        const x = tick.axis === 0 ? (point.x * 0.5 + 0.5) * width : 14;
        const y = tick.axis === 0 ? height - 9 : (0.5 - point.y * 0.5) * height;
        return {
          ...tick,
          x,
          y,
          shown: x > 24 === (tick.axis === 0) && x < width - 8 && y > 8 && y < height - (tick.axis ? 20 : 0),
        };
      }
      if (tick.axis === 0) point.set(tick.at, BASE, front * out);
      else point.set(side * out, BASE, -tick.at);
      point.project(camera);
      const shown = point.z < 1 && Math.abs(point.x) < 1.02 && Math.abs(point.y) < 1.02;
      return { ...tick, x: (point.x * 0.5 + 0.5) * width, y: (0.5 - point.y * 0.5) * height, shown };
    });
  }

  /** Put them where they are now. @param {Camera} camera @param {number} width @param {number} height */
  update(camera, width, height) {
    this.places(camera, width, height).forEach(({ x, y, shown }, place) => {
      const { style } = this.spans[place];
      style.visibility = shown ? 'visible' : 'hidden';
      style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px) translate(-50%, -50%)`;
    });
  }
}
