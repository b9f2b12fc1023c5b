// @ts-check
/** Numbers as maps write them: four digits that count, thousands apart, a true minus. */

const NONE = '–';

/** @param {number | null | undefined} value @param {number} [digits] @returns {string} */
export function figure(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
    const [factor, power] = value.toExponential(Math.min(2, digits - 1)).split('e');
    return `${Number(factor)}e${Number(power)}`.replaceAll('-', '−');
  }
  const short = size >= 10 ** digits ? Math.round(value) : Number(value.toPrecision(digits));
  return short.toLocaleString('en', { maximumFractionDigits: 8, useGrouping: size >= 1e4 }).replace('-', '−');
}

/**
 * A setting such as a learning rate: short, and a power of ten where it is small.
 * @param {number | string | null | undefined} value
 */
export function setting(value) {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  if (size === 0 || (size >= 0.01 && size < 1e5)) return figure(value, 3);
  const [factor, power] = value.toExponential(2).split('e');
  return `${Number(factor)}e${Number(power)}`.replaceAll('-', '−');
}

/** A number at an axis. @param {number} value @returns {string} */
export const mark = (value) => figure(value, 6);

/** @param {number | null | undefined} share from 0 to 1 @returns {string} */
export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return NONE;
  const value = 100 * share;
  // Neither none nor all unless it is so; more digits where a whole number would say little.
  const shown =
    value > 0 && value < 0.1 ? '<0.1' : value > 99.9 && value < 100 ? '>99.9' : String(Number(value.toPrecision(2)));
  const near = value >= 99 && value < 99.9 ? value.toFixed(1) : shown;
  return `${value === 100 ? '100' : near} %`;
}
