// @ts-check
/** Axes of a plane on a canvas: from numbers to pixels and back, lines, numbers, names. */
import { decades, roundNumbers } from 'fallline/axis';
import { fitted } from 'fallline/maps/ink';
import { mark } from 'fallline/maps/numbers';

/** @typedef {import('fallline/maps/ink').Ink} Ink */
/** @typedef {[number, number, number, number]} Area left, top, right, bottom in pixels */

/** Below this a logarithmic axis does not go. */
const TINY = 1e-300;

/**
 * The limits of numbers, whatever they are: of none 0 and 1, of a single one some room around it.
 * @param {Iterable<number | null>} values @param {{log?: boolean, room?: number}} [options] room: share at both ends
 * @returns {[number, number]}
 */
export function limits(values, { log = false, room = 0.04 } = {}) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || !Number.isFinite(value) || (log && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return log ? [0.1, 1] : [0, 1];
  if (log) {
    if (high / low < 1.0001) return [low / 2, high * 2];
    const more = (high / low) ** room;
    return [Math.max(TINY, low / more), high * more];
  }
  if (!(high - low > 1e-12 * Math.max(Math.abs(low), Math.abs(high)))) {
    const around = Math.abs(low) * 0.1 || 1;
    return [low - around, high + around];
  }
  const more = room * (high - low);
  return [low - more, high + more];
}

export class Scale {
  /** @param {number} low @param {number} high @param {boolean} [log] */
  constructor(low, high, log = false) {
    this.low = low;
    this.high = high;
    this.log = log;
  }

  /** @param {number} value @returns {number} 0 at the low end, 1 at the high one */
  share(value) {
    const { low, high, log } = this;
    if (log) return Math.log(Math.max(TINY, value) / low) / Math.log(high / low);
    return (value - low) / (high - low);
  }

  /** @param {number} share @returns {number} */
  value(share) {
    const { low, high, log } = this;
    return log ? low * (high / low) ** share : low + share * (high - low);
  }

  /** Round numbers along it. @param {number} wanted about how many */
  ticks(wanted) {
    const { low, high, log } = this;
    const most = Math.max(2, wanted);
    let found = log && high / low > 3 ? decades(low, high) : roundNumbers(low, high, most);
    if (log && found.length < 2) found = roundNumbers(low, high, most).filter((value) => value > 0);
    // Whole decades, or every other of them, where not all have room.
    if (log && found.length > 1.5 * most) found = found.filter((value) => isDecade(value));
    const stride = Math.ceil(found.length / (1.5 * most));
    return found.filter((_, i) => i % stride === 0);
  }
}

/** @param {number} value */
const isDecade = (value) => {
  const power = Math.log10(value);
  return Math.abs(power - Math.round(power)) < 1e-9;
};

/**
 * @typedef {object} Axis
 * @property {Scale} scale
 * @property {string} [name]
 */

/** Room that the numbers of an axis take. @param {CanvasRenderingContext2D} context @param {Ink} ink @param {Scale} scale @param {number} length */
export function roomFor(context, ink, scale, length) {
  context.font = ink.digits(10.5);
  const widths = scale.ticks(length / 46).map((value) => context.measureText(mark(value)).width);
  return Math.ceil(Math.max(8, ...widths));
}

/**
 * Draw two axes around an area: grid, numbers, names.
 * @param {CanvasRenderingContext2D} context @param {Ink} ink @param {Area} area
 * @param {{x?: Axis, y?: Axis, grid?: boolean, outside?: boolean}} axes outside: small strokes instead of a grid
 */
export function drawAxes(context, ink, area, { x, y, grid = true, outside = false }) {
  const [left, top, right, bottom] = area;
  const sharp = (/** @type {number} */ v) => Math.round(v) + 0.5;
  const stroke = (/** @type {number[]} */ [ax, ay, bx, by], /** @type {string} */ colour) => {
    context.strokeStyle = colour;
    context.beginPath();
    context.moveTo(ax, ay);
    context.lineTo(bx, by);
    context.stroke();
  };
  context.lineWidth = 1;
  context.setLineDash([]);
  context.textBaseline = 'middle';
  if (x) {
    context.textAlign = 'center';
    context.font = ink.digits(10.5);
    let free = -Infinity;
    for (const value of x.scale.ticks((right - left) / 66)) {
      const px = sharp(left + x.scale.share(value) * (right - left));
      if (px < left - 1 || px > right + 1) continue;
      if (grid) stroke([px, top, px, bottom], value === 0 ? ink.zero : ink.grid);
      if (outside) stroke([px, bottom, px, bottom + 4], ink.zero);
      const text = mark(value);
      const half = context.measureText(text).width / 2;
      if (px - half < free) continue;
      free = px + half + 6;
      context.fillStyle = ink.muted;
      context.fillText(text, Math.min(px, right + 10 - half), bottom + 13);
    }
    if (x.name) {
      context.font = ink.letters(11.5, 500);
      context.fillStyle = ink.muted;
      context.fillText(fitted(context, x.name, right - left), (left + right) / 2, bottom + 29);
    }
  }
  if (y) {
    context.textAlign = 'right';
    context.font = ink.digits(10.5);
    for (const value of y.scale.ticks((bottom - top) / 46)) {
      const py = sharp(bottom - y.scale.share(value) * (bottom - top));
      if (py < top - 1 || py > bottom + 1) continue;
      if (grid) stroke([left, py, right, py], value === 0 ? ink.zero : ink.grid);
      if (outside) stroke([left - 4, py, left, py], ink.zero);
      context.fillStyle = ink.muted;
      context.fillText(mark(value), left - 7, py);
    }
    if (y.name) upright(context, ink, y.name, 9, (top + bottom) / 2, bottom - top);
  }
}

/** A name that runs upwards. @param {CanvasRenderingContext2D} context @param {Ink} ink @param {string} name @param {number} x @param {number} y @param {number} room */
export function upright(context, ink, name, x, y, room) {
  context.save();
  context.font = ink.letters(11.5, 500);
  context.fillStyle = ink.muted;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.translate(x, y);
  context.rotate(-Math.PI / 2);
  context.fillText(fitted(context, name, room), 0, 0);
  context.restore();
}

/**
 * A bar of colours with numbers to its right.
 * @param {CanvasRenderingContext2D} context @param {Ink} ink @param {Area} area of the bar alone
 * @param {{colour: (share: number) => string, marks: {share: number, text: string}[], name?: string}} look
 */
export function drawBar(context, ink, [left, top, right, bottom], { colour, marks, name }) {
  const glow = context.createLinearGradient(0, bottom, 0, top);
  for (let i = 0; i <= 24; i += 1) glow.addColorStop(i / 24, colour(i / 24));
  context.fillStyle = glow;
  context.beginPath();
  context.roundRect(left, top, right - left, bottom - top, 4);
  context.fill();
  context.strokeStyle = ink.line;
  context.lineWidth = 1;
  context.stroke();
  context.font = ink.digits(10.5);
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  context.fillStyle = ink.muted;
  let free = Infinity;
  for (const { share, text } of [...marks].sort((a, b) => a.share - b.share)) {
    const y = bottom - share * (bottom - top);
    if (y > free || share < -0.001 || share > 1.001) continue;
    free = y - 13;
    context.fillText(text, right + 5, Math.min(bottom - 3, Math.max(top + 3, y)));
  }
  if (name) {
    context.font = ink.letters(11);
    context.textAlign = 'right';
    context.fillText(name, right + 5 + context.measureText('').width, top - 11);
  }
}

/** A pattern of slanted lines. @param {CanvasRenderingContext2D} context @param {string} colour @param {number} ratio pixels of the device for one of CSS */
export function hatch(context, colour, ratio = 1) {
  const tile = document.createElement('canvas');
  tile.width = 8;
  tile.height = 8;
  const pen = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'));
  pen.strokeStyle = colour;
  pen.lineWidth = 1.6;
  for (const shift of [-8, 0, 8]) {
    pen.beginPath();
    pen.moveTo(shift - 1, 9);
    pen.lineTo(shift + 9, -1);
    pen.stroke();
  }
  const pattern = /** @type {CanvasPattern} */ (context.createPattern(tile, 'repeat'));
  pattern.setTransform(new DOMMatrix().scale(ratio > 1 ? 0.75 : 0.85));
  return pattern;
}
