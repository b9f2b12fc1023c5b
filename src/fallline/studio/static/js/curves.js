// @ts-check
/**
 * Curves of a loss against the step, one a series, with a band for the one that is looked at.
 *
 * Every row that comes is kept; smoothing and thinning are done for the eye alone, when a picture is drawn.
 */
import uPlot from 'uplot';
import { Columns, smoothed, thinned } from 'fallline/columns';

/** @typedef {import('fallline/services').Services} Services */
/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string} colour as CSS has it
 * @property {number[]} [dash] lengths of strokes and gaps in CSS pixels
 */
/**
 * @typedef {object} Options
 * @property {boolean} [bands] rows hold low, middle and high for each series, not only one number
 * @property {(index: number) => void} [onfocus] the series under the pointer, -1 for none
 * @property {(row: number) => void} [onhover] the row of `at` under the pointer, -1 for none
 */

const FEWEST_PIXELS = 60;
const PERIOD = 110;
/** How far above their start curves may rise, in heights of what they fell, unless many do. */
const RISE = 0.5;
const FEW = 0.35;
/** What a logarithmic axis takes for zero. */
const LEAST = 1e-12;

export class Curves {
  /**
   * @param {HTMLElement} element to fill; it should have a height of its own
   * @param {Services} services
   * @param {Options} [options]
   */
  constructor(element, services, options = {}) {
    this.element = element;
    this.services = services;
    this.options = options;
    this.stride = options.bands ? 3 : 1;
    /** @type {Series[]} */
    this.series = [];
    /** @type {boolean[]} */
    this.visible = [];
    this.columns = new Columns(0);
    /** @type {{columns: Columns, series: Series[], from: number}|null} */
    this.past = null;
    /** What is drawn of the past: one x and one y for each series. @type {{x: number[], ys: number[][]}|null} */
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
    /** @type {uPlot|null} */
    this.plot = null;
    /** @type {number[][]} */
    this.data = [];
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(element);
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

  retheme() {
    this.rebuild();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (this.plot && width > FEWEST_PIXELS && height > FEWEST_PIXELS) {
      if (this.plot.width !== width || this.plot.height !== height) {
        this.plot.setSize({ width, height });
        this.redraw();
      }
    } else if (!this.plot) {
      this.redraw();
    }
  }

  dispose() {
    this.observer.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  rebuild() {
    this.plot?.destroy();
    this.plot = null;
    this.redraw();
  }

  /** Draw if something is new, and not too often; to be called with every animation frame. */
  draw(now = performance.now()) {
    if (!this.changed || now - this.drawn < PERIOD) {
      return;
    }
    this.changed = false;
    this.drawn = now;
    const plot = this.plot ?? this.build();
    if (plot) {
      this.data = this.picture();
      this.pastDrawn = this.pastPicture();
      plot.setData(/** @type {any} */ (this.data));
    }
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
    const [x, ...ys] = this.read(columns, series.map((_, index) => index * this.stride + middle));
    const first = Math.max(0, x.findIndex((step) => step >= from));
    return { x: x.slice(first), ys: ys.map((column) => column.slice(first)) };
  }

  /**
   * Columns as they are to be seen: smoothed, thinned to the pixels there are, ready for the axis.
   * @param {Columns} columns
   * @param {number[]} wanted
   */
  read(columns, wanted) {
    const read = wanted.map((index) => smoothed(columns.values[index], columns.rows, this._smoothing));
    const most = Math.max(200, 2 * this.element.clientWidth);
    const [steps, ...values] = thinned(columns.steps.subarray(0, columns.rows), read, most);
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
    const begun = most(this.data.slice(1, this.series.length + 1).map((column) => column.find((one) => one !== null) ?? low));
    const cut = begun + RISE * (begun - low);
    const above = values.filter((value) => value > cut).length;
    return begun > low && high > cut && above < FEW * values.length ? cut : high;
  }

  /** @returns {uPlot|null} null while there is no room */
  build() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width <= FEWEST_PIXELS || height <= FEWEST_PIXELS) {
      this.changed = true;
      return null;
    }
    const style = getComputedStyle(this.element);
    const muted = style.getPropertyValue('--muted').trim();
    const line = style.getPropertyValue('--line').trim();
    const axis = {
      stroke: muted,
      font: '10.5px "JetBrains Mono", monospace',
      grid: { stroke: line, width: 1 },
      ticks: { show: false },
      gap: 4,
    };
    const upright = this._logarithmic
      ? { splits: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ low, /** @type {number} */ high) => decades(low, high) }
      : {};
    const none = { stroke: 'transparent', width: 0, points: { show: false } };
    const count = this.series.length;
    this.plot = new uPlot(
      {
        width,
        height,
        padding: [8, 8, 0, 0],
        legend: { show: false },
        focus: { alpha: 1 },
        cursor: { drag: { x: false, y: false }, points: { size: 6 }, focus: { prox: 24 }, y: false },
        scales: {
          x: { time: false, range: () => this.horizontal() },
          y: { distr: this._logarithmic ? 3 : 1, range: () => this.vertical() },
        },
        axes: [
          { ...axis, size: 24, space: 46, values: (_, splits) => splits.map(tick) },
          { ...axis, ...upright, size: 46, space: 28, values: (_, splits) => splits.map(tick) },
        ],
        series: [
          {},
          ...this.series.map((series, index) => ({
            label: series.name,
            stroke: series.colour,
            dash: series.dash,
            width: 1.8,
            show: this.visible[index] ?? true,
            points: { show: false },
          })),
          none,
          none,
        ],
        bands: [{ series: [count + 2, count + 1], fill: () => this.bandColour() }],
        hooks: {
          drawAxes: [(plot) => this.beneath(plot)],
          setSeries: [(_, index) => this.focused(index)],
          setCursor: [(plot) => this.options.onhover?.(this.rowAt(plot))],
        },
      },
      /** @type {any} */ (this.picture()),
      this.element,
    );
    return this.plot;
  }

  bandColour() {
    const series = this.series[this._selected];
    return series ? `${series.colour}2e` : 'transparent';
  }

  /** @param {number|null} index as uPlot counts, from 1 */
  focused(index) {
    const found = index === null ? -1 : index - 1;
    this.options.onfocus?.(found < this.series.length ? found : -1);
  }

  /** @param {uPlot} plot */
  rowAt(plot) {
    const left = plot.cursor.left ?? -1;
    return left < 0 || !this.columns.rows ? -1 : this.columns.at(plot.posToVal(left, 'x'));
  }

  /** The ghost of what was, the forks and the mark, under the curves. @param {uPlot} plot */
  beneath(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const ratio = uPlot.pxRatio;
    if (this.past && this.pastDrawn) {
      const { x, ys } = this.pastDrawn;
      ctx.globalAlpha = 0.32;
      ctx.lineWidth = 1.2 * ratio;
      this.past.series.forEach((series, index) => trace(plot, x, ys[index], series.colour));
    }
    ctx.globalAlpha = 1;
    const style = getComputedStyle(this.element);
    const upright = (/** @type {number} */ step, /** @type {string} */ colour, /** @type {number[]} */ dash) => {
      const left = Math.round(plot.valToPos(step, 'x', true)) + 0.5;
      ctx.strokeStyle = colour;
      ctx.lineWidth = ratio;
      ctx.setLineDash(dash.map((length) => length * ratio));
      ctx.beginPath();
      ctx.moveTo(left, bbox.top);
      ctx.lineTo(left, bbox.top + bbox.height);
      ctx.stroke();
    };
    this.forks.forEach((step) => upright(step, style.getPropertyValue('--muted'), [2, 3]));
    if (this.mark !== null) {
      upright(this.mark, style.getPropertyValue('--accent'), []);
    }
    ctx.restore();
  }
}

/** @param {number[]} values */
const least = (values) => values.reduce((one, other) => Math.min(one, other), Infinity);

/** @param {number[]} values */
const most = (values) => values.reduce((one, other) => Math.max(one, other), -Infinity);

/**
 * @param {uPlot} plot
 * @param {number[]} x
 * @param {number[]} y
 * @param {string} colour
 */
function trace(plot, x, y, colour) {
  const { ctx } = plot;
  ctx.strokeStyle = colour;
  ctx.beginPath();
  let down = false;
  x.forEach((step, index) => {
    if (y[index] === null) {
      down = false;
      return;
    }
    const left = plot.valToPos(step, 'x', true);
    const top = plot.valToPos(y[index], 'y', true);
    if (down) {
      ctx.lineTo(left, top);
    } else {
      ctx.moveTo(left, top);
    }
    down = true;
  });
  ctx.stroke();
}

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
