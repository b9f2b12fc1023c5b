// @ts-check
/** The colours and the lines of a decision boundary: every place of the plane as the model sees it. */
import { contour, trace } from 'fallline/maps/contours';
import { between, picture, within } from 'fallline/maps/raster';
import { Ramp, hueAmong, mixed, solid } from 'fallline/maps/ramps';

/** @typedef {import('fallline/maps/ink').Ink} Ink */
/** @typedef {import('fallline/maps/boundary').Data} Data */
/** @typedef {{data: Data, classes: string[], scale: import('fallline/maps/axes').Scale}} Said */

/**
 * Every place in the colour of what is said there.
 * @param {CanvasRenderingContext2D} pen @param {Ink} ink
 * @param {Said} said @param {number} wide @param {number} tall of the picture
 */
export function drawFields(pen, ink, { data, classes, scale }, wide, tall) {
  const { n, values, kind } = data;
  const numbers = Float32Array.from(values, (value) => value ?? NaN);
  const grid = { columns: n, rows: n, values: numbers };
  const bare = new Ramp([solid(pen, ink.raise), solid(pen, ink.raise)]).table;
  const put = (/** @type {Uint8ClampedArray} */ out, /** @type {number} */ at, /** @type {Uint8Array} */ table, /** @type {number} */ share) => {
    const from = 4 * Math.round(255 * Math.min(1, Math.max(0, share)));
    out[at] = table[from];
    out[at + 1] = table[from + 1];
    out[at + 2] = table[from + 2];
    out[at + 3] = 255;
  };
  if (kind === 'value') {
    const { table } = new Ramp();
    return picture(wide, tall, (x, y, out, at) => {
      const value = between(grid, x, y);
      put(out, at, Number.isFinite(value) ? table : bare, scale.share(value));
    });
  }
  // From the page's own ground, where nothing is sure, to the hue of the class.
  const ground = ink.dark ? '#1b222d' : '#f7f5f0';
  const tables = classes.map((_, i) => new Ramp([ground, mixed(hueAmong(i, classes.length), ground, 0.12)]).table);
  if (kind === 'probability') {
    return picture(wide, tall, (x, y, out, at) => {
      const p = between(grid, x, y);
      if (Number.isFinite(p)) put(out, at, tables[p >= 0.5 ? 1 : 0], 0.1 + 0.72 * Math.abs(2 * p - 1));
      else put(out, at, bare, 0);
    });
  }
  const leads = leadsOf(data, classes.length);
  const weights = new Float32Array(Math.max(1, classes.length));
  return picture(wide, tall, (x, y, out, at) => {
    const [from, u, v] = within(grid, x, y);
    weights.fill(0);
    let total = 0;
    const add = (/** @type {number} */ place, /** @type {number} */ weight) => {
      weights[numbers[place]] += weight * leads[place];
      total += weight * leads[place];
    };
    add(from, (1 - u) * (1 - v));
    add(from + 1, u * (1 - v));
    add(from + n, (1 - u) * v);
    add(from + n + 1, u * v);
    if (!Number.isFinite(total)) return put(out, at, bare, 0);
    let best = 0;
    for (let k = 1; k < weights.length; k += 1) if (weights[k] > weights[best]) best = k;
    return put(out, at, tables[best] ?? bare, 0.1 + 0.72 * Math.max(0, 2 * weights[best] - total));
  });
}

/**
 * How far the most probable class is ahead of all others together, 0 where it becomes another one; linear there, so
 * that the line between classes is smooth.
 * @param {Data} data @param {number} count of classes
 */
function leadsOf({ n, certainty }, count) {
  const least = 1 / Math.max(2, count);
  // Less than an even share is no probability, but a distance from the boundary.
  const distances = (certainty ?? []).some((value) => value !== null && value < least - 1e-6);
  return Float32Array.from({ length: n * n }, (_, i) => {
    const sure = certainty ? certainty[i] : 1;
    if (sure === null || sure === undefined) return NaN;
    return Math.max(1e-3, distances ? sure : 2 * sure - 1);
  });
}

/**
 * Where one class becomes another, or lines of equal value.
 * @param {CanvasRenderingContext2D} pen @param {Ink} ink
 * @param {Said} said @param {import('fallline/maps/axes').Area} area
 */
export function drawLines(pen, ink, { data, classes, scale }, [left, top, right, bottom]) {
  const { n, values, kind } = data;
  const x = (/** @type {number} */ i) => left + (i / (n - 1)) * (right - left);
  const y = (/** @type {number} */ j) => bottom - (j / (n - 1)) * (bottom - top);
  const draw = (/** @type {ArrayLike<number>} */ numbers, /** @type {number} */ level, /** @type {string} */ colour, /** @type {number} */ thick) => {
    trace(pen, contour({ columns: n, rows: n, values: numbers }, level), x, y);
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.lineJoin = 'round';
    pen.stroke();
  };
  const numbers = Float32Array.from(values, (value) => value ?? NaN);
  if (kind === 'value') {
    for (const level of scale.ticks(9)) draw(numbers, level, '#05080e66', 1);
  } else if (kind === 'probability') {
    for (const level of [0.1, 0.9]) draw(numbers, level, ink.dark ? '#ffffff30' : '#1a223033', 1);
    draw(numbers, 0.5, ink.dark ? '#06090f' : '#ffffff', 4);
    draw(numbers, 0.5, ink.text, 1.8);
  } else {
    const leads = leadsOf(data, classes.length);
    const fields = classes.map((_, k) => Float32Array.from(values, (value, i) => (value === k ? leads[i] : -leads[i])));
    for (const field of fields) draw(field, 0, ink.dark ? '#06090f' : '#ffffff', 3.6);
    for (const field of fields) draw(field, 0, ink.text, 1.6);
  }
}
