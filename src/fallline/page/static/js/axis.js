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
 * Round numbers within limits, as many as fit.
 * @param {number} low
 * @param {number} high
 * @param {number} [wanted] about how many
 * @returns {number[]}
 */
export function roundNumbers(low, high, wanted = 5) {
  const rough = (high - low) / wanted;
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5].find((factor) => factor * ten >= rough * 0.999) ?? 10) * ten;
  const numbers = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) numbers.push(i * step);
  return numbers;
}

/**
 * The numbers of a logarithmic axis: decades, or 1, 2, 5 in each, or round numbers in less than one.
 * @param {number} low @param {number} high
 */
export function logarithmic(low, high) {
  const decades = Math.log10(high / low);
  if (decades < 1) return roundNumbers(low, high, 5).filter((v) => v > 0);
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const stride = Math.ceil((last - first) / 6);
  const numbers = [];
  for (let power = first; power <= last; power += decades > 3 ? stride : 1) {
    for (const factor of decades > 3 ? [1] : [1, 2, 5]) numbers.push(factor * 10 ** power);
  }
  return numbers.filter((v) => v >= low && v <= high);
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
