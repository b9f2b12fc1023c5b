// @ts-check
/** A slice of a loss surface made into a relief: the scale that shows its valleys, its light, its contours. */
import { Scale, limits } from 'fallline/maps/axes';
import { contour } from 'fallline/maps/contours';
import { mark } from 'fallline/maps/numbers';
import { finer, picture, within } from 'fallline/maps/raster';
import { Ramp } from 'fallline/maps/ramps';
import { SUN, heightOf, relief, scaleOf, valueAt } from 'fallline/scene/relief';

/** @typedef {{x: number[], y: number[], values: (number | null)[][]}} Slice */
/** @typedef {{levels: {height: number, value: number, major: boolean, lines: number[][]}[], columns: number, rows: number}} Contours */

/** Numbers along a side of the finer grid, about. */
const FINE = 180;
const LEVELS = 20;
/** How much steeper than in the scene the slopes are lit. */
const STEEPER = 2.4;
/** Every so manieth contour is a strong one. */
const MAJOR = 5;

/** Of the light, as in the scene: sRGB to linear light for each of 256 steps. */
const LINEAR = Float32Array.from({ length: 256 }, (_, i) => {
  const v = i / 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
});
/** And back, for 4,096 steps up to 1. */
const SCREEN = Uint8Array.from({ length: 4097 }, (_, i) => {
  const v = i / 4096;
  return Math.round(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055));
});

export class Ground {
  /** @param {Slice} slice */
  constructor(slice) {
    this.columns = slice.x.length;
    this.rows = slice.y.length;
    const numbers = new Float32Array(this.columns * this.rows).fill(NaN);
    slice.values.forEach((row, j) =>
      row.forEach((value, i) => {
        // Beyond what single precision holds there is nothing to be told apart.
        if (value !== null && Math.abs(value) < 3e38) numbers[j * this.columns + i] = value;
      }),
    );
    this.numbers = numbers;
    this.holes = numbers.some((value) => !Number.isFinite(value));
    /** What is drawn at the bottom and at the top of the ramp, and how the way between them bends. */
    this.scale = scaleOf(numbers);
    const heights = numbers.map((value) => (Number.isFinite(value) ? heightOf(this.scale, value) : 1));
    // The relief's light wants a square: factors of its own for both sides, cut to the same number.
    const factor = Math.max(1, Math.round(FINE / Math.max(1, Math.max(this.columns, this.rows) - 1)));
    this.factor = factor;
    this.fine = finer({ columns: this.columns, rows: this.rows, values: heights }, factor, { low: 0, high: 1 });
    this.light = relief(square(this.fine), Math.max(this.fine.columns, this.fine.rows));
    /** @type {Contours | null} */
    this.known = null;
  }

  /** Is there any number to be seen? */
  get any() {
    return Number.isFinite(this.scale.low) && this.numbers.some((value) => Number.isFinite(value));
  }

  /** Lines of equal loss, evenly apart in height. @returns {Contours} */
  contours() {
    if (this.known) return this.known;
    const { fine, factor, scale } = this;
    // Half as fine will do, and is four times faster.
    const stride = factor % 2 === 0 && factor > 3 ? 2 : 1;
    const [columns, rows] = [(fine.columns - 1) / stride + 1, (fine.rows - 1) / stride + 1];
    const values = new Float32Array(columns * rows);
    for (let j = 0; j < rows; j += 1) {
      for (let i = 0; i < columns; i += 1) {
        const hole = this.hole((i * stride) / factor, (j * stride) / factor);
        values[j * columns + i] = hole ? NaN : fine.values[j * stride * fine.columns + i * stride];
      }
    }
    const levels = [];
    for (let k = 1; k < LEVELS; k += 1) {
      const height = k / LEVELS;
      const lines = contour({ columns, rows, values }, height);
      if (lines.length) levels.push({ height, value: valueAt(scale, height), major: k % MAJOR === 0, lines });
    }
    this.known = { levels, columns, rows };
    return this.known;
  }

  /** Numbers for a bar of its colours: round ones, or, where the scale is bent, such as are apart from each other. */
  marks() {
    const { low, high, bend } = this.scale;
    const range = high - low;
    const straight = new Scale(...limits([low, high], { room: 0 }));
    let values = straight.ticks(6);
    if (Number.isFinite(bend) && low > 0 && high / low > 10) values = new Scale(low, high, true).ticks(7);
    else if (Number.isFinite(bend)) {
      const shares = [0, 0.2, 0.4, 0.6, 0.8, 1];
      values = shares.map((share) => Number((low + bend * Math.expm1(share * Math.log1p(range / bend))).toPrecision(2)));
    }
    return values.map((value) => ({ share: heightOf(this.scale, value), text: mark(Number(value.toPrecision(3))) }));
  }

  /** Is there no number at a place? @param {number} i @param {number} j in cells of the slice */
  hole(i, j) {
    return this.holes && !Number.isFinite(this.numbers[Math.round(j) * this.columns + Math.round(i)]);
  }

  /**
   * The relief from above.
   * @param {number} width @param {number} height of the picture @param {{dark: boolean, bare: number[], stripe: number[]}} look
   * colours where there is no number, 0 to 255
   */
  picture(width, height, { dark, bare, stripe }) {
    const { fine, light, columns, rows } = this;
    const { table } = new Ramp();
    const { shade, grid: side } = light;
    const { values, columns: wide } = fine;
    const glow = dark ? 0.98 : 1.08;
    return picture(width, height, (x, y, out, at) => {
      out[at + 3] = 255;
      if (this.holes && this.hole(x * (columns - 1), y * (rows - 1))) {
        const paint = (x * width + (1 - y) * height) % 9 < 2 ? stripe : bare;
        [out[at], out[at + 1], out[at + 2]] = paint;
        return;
      }
      const [from, u, v] = within(fine, x, y);
      const a = (1 - u) * (1 - v);
      const b = u * (1 - v);
      const c = (1 - u) * v;
      const d = u * v;
      const row = Math.floor(from / wide);
      const lower = 4 * (row * side + from - row * wide);
      const upper = lower + 4 * side;
      const level = a * values[from] + b * values[from + 1] + c * values[from + wide] + d * values[from + wide + 1];
      // Slopes are steeper than they are, as on maps: a loss in logarithms is gentle.
      const nx = ((a * shade[lower] + b * shade[lower + 4] + c * shade[upper] + d * shade[upper + 4]) / 127.5 - 1) * STEEPER;
      const nz = ((a * shade[lower + 1] + b * shade[lower + 5] + c * shade[upper + 1] + d * shade[upper + 5]) / 127.5 - 1) * STEEPER;
      const ny = 1 / Math.sqrt(1 + nx * nx + nz * nz);
      // The light of the scene (`fallline/scene/surface`), seen from straight above.
      const open = a * shade[lower + 2] + b * shade[lower + 6] + c * shade[upper + 2] + d * shade[upper + 6];
      const lit = a * shade[lower + 3] + b * shade[lower + 7] + c * shade[upper + 3] + d * shade[upper + 7];
      const sky = Math.min(1, Math.max(0, (open / 255 - 0.251) / 0.749)) ** 0.9;
      const facing = Math.max(0, nx * SUN[0] + SUN[1] + nz * SUN[2]) * ny;
      const sun = (facing * (0.35 + (0.65 * lit) / 255)) ** 1.25;
      const up = (ny * 0.5 + 0.5) * sky * glow;
      const ramp = 4 * Math.round(255 * level);
      out[at] = SCREEN[Math.min(4096, Math.round(4096 * LINEAR[table[ramp]] * (0.42 * up + 1.14 * sun)))];
      out[at + 1] = SCREEN[Math.min(4096, Math.round(4096 * LINEAR[table[ramp + 1]] * (0.47 * up + 1.06 * sun)))];
      out[at + 2] = SCREEN[Math.min(4096, Math.round(4096 * LINEAR[table[ramp + 2]] * (0.6 * up + 0.92 * sun)))];
    });
  }
}

/** A grid filled up to a square by its last column and row. @param {import('fallline/maps/contours').Grid & {values: Float32Array}} grid */
function square({ columns, rows, values }) {
  if (columns === rows) return values.slice();
  const side = Math.max(columns, rows);
  const out = new Float32Array(side * side);
  for (let j = 0; j < side; j += 1) {
    for (let i = 0; i < side; i += 1) {
      out[j * side + i] = values[Math.min(j, rows - 1) * columns + Math.min(i, columns - 1)];
    }
  }
  return out;
}
