// @ts-check
/** Numbers and times of runs in words. */
import { language, t } from 'fallline/language';

/**
 * @typedef {object} Row a run of the list
 * @property {string} name
 * @property {'finished' | 'running' | 'silent' | 'interrupted' | 'damaged'} status
 * @property {string} trouble
 * @property {any} created
 * @property {number} touched seconds since 1970
 * @property {any} data @property {any} target @property {any} model @property {any} hidden
 * @property {any} optimizer @property {any} metric @property {any} value @property {any} baseline
 * @property {any} seconds @property {any} stop why it ended
 */

/** What stands where there is no number. */
export const NONE = '–';

/** Four significant digits, thousands apart. @param {any} value @param {number} [digits] @returns {string} */
export function four(value, digits = 4) {
  if (typeof value !== 'number' || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return grouped(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) {
    return value.toExponential(digits - 1).replace('e+', 'e').replace(/-/g, '−');
  }
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size || 1)));
  return grouped(value, Math.min(decimals, digits + 2));
}

/** @param {number} value @param {number} [decimals] */
const grouped = (value, decimals = 0) => value.toLocaleString('en', {
  minimumFractionDigits: decimals, maximumFractionDigits: decimals,
}).replace(/-/g, '−');

/** A value of a setting, short: 0.0316; a whole number, such as a batch size, is never rounded. @param {any} value @returns {string} */
export function brief(value) {
  if (typeof value !== 'number') return String(value ?? NONE);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return grouped(value);
  if (value !== 0 && (size < 1e-3 || size >= 1e5)) {
    return value.toExponential(2).replace(/\.?0+e/, 'e').replace('e+', 'e').replace(/-/g, '−');
  }
  return String(Number(value.toPrecision(3))).replace('-', '−');
}

/** A measure's value, as R² and accuracy are told. @param {any} value @param {any} [metric] */
export const scored = (value, metric = '') => (
  metric === 'accuracy' && typeof value === 'number' ? `${(100 * value).toFixed(1)} %` : typeof value === 'number' && Math.abs(value) < 10 ? value.toFixed(4).replace('-', '−') : four(value)
);

/** The name of a measure. @param {any} metric @returns {string} */
export function metricName(metric) {
  return metric === 'r2' ? 'R²' : metric === 'accuracy' ? t('runs.accuracy') : String(metric ?? '');
}

/** Seconds as a short time. @param {any} seconds @returns {string} */
export function duration(seconds) {
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return NONE;
  if (seconds < 1) return t('runs.seconds', { n: seconds === 0 ? 0 : Number(seconds.toPrecision(2)) });
  if (seconds < 60) return t('runs.seconds', { n: seconds < 10 ? seconds.toFixed(1) : Math.round(seconds) });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return t('runs.minutes', { n: minutes, s: Math.round(seconds % 60) });
  return t('runs.hours', { n: Math.floor(minutes / 60), m: minutes % 60 });
}

/** When a run was begun, in milliseconds; when it was last written, if it does not say. @param {Row} row */
export function begun(row) {
  const time = typeof row.created === 'string' ? Date.parse(row.created) : NaN;
  return Number.isFinite(time) ? time : row.touched * 1000;
}

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [['year', 31_557_600], ['month', 2_629_800], ['day', 86_400], ['hour', 3_600], ['minute', 60]];

/** How long ago in words. @param {number} time in milliseconds @returns {string} */
export function ago(time) {
  const seconds = (Date.now() - time) / 1000;
  const format = new Intl.RelativeTimeFormat(language() === 'zh' ? 'zh' : 'en', { numeric: 'auto', style: 'short' });
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1];
  return unit === 'second' ? t('runs.justNow') : format.format(-Math.round(seconds / size), unit);
}

/** How a run stands: as it was written, but one whose numbers blew up is not simply "finished". @param {Row} row */
export const standing = (row) => (row.status === 'finished' && row.stop === 'non-finite' ? 'diverged' : row.status);

/** What it was trained on, in few words: the table, and the column that it predicts where that has a name of its own. @param {Row} row */
export function trainedOn(row) {
  const data = row.data ? String(row.data).split(/[\\/]/).pop() ?? '' : '';
  const target = row.target === null || row.target === undefined || row.target === 'target' ? '' : String(row.target);
  return [data, target].filter(Boolean).join(' → ') || NONE;
}

/** The model in few words: "mlp 64,32". @param {Row} row */
export function modelName(row) {
  if (row.model === 'linear') return t('runs.linear');
  if (row.model !== 'mlp' && row.model !== 'auto') return row.model ? String(row.model) : NONE;
  const units = Array.isArray(row.hidden) ? row.hidden.join('·') : '';
  return row.model === 'auto' ? t('runs.auto') : t('runs.network', { units });
}
