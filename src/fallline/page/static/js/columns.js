// @ts-check
/** Rows of numbers that grow, kept by column; and what is done to columns before they are drawn. */

/** Rows kept; beyond it every other one of the older half is given up (an export has them all). */
const MOST_ROWS = 2 ** 17;

export class Columns {
  /** @param {number} width numbers in a row, besides its step */
  constructor(width) {
    this.rows = 0;
    this.steps = new Float64Array(256);
    /** @type {Float32Array[]} */
    this.values = Array.from({ length: width }, () => new Float32Array(256));
  }

  /**
   * @param {number} step
   * @param {ArrayLike<number>} values
   */
  push(step, values) {
    if (this.rows === MOST_ROWS) {
      this.thin();
    }
    if (this.rows === this.steps.length) {
      this.grow(2 * this.rows);
    }
    this.steps[this.rows] = step;
    this.values.forEach((column, index) => {
      column[this.rows] = values[index];
    });
    this.rows += 1;
  }

  /** @param {number} capacity */
  grow(capacity) {
    const steps = new Float64Array(capacity);
    steps.set(this.steps.subarray(0, this.rows));
    this.steps = steps;
    this.values = this.values.map((old) => {
      const column = new Float32Array(capacity);
      column.set(old.subarray(0, this.rows));
      return column;
    });
  }

  thin() {
    const half = this.rows / 2;
    for (const column of [this.steps, ...this.values]) {
      for (let row = 0; row < half / 2; row += 1) {
        column[row] = column[2 * row];
      }
      column.copyWithin(half / 2, half, this.rows);
    }
    this.rows -= half / 2;
  }

  copy() {
    const copy = new Columns(0);
    copy.rows = this.rows;
    copy.steps = this.steps.slice(0, Math.max(1, this.rows));
    copy.values = this.values.map((column) => column.slice(0, Math.max(1, this.rows)));
    return copy;
  }

  /**
   * Forget the rows after a step.
   * @param {number} step
   * @returns {number} how many
   */
  cut(step) {
    const before = this.rows;
    while (this.rows && this.steps[this.rows - 1] > step) {
      this.rows -= 1;
    }
    return before - this.rows;
  }

  /**
   * The row whose step is nearest.
   * @param {number} step
   */
  at(step) {
    let low = 0;
    let high = this.rows - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.steps[middle] < step) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const before = Math.max(0, low - 1);
    return Math.abs(this.steps[before] - step) <= Math.abs(this.steps[low] - step) ? before : low;
  }
}

/**
 * An exponentially weighted average, corrected for the bias of starting at zero.
 *
 * A value that is not finite stays what it is and leaves the average alone.
 * @param {Float32Array} column
 * @param {number} rows
 * @param {number} weight of what was, from 0 to below 1
 */
export function smoothed(column, rows, weight) {
  const seen = column.subarray(0, rows);
  if (weight <= 0) {
    return seen;
  }
  const out = new Float32Array(rows);
  let sum = 0;
  let total = 0;
  for (let row = 0; row < rows; row += 1) {
    const value = seen[row];
    if (Number.isFinite(value)) {
      sum = weight * sum + (1 - weight) * value;
      total = weight * total + (1 - weight);
      out[row] = sum / total;
    } else {
      out[row] = value;
    }
  }
  return out;
}

/**
 * At most so many points, two for a stretch of rows: its lowest and its highest, in their order.
 * @param {Float64Array} steps
 * @param {Float32Array[]} columns
 * @param {number} most
 * @returns {number[][]} steps, then the columns
 */
export function thinned(steps, columns, most) {
  const stretch = Math.ceil((2 * steps.length) / most);
  if (stretch <= 2) {
    return [Array.from(steps), ...columns.map((column) => Array.from(column))];
  }
  /** @type {number[]} */
  const x = [];
  for (let start = 0; start < steps.length; start += stretch) {
    x.push(steps[start], steps[Math.min(start + stretch, steps.length) - 1]);
  }
  return [x, ...columns.map((column) => extremes(column, stretch))];
}

/**
 * @param {Float32Array} column
 * @param {number} stretch
 */
function extremes(column, stretch) {
  /** @type {number[]} */
  const out = [];
  for (let start = 0; start < column.length; start += stretch) {
    const end = Math.min(start + stretch, column.length);
    let low = start;
    let high = start;
    for (let row = start + 1; row < end; row += 1) {
      // A comparison with a value that is none is false: the first that is finite is taken over it.
      if (column[row] < column[low] || Number.isNaN(column[low])) {
        low = row;
      }
      if (column[row] > column[high] || Number.isNaN(column[high])) {
        high = row;
      }
    }
    out.push(column[Math.min(low, high)], column[Math.max(low, high)]);
  }
  return out;
}
