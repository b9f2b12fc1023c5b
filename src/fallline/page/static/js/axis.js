// @ts-check
/** The numbers along the axes of curves. */

/** @param {number[]} values */
export const least = (values) => values.reduce((one, other) => Math.min(one, other), Infinity);

/** @param {number[]} values */
export const most = (values) => values.reduce((one, other) => Math.max(one, other), -Infinity);

/**
 * Round numbers for a logarithmic axis: powers of ten, and some between them where there are few.
 * @param {number} low
 * @param {number} high
 */
export function decades(low, high) {
  const span = Math.log10(high / low);
  const factors = span > 4 ? [1] : span > 2 ? [1, 3] : [1, 2, 5];
  const apart = Math.max(1, Math.ceil(span / 8));
  const out = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const factor of power % apart === 0 ? factors : []) {
      const value = factor * 10 ** power;
      if (value >= low && value <= high) {
        out.push(value);
      }
    }
  }
  return out;
}

/**
 * A number at an axis: short, with a real minus sign.
 * @param {number|null} value
 */
export function tick(value) {
  if (value === null || value === undefined) {
    return '';
  }
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    const [digits, power] = value.toExponential().split('e');
    const short = Number(Number(digits).toPrecision(2));
    return `${short}e${Number(power)}`.replaceAll('-', '\u2212');
  }
  return String(Number(value.toPrecision(6))).replace('-', '\u2212');
}
