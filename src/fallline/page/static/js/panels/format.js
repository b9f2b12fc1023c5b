// @ts-check
/** Numbers as the panels write them: few digits, a true minus, thousands apart. */

/** A number with an ending zero kept, so that digits do not dance. @param {number} value @param {number} digits */
function plain(value, digits) {
  const size = Math.abs(value);
  if (size >= 10 ** digits) return Math.round(value).toLocaleString('en');
  return value.toPrecision(digits);
}

/**
 * A number in a few digits.
 * @param {number | null | undefined} value
 * @param {number} [digits] that count
 */
export function few(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text =
    size < 1e-3 || size >= 1e6 ? value.toExponential(Math.max(0, digits - 2)) : plain(value, digits);
  return text.replace('e+', 'e').replaceAll('-', '−');
}

/** The same without ending zeros, for what stands still. @param {number | null | undefined} value @param {number} [digits] */
export function brief(value, digits = 4) {
  const text = few(value, digits);
  return text.includes('.') && !text.includes('e') ? text.replace(/\.?0+$/, '') : text.replace(/\.?0*e/, 'e');
}

/** A number whose size matters more than its digits: two of them. @param {number | null | undefined} value */
export function small(value) {
  if (value === null || value === undefined || !Number.isFinite(value) || value === 0) return few(value);
  const size = Math.abs(value);
  const text = size < 0.01 || size >= 1e4 ? value.toExponential(1) : value.toPrecision(size >= 100 ? 3 : 2);
  return text.replace('e+', 'e').replaceAll('-', '−');
}

/** A whole number, thousands apart. @param {number | null | undefined} value */
export const count = (value) =>
  value === null || value === undefined || !Number.isFinite(value)
    ? '–'
    : Math.round(value).toLocaleString('en');

/** A share in per cent, never 0 or 100 unless it is. @param {number} share */
export function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 1) return '<1 %';
  if (value > 99 && value < 100) return '>99 %';
  return `${Math.round(value)} %`;
}

/** Seconds for people. @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–';
  if (seconds < 60) return `${brief(seconds, seconds < 10 ? 2 : 3)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}
