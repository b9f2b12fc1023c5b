// @ts-check
/** What a scene knows of its surface: its scale, and its coordinates. */
import { heightOf, relief, valueAt } from 'fallline/scene/relief';

/**
 * @typedef {object} Surface
 * @property {Float32Array} heights grid x grid values, row = y, not changed afterwards; what is not finite is
 *   drawn as a flat muted top
 * @property {number} grid points a side
 * @property {number[]} bounds x0, x1, y0, y1
 * @property {string[]} [axes] names of the two parameters
 */

export class Ground {
  /** @type {import('fallline/scene/relief').Relief | null} */
  surface = null;
  /** x0, x1, y0, y1. @type {number[]} */
  bounds = [-1, 1, -1, 1];
  axes = ['x', 'y'];

  /**
   * Take a surface.
   * @param {Surface} surface
   * @returns {import('fallline/scene/relief').Relief}
   * @throws {Error} if the number of heights is not that of the grid
   */
  measure({ heights, grid, bounds, axes = ['x', 'y'] }) {
    if (!(grid >= 2) || heights.length !== grid * grid) {
      throw new Error(`A surface of ${grid} by ${grid} needs ${grid * grid} heights, not ${heights.length}.`);
    }
    this.surface = relief(heights, grid);
    this.bounds = [...bounds];
    this.axes = axes;
    return this.surface;
  }

  /** The values at the lower and the upper end of the ramp. @returns {[number, number]} */
  get range() {
    return this.surface ? [this.surface.low, this.surface.high] : [0, 1];
  }

  /** The value of the terrain at a share of the ramp's height. @param {number} share 0 to 1 */
  valueAt(share) {
    return this.surface ? valueAt(this.surface, share) : share;
  }

  /** The share of the ramp's height, 0 to 1, of a value. @param {number} value */
  shareOf(value) {
    return this.surface ? heightOf(this.surface, value) : 0;
  }

  /**
   * From the terrain's coordinates to the window.
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  toWindow(x, y) {
    const [x0, x1, y0, y1] = this.bounds;
    return [(2 * (x - x0)) / (x1 - x0) - 1, (2 * (y - y0)) / (y1 - y0) - 1];
  }

  /**
   * From the window to the terrain's coordinates.
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  toBounds(x, y) {
    const [x0, x1, y0, y1] = this.bounds;
    return [x0 + ((x + 1) / 2) * (x1 - x0), y0 + ((y + 1) / 2) * (y1 - y0)];
  }
}
