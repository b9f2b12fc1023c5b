// @ts-check
/** Grids of numbers made finer, and pictures made of them pixel by pixel. */

/** @typedef {import('fallline/maps/contours').Grid} Grid */

/**
 * Weights of the four numbers around a place between the middle two (Catmull and Rom's cubic).
 * @param {number} t 0 to 1
 */
const cubic = (t) => [
  t * (-0.5 + t * (1 - 0.5 * t)),
  1 + t * t * (-2.5 + 1.5 * t),
  t * (0.5 + t * (2 - 1.5 * t)),
  t * t * (-0.5 + 0.5 * t),
];

/**
 * A grid made finer by a whole factor, smooth through its own numbers, never beyond `low` and `high`.
 * @param {Grid} grid of finite numbers @param {number} factor @param {{low?: number, high?: number}} [held]
 * @returns {Grid & {values: Float32Array}}
 */
export function finer({ columns, rows, values }, factor, { low = -Infinity, high = Infinity } = {}) {
  const [wide, tall] = [factor * (columns - 1) + 1, factor * (rows - 1) + 1];
  const weights = Array.from({ length: factor }, (_, k) => cubic(k / factor));
  const between = new Float32Array(wide * rows);
  const clip = (/** @type {number} */ i, /** @type {number} */ n) => (i < 0 ? 0 : i >= n ? n - 1 : i);
  for (let j = 0; j < rows; j += 1) {
    for (let i = 0; i < wide; i += 1) {
      const base = Math.floor(i / factor);
      const w = weights[i % factor];
      let total = 0;
      for (let k = 0; k < 4; k += 1) total += w[k] * values[j * columns + clip(base + k - 1, columns)];
      between[j * wide + i] = total;
    }
  }
  const out = new Float32Array(wide * tall);
  for (let j = 0; j < tall; j += 1) {
    const base = Math.floor(j / factor);
    const w = weights[j % factor];
    for (let i = 0; i < wide; i += 1) {
      let total = 0;
      for (let k = 0; k < 4; k += 1) total += w[k] * between[clip(base + k - 1, rows) * wide + i];
      out[j * wide + i] = total < low ? low : total > high ? high : total;
    }
  }
  return { columns: wide, rows: tall, values: out };
}

/**
 * A picture made pixel by pixel, the lowest row of the grid at its foot.
 * @param {number} width @param {number} height in pixels of the picture
 * @param {(x: number, y: number, data: Uint8ClampedArray, at: number) => void} colour x, y: 0 to 1 from the left and
 *   the foot; writes four bytes at `at`
 * @returns {HTMLCanvasElement}
 */
export function picture(width, height, colour) {
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const image = context.createImageData(canvas.width, canvas.height);
  for (let row = 0; row < canvas.height; row += 1) {
    const y = 1 - (row + 0.5) / canvas.height;
    for (let column = 0; column < canvas.width; column += 1) {
      colour((column + 0.5) / canvas.width, y, image.data, 4 * (row * canvas.width + column));
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * Where a place lies in a grid: the cell's first number, and how far into the cell.
 * @param {{columns: number, rows: number}} grid @param {number} x @param {number} y 0 to 1
 * @returns {[number, number, number]} index, share to the right, share upwards
 */
export function within({ columns, rows }, x, y) {
  const across = Math.min(Math.max(x * (columns - 1), 0), columns - 1.000001);
  const up = Math.min(Math.max(y * (rows - 1), 0), rows - 1.000001);
  const [i, j] = [Math.floor(across), Math.floor(up)];
  return [j * columns + i, across - i, up - j];
}

/**
 * The number at a place between those of a grid.
 * @param {Grid} grid at least 2 x 2 @param {number} x @param {number} y 0 to 1
 */
export function between(grid, x, y) {
  const [at, u, v] = within(grid, x, y);
  const { values, columns } = grid;
  const lower = values[at] * (1 - u) + values[at + 1] * u;
  const upper = values[at + columns] * (1 - u) + values[at + columns + 1] * u;
  return lower * (1 - v) + upper * v;
}
