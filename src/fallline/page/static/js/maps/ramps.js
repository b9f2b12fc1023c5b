// @ts-check
/** The colours of maps: ramps from low to high, hues of classes, and the shapes that tell them apart as well. */
import { TERRAIN, hex, lut } from 'fallline/palette';

/** Okabe and Ito, "Color Universal Design", 2008: told apart with any kind of colour vision. */
const OKABE_ITO = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#f0e442', '#8d8d8d'];

export class Ramp {
  /** @param {string[]} [stops] "#rrggbb", from low to high; mixed in OKLab */
  constructor(stops = TERRAIN) {
    this.table = lut(stops);
  }

  /** @param {number} share 0 to 1 @returns {number} where its colour begins in `table` */
  place(share) {
    return 4 * Math.round(255 * Math.min(1, Math.max(0, share)));
  }

  /** @param {number} share 0 to 1 @returns {string} "#rrggbb" */
  hex(share) {
    const at = this.place(share);
    const [r, g, b] = this.table.subarray(at, at + 3);
    return `#${((r << 16) | (g << 8) | b).toString(16).padStart(6, '0')}`;
  }
}

/** Lines on the page's ground, from low to high. @param {boolean} dark */
export const lineStops = (dark) =>
  dark
    ? ['#5f6df0', '#8a6be8', '#c66cc4', '#f08080', '#ffb454', '#fff1b8']
    : ['#c98a10', '#d4622f', '#b23a68', '#7a3292', '#3f2f8c', '#1b2456'];

/** The hue of a class. @param {number} index */
export const hueOf = (index) => OKABE_ITO[index % OKABE_ITO.length];

/** @param {number} index @param {number} count of classes; two are blue and vermilion, as far apart as can be */
export const hueAmong = (index, count) => (count === 2 && index === 1 ? '#d55e00' : hueOf(index));

/** @param {string} colour "#rrggbb" @param {string} other @param {number} share of the other, in OKLab */
export const mixed = (colour, other, share) => new Ramp([colour, other]).hex(share);

/** A colour as "#rrggbb", whatever way of CSS it is written in. @param {CanvasRenderingContext2D} context @param {string} colour */
export function solid(context, colour) {
  const before = context.fillStyle;
  context.fillStyle = colour;
  const found = String(context.fillStyle);
  context.fillStyle = before;
  return found.startsWith('#') ? found : '#808080';
}

/**
 * Numbers to be drawn, spread over a ramp by their rank, so that one that is far off leaves the others apart.
 * @param {number[]} values finite ones
 */
export class Ranks {
  /** @param {number[]} values finite ones */
  constructor(values) {
    this.sorted = [...new Set(values)].sort((a, b) => a - b);
  }

  /** @param {number} value @returns {number} 0 to 1 */
  share(value) {
    const { sorted } = this;
    if (sorted.length < 2) return 0;
    let [low, high] = [0, sorted.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (sorted[middle] <= value) low = middle;
      else high = middle;
    }
    const within = (value - sorted[low]) / (sorted[high] - sorted[low]);
    return Math.min(1, Math.max(0, (low + within) / (sorted.length - 1)));
  }

  /** @param {number} share 0 to 1 @returns {number} the value there */
  value(share) {
    const along = share * (this.sorted.length - 1);
    const low = Math.floor(along);
    const high = Math.min(this.sorted.length - 1, low + 1);
    return this.sorted[low] + (along - low) * (this.sorted[high] - this.sorted[low]);
  }
}

/** A colour seen on the ground of the page: of a class, or given. @param {string} colour "#rrggbb" @param {boolean} dark */
export function onGround(colour, dark) {
  const [r, g, b] = hex(colour);
  const light = 0.3 * r + 0.59 * g + 0.11 * b;
  if (dark && light < 0.42) return mixed(colour, '#ffffff', 0.28);
  if (!dark && light > 0.62) return mixed(colour, '#000000', 0.28);
  return colour;
}

const SHAPES = 6;

/**
 * The outline of a class's shape, ready to be filled: circle, square, triangle, diamond, cross, other triangle.
 * @param {CanvasRenderingContext2D} context @param {number} index @param {number} x @param {number} y
 * @param {number} radius
 */
export function shape(context, index, x, y, radius) {
  context.beginPath();
  const r = radius;
  const path = (/** @type {number[][]} */ points) => {
    points.forEach(([dx, dy], i) => (i ? context.lineTo(x + dx, y + dy) : context.moveTo(x + dx, y + dy)));
    context.closePath();
  };
  switch (index % SHAPES) {
    case 0:
      context.arc(x, y, r, 0, 7);
      break;
    case 1:
      context.rect(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r);
      break;
    case 2:
      path([[0, -1.2 * r], [1.1 * r, 0.8 * r], [-1.1 * r, 0.8 * r]]);
      break;
    case 3:
      path([[0, -1.25 * r], [1.25 * r, 0], [0, 1.25 * r], [-1.25 * r, 0]]);
      break;
    case 4: {
      const [a, b] = [0.42 * r, 1.15 * r];
      path([[-a, -b], [a, -b], [a, -a], [b, -a], [b, a], [a, a], [a, b], [-a, b], [-a, a], [-b, a], [-b, -a], [-a, -a]]);
      break;
    }
    default:
      path([[0, 1.2 * r], [1.1 * r, -0.8 * r], [-1.1 * r, -0.8 * r]]);
  }
}
