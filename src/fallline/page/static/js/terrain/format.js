// @ts-check
/** Numbers as the terrain view writes them. */

const MINUS = '\u2212';
const NONE = '\u2013';

/** @param {string} text */
function signed(text) {
  return text.replaceAll('-', MINUS);
}

/**
 * A value of the loss: three digits after the point, or a power of ten where that would not do.
 * @param {number|null|undefined} value
 */
export function loss(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return NONE;
  }
  const size = Math.abs(value);
  if (size >= 1e4 || (size < 5e-4 && size > 0)) {
    return signed(value.toExponential(1).replace('e+', 'e'));
  }
  return signed(value.toFixed(size >= 100 ? 1 : 3));
}

/**
 * A coordinate, a slope and the like: four digits.
 * @param {number|null|undefined} value
 */
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return NONE;
  }
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    return signed(value.toExponential(2).replace('e+', 'e'));
  }
  return signed(String(Number(value.toPrecision(4))));
}

/**
 * A learning rate or another setting: two or three digits that count.
 * @param {number|null|undefined} value
 */
export function setting(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return NONE;
  }
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e4)) {
    return signed(value.toExponential(1).replace('e+', 'e'));
  }
  return signed(String(Number(value.toPrecision(3))));
}

/**
 * A share, from 0 to 1.
 * @param {number|null|undefined} share
 */
export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) {
    return NONE;
  }
  const value = 100 * share;
  // Neither nobody nor everybody unless it is so.
  const shown = value > 0 && value < 1 ? '<1' : value > 99 && value < 100 ? '>99' : value.toFixed(0);
  return `${shown}\u202f%`;
}

/** @param {number} value */
export function count(value) {
  return Math.round(value).toLocaleString('en');
}
