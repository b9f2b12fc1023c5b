// @ts-check
/** A result beside its baselines: which way is better is said, not left to the length of a bar. */
import { h } from 'fallline/dom';
import { few } from 'fallline/panels/format';
import { known } from 'fallline/panels/reading';

/** @typedef {import('fallline/panels/base').Given} Given */
/** @typedef {{name: string, value: number | null, own?: boolean}} Bar */
/**
 * @typedef {object} Measured
 * @property {string} metric
 * @property {number | null} value
 * @property {number | null} [baseline] the same measure of a constant prediction
 * @property {string} [measured_on] "test", "validation", "training", "function"
 * @property {{name: string, value: number | null}[]} [others]
 */

const HIGHER = ['r2', 'accuracy', 'balanced_accuracy', 'f1', 'auc', 'precision', 'recall'];
const METRICS = [
  ...HIGHER,
  'validation_loss',
  'training_loss',
  'value',
  'rmse',
  'mae',
  'mse',
  'baseline_rmse',
  'loss',
  'log_loss',
];
const BASELINES = ['constant', 'mean', 'majority', 'linear', 'closed_form'];
/** What a constant prediction is, by the task. @type {Record<string, string>} */
const CONSTANTS = { regression: 'mean', classification: 'majority' };
const PLACES = ['test', 'validation', 'training', 'function'];
/** A bar this many times longer than the run's own is cut. */
const CUT = 6;

/** @param {Given} services @param {string} metric */
export const metricName = ({ t }, metric) =>
  METRICS.includes(metric) ? t(`panels.metric.${metric}`) : metric.replaceAll('_', ' ');

/** @param {string} metric */
export const higherIsBetter = (metric) => HIGHER.includes(metric);

/**
 * A result as it is read: an accuracy in per cent, R² with four decimals.
 * @param {string} metric @param {number | null | undefined} value
 */
export function scored(metric, value) {
  if (!known(value)) return few(value);
  if (metric.endsWith('accuracy')) {
    const places = value === 0 || value === 1 ? 0 : value > 0.995 ? 2 : 1;
    return `${(100 * value).toFixed(places)}\u202f%`;
  }
  return metric === 'r2' && Math.abs(value) < 10 ? value.toFixed(4).replace('-', '−') : few(value);
}

/**
 * @param {Given} services
 * @param {{trained?: Record<string, any>, result?: Measured | null, baselines?: {name: string, value: number | null}[]}} card
 * @returns {(HTMLElement | null)[]}
 */
export function result(services, card) {
  const { t } = services;
  const measured = card.result;
  if (!measured || !known(measured.value)) {
    return [h('p', { class: 'empty' }, t('panels.notMeasured'))];
  }
  const { metric, value, measured_on: place = '', others = [] } = measured;
  const higher = higherIsBetter(metric);
  const baselines = [...(card.baselines ?? [])];
  if (!baselines.length && known(measured.baseline))
    baselines.push({ name: CONSTANTS[card.trained?.task] ?? 'constant', value: measured.baseline });
  /** @type {Bar[]} */
  const bars = [
    { name: t('panels.thisRun'), value, own: true },
    ...baselines
      .filter((one) => known(one.value))
      .map((one) => ({
        name: BASELINES.includes(one.name) ? t(`panels.baseline.${one.name}`) : one.name,
        value: one.value,
      })),
  ];
  const better = higher ? t('panels.higherIsBetter') : t('panels.lowerIsBetter');
  const where = PLACES.includes(place) ? t(`panels.on.${place}`) : '';
  return [
    h('p', { class: 'result-name' }, metricName(services, metric), where ? h('span', {}, ` ${where}`) : null),
    h('p', { class: 'result-value number' }, scored(metric, value)),
    bars.length > 1 ? h('div', { class: 'bars-of' }, ...drawn(bars, metric)) : null,
    h('p', { class: 'panel-foot' }, better),
    others.length
      ? h(
          'dl',
          { class: 'others' },
          ...others.map((one) =>
            h(
              'div',
              {},
              h('dt', {}, metricName(services, one.name)),
              h('dd', { class: 'number' }, scored(one.name, one.value)),
            ),
          ),
        )
      : null,
  ];
}

/** @param {Bar[]} bars @param {string} metric */
function drawn(bars, metric) {
  const higher = higherIsBetter(metric);
  const values = bars.map(({ value }) => /** @type {number} */ (value));
  const own = Math.abs(values[0]) || Infinity;
  const limit = higher ? 1 : Math.min(Math.max(...values.map(Math.abs)), CUT * own);
  const high = Math.max(higher ? 1 : 0, ...values.map((v) => Math.min(v, limit)));
  const low = Math.min(0, ...values.map((v) => Math.max(v, -limit)));
  const place = (/** @type {number} */ v) => Math.min(1, Math.max(0, (v - low) / (high - low || 1)));
  return bars.map(({ name, value, own: mine }) => {
    const v = /** @type {number} */ (value);
    const track = h('div', { class: 'result-track', 'aria-hidden': 'true' }, h('i', {}));
    track.style.setProperty('--start', String(Math.min(place(0), place(v))));
    track.style.setProperty('--end', String(Math.max(place(0), place(v))));
    track.style.setProperty('--zero', String(place(0)));
    const cut = v > high * 1.0001 || v < low * 1.0001 - 1e-12;
    track.classList.toggle('cut', cut);
    track.classList.toggle('below', v < 0);
    return h(
      'div',
      { class: mine ? 'result-bar own' : 'result-bar' },
      h('span', { class: 'result-bar-name', title: name }, name),
      track,
      h('b', { class: 'number' }, scored(metric, v)),
    );
  });
}
