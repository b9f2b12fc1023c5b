// @ts-check
/** What lines hold: rows fit to be drawn, limits of axes, the row that is nearest to a place. */

import { few } from 'fallline/panels/format';

/** @typedef {import('fallline/panels/base').Given} Given */
/** @typedef {(number | null | undefined)[]} Values */
/** @typedef {{x: number[], y: Values, low?: Values, high?: Values}} Rows */

/** @param {any} value @returns {value is number} */
export const known = (value) => typeof value === 'number' && Number.isFinite(value);

/** Faint lines may go this far below the others on a logarithmic axis, as a factor. */
const BELOW = 12;
/** And this far above them on a plain axis, in their heights. */
const ABOVE = 0.6;
/** Decades that make a logarithmic axis. */
const SPAN = 1.5;

/**
 * The rows of a line that have a place, each place once, from left to right.
 * @param {{x: Values, y: Values, band?: {low: Values, high: Values} | null}} line
 * @param {boolean} logX
 * @returns {Rows}
 */
export function rowsOf(line, logX) {
  const fits = (/** @type {any} */ x) => known(x) && (x > 0 || !logX);
  const places = line.x.map((_, i) => i).filter((i) => fits(line.x[i]));
  const x = (/** @type {number} */ i) => /** @type {number} */ (line.x[i]);
  if (places.some((i, at) => at > 0 && x(i) <= x(places[at - 1]))) {
    places.sort((a, b) => x(a) - x(b));
  }
  const once = places.filter((i, at) => at === places.length - 1 || x(i) !== x(places[at + 1]));
  const pick = (/** @type {Values} */ column) => once.map((i) => (known(column[i]) ? column[i] : null));
  return {
    x: once.map(x),
    y: pick(line.y),
    ...(line.band && { low: pick(line.band.low), high: pick(line.band.high) }),
  };
}

/** The row whose place is nearest and has a value, -1 if none has. @param {Rows} rows @param {number} place */
export function nearest(rows, place) {
  const { x, y } = rows;
  let [low, high] = [0, x.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] < place) low = middle + 1;
    else high = middle;
  }
  let [before, after] = [low - 1, low];
  while (before >= 0 && !known(y[before])) before -= 1;
  while (after < x.length && !known(y[after])) after += 1;
  if (before < 0) return after < x.length ? after : -1;
  if (after >= x.length) return before;
  return place - x[before] <= x[after] - place ? before : after;
}

/**
 * The least and the greatest value of some rows within limits, and the least above zero.
 * @param {Rows[]} all @param {[number, number] | null} window
 */
export function extent(all, window) {
  let [low, high, positive] = [Infinity, -Infinity, Infinity];
  for (const { x, ...columns } of all) {
    for (const column of Object.values(columns)) {
      column.forEach((value, i) => {
        if (!known(value) || (window && (x[i] < window[0] || x[i] > window[1]))) return;
        low = Math.min(low, value);
        high = Math.max(high, value);
        if (value > 0) positive = Math.min(positive, value);
      });
    }
  }
  return { low, high, positive };
}

/** Do values want a logarithmic axis? @param {Rows[]} rows @param {boolean} already is there one? */
export function spansDecades(rows, already) {
  const { low, high } = extent(rows, null);
  return low > 0 && Math.log10(high / low) > (already ? SPAN - 0.3 : SPAN);
}

/**
 * The limits of the upright axis.
 * @param {Rows[]} strong @param {Rows[]} faint @param {[number, number] | null} window @param {boolean} log
 * @returns {[number, number]}
 */
export function limits(strong, faint, window, log) {
  const whole = extent([...strong, ...faint], window);
  const core = strong.length ? extent(strong, window) : whole;
  if (log) {
    if (!Number.isFinite(whole.positive)) return [0.1, 10];
    const least = Number.isFinite(core.positive) ? core.positive : whole.positive;
    const low = Math.max(whole.positive, least / BELOW);
    const high = Math.max(whole.high, low);
    return [low / 1.25, Math.max(high * 1.25, low * 2)];
  }
  if (!(whole.low <= whole.high)) return [0, 1];
  const known_ = core.low <= core.high ? core : whole;
  const room = ABOVE * (known_.high - known_.low) || Infinity;
  const low = Math.max(whole.low, known_.low - room);
  const high = Math.min(whole.high, known_.high + room);
  const margin = 0.06 * (high - low) || 0.06 * Math.max(Math.abs(high), 1e-9);
  // Nothing below zero is hinted at where nothing is.
  return [low >= 0 ? Math.max(0, low - margin) : low - margin, high + margin];
}

/**
 * A chart in words, for those who do not see it.
 * @param {Given} services
 * @param {{lines: {name: string}[], xKey: string, yKey: string}} data
 * @param {Rows[]} rows
 */
export function described({ t }, data, rows) {
  const lines = data.lines.map(({ name }, i) => {
    const values = rows[i].y.filter(known);
    const least = values.reduce((low, value) => Math.min(low, value), Infinity);
    return t('panels.describeLine', {
      name,
      first: few(values[0]),
      last: few(values.at(-1)),
      least: values.length ? few(least) : '–',
    });
  });
  return t('panels.describeLines', { y: t(data.yKey), x: t(data.xKey), lines: lines.join(' ') });
}
