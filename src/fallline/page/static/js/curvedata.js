// @ts-check
/** The rows behind curves, and what of them is seen: smoothed, thinned, within the axes. */
import { least, most } from 'fallline/axis';
import { Columns, smoothed, thinned } from 'fallline/columns';

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string} colour as CSS has it
 * @property {number[]} [dash] lengths of strokes and gaps in CSS pixels
 */

/** How far above their start curves may rise, in heights of what they fell, unless many do. */
const RISE = 0.5;
const FEW = 0.35;
/** What a logarithmic axis takes for zero. */
const LEAST = 1e-12;
/** The fewest points that a curve is thinned to. */
const FEWEST = 200;

export class CurveData {
  /** @param {boolean} bands rows hold low, middle and high for each series, not only one number */
  constructor(bands) {
    this.stride = bands ? 3 : 1;
    /** @type {Series[]} */
    this.series = [];
    /** @type {boolean[]} */
    this.visible = [];
    this.columns = new Columns(0);
    /** @type {{columns: Columns, series: Series[], from: number}|null} */
    this.past = null;
    /** What is drawn of the past: one x, a y for each series. @type {{x: number[], ys: number[][]}|null} */
    this.pastDrawn = null;
    this._smoothing = 0;
    this._logarithmic = false;
    /** Subtracted before the logarithm is taken, so that a minimum below zero can be shown. */
    this._base = 0;
    /** Values above it do not stretch the axis; a run that explodes would flatten all others. */
    this._ceiling = Infinity;
    this._selected = -1;
    /** A step to point at, such as the one scrubbed to. @type {number|null} */
    this.mark = null;
    /** @type {number[]} */
    this.forks = [];
    this.changed = true;
    this.drawn = 0;
    /** What is drawn: steps, then each series, then the two edges of the band. @type {number[][]} */
    this.data = [];
    /** Pixels of the picture's width. */
    this.width = 0;
  }

  /** Weight of what was, in a running average: 0 shows the rows as they are, 0.99 is very smooth. */
  get smoothing() {
    return this._smoothing;
  }

  set smoothing(value) {
    this._smoothing = value;
    this.redraw();
  }

  /** What is subtracted before the logarithm is taken; below zero, or 0. */
  get base() {
    return this._base;
  }

  get logarithmic() {
    return this._logarithmic;
  }

  set logarithmic(value) {
    if (value !== this._logarithmic) {
      this._logarithmic = value;
      this.rebuild();
    }
  }

  /** The series whose band is shown, -1 for none. */
  get selected() {
    return this._selected;
  }

  set selected(index) {
    if (index !== this._selected) {
      this._selected = index;
      this.redraw();
    }
  }

  /**
   * The lowest value there is, and one above which nothing needs to be seen.
   * @param {number} low
   * @param {number} high
   */
  limits(low, high) {
    this._base = Math.min(0, low);
    this._ceiling = high;
    this.redraw();
  }

  /**
   * Name the series; what was pushed before is forgotten if their number is another.
   * @param {Series[]} series
   */
  setSeries(series) {
    if (series.length !== this.series.length) {
      this.columns = new Columns(series.length * this.stride);
      this.visible = series.map(() => true);
      this._selected = -1;
    }
    this.series = series;
    this.rebuild();
  }

  /** @param {boolean[]} visible */
  setVisible(visible) {
    this.visible = visible;
    this.rebuild();
  }

  /**
   * One row of metrics.
   * @param {number} step
   * @param {ArrayLike<number>} values one for each series, or low, middle and high
   */
  push(step, values) {
    this.columns.push(step, values);
    this.changed = true;
  }

  /** The rows pushed so far. */
  get rows() {
    return this.columns.rows;
  }

  /** Start anew; what was is kept as a ghost behind what comes. @param {boolean} [ghost] */
  restart(ghost = true) {
    if (!ghost) {
      this.past = null;
    } else if (this.columns.rows > 1) {
      this.past = { columns: this.columns, series: this.series, from: -Infinity };
    }
    this.columns = new Columns(this.series.length * this.stride);
    this.forks = [];
    this.mark = null;
    this.redraw();
  }

  /** Forget what came after a step; it stays as a ghost. @param {number} step */
  fork(step) {
    const rest = this.columns.copy();
    if (this.columns.cut(step)) {
      this.past = { columns: rest, series: this.series, from: step };
    }
    this.forks = [...this.forks.filter((other) => other < step), step];
    this.mark = null;
    this.redraw();
  }

  /** Forget the ghost. */
  forgetPast() {
    this.past = null;
    this.redraw();
  }

  /** Everything is to be drawn anew at the next `draw`. */
  redraw() {
    this.changed = true;
    this.drawn = 0;
  }

  /** What depends on more than the rows is to be made anew. */
  rebuild() {
    this.redraw();
  }

  /**
   * The raw values of a series at a row.
   * @param {number} row
   * @param {number} index of the series
   */
  value(row, index) {
    return this.columns.values[index * this.stride + (this.stride === 3 ? 1 : 0)]?.[row] ?? NaN;
  }

  /** What is drawn: steps, then each series, then the two edges of the band. */
  picture() {
    const middle = this.stride === 3 ? 1 : 0;
    const wanted = this.series.map((_, index) => index * this.stride + middle);
    const chosen = this._selected;
    if (this.stride === 3 && chosen >= 0 && this.visible[chosen]) {
      wanted.push(chosen * 3, chosen * 3 + 2);
    }
    const data = this.read(this.columns, wanted);
    while (data.length < this.series.length + 3) {
      data.push(new Array(data[0].length).fill(null));
    }
    return data;
  }

  pastPicture() {
    if (!this.past) {
      return null;
    }
    const { columns, series, from } = this.past;
    const middle = this.stride === 3 ? 1 : 0;
    const [x, ...ys] = this.read(
      columns,
      series.map((_, index) => index * this.stride + middle),
    );
    const first = Math.max(
      0,
      x.findIndex((step) => step >= from),
    );
    return { x: x.slice(first), ys: ys.map((column) => column.slice(first)) };
  }

  /**
   * Columns as they are to be seen: smoothed, thinned to the pixels there are, ready for the axis.
   * @param {Columns} columns
   * @param {number[]} wanted
   */
  read(columns, wanted) {
    const read = wanted.map((index) => smoothed(columns.values[index], columns.rows, this._smoothing));
    const points = Math.max(FEWEST, 2 * this.width);
    const [steps, ...values] = thinned(columns.steps.subarray(0, columns.rows), read, points);
    return [steps, ...values.map((column) => column.map((value) => this.shown(value)))];
  }

  /** @param {number} value */
  shown(value) {
    if (!Number.isFinite(value)) {
      return /** @type {any} */ (null);
    }
    return this._logarithmic ? Math.max(value - this._base, LEAST) : value;
  }

  /** @returns {[number, number]} */
  horizontal() {
    const last = this.columns.rows ? this.columns.steps[this.columns.rows - 1] : 0;
    const first = this.columns.rows ? this.columns.steps[0] : 0;
    const before = this.pastDrawn?.x.at(-1) ?? 0;
    return [first, Math.max(last, before, first + 10)];
  }

  /** @returns {[number, number]} */
  vertical() {
    const shown = this.data.slice(1).filter((_, index) => index >= this.series.length || this.visible[index]);
    const values = [...shown, ...(this.pastDrawn?.ys ?? [])].flat().filter((value) => value !== null);
    if (!values.length) {
      return this._logarithmic ? [0.1, 10] : [0, 1];
    }
    const low = least(values);
    const high = this._logarithmic ? most(values) : this.top(values, low);
    if (this._logarithmic) {
      return [low / 1.5, Math.max(high * 1.3, low * 3)];
    }
    const margin = 0.05 * (high - low) || 0.05 * Math.max(1e-6, Math.abs(high));
    return [low - margin, high + margin];
  }

  /**
   * Up to where a linear axis goes: a few that explode leave at the top, and do not flatten all others.
   * @param {number[]} values
   * @param {number} low
   */
  top(values, low) {
    const high = Math.min(most(values), this._ceiling);
    const begun = most(
      this.data.slice(1, this.series.length + 1).map((column) => column.find((one) => one !== null) ?? low),
    );
    const cut = begun + RISE * (begun - low);
    const above = values.filter((value) => value > cut).length;
    return begun > low && high > cut && above < FEW * values.length ? cut : high;
  }
}
