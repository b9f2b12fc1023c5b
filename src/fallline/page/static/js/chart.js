// @ts-check
/** What small charts have in common: axes, colours, a size that follows their element. */
import uPlot from 'uplot';
import { logarithmic, tick } from 'fallline/axis';

/**
 * @typedef {object} Line
 * @property {string | (() => string)} colour a colour, or the name of a variable of CSS
 * @property {number} [width]
 * @property {number[]} [dash]
 * @property {number} [points] size of dots; none if left out
 * @property {boolean} [connected] is the line drawn over places where it has no value of its own?
 * @property {boolean} [hidden]
 */
/**
 * @typedef {object} ChartOptions
 * @property {Line[]} lines
 * @property {() => [number, number]} [x] limits
 * @property {() => [number, number]} [y]
 * @property {boolean} [logX]
 * @property {boolean} [logY]
 * @property {(values: number[]) => string[]} [xValues] the numbers of the axis as texts
 * @property {(values: number[]) => string[]} [yValues]
 * @property {number[]} [xSplits] where the axis has its numbers
 * @property {number[]} [ySplits]
 * @property {number | 'fit'} [ySize] room for the numbers; "fit": as much as they need
 * @property {uPlot.Cursor} [cursor] beyond the usual
 * @property {uPlot.Band[]} [bands]
 * @property {uPlot.Hooks.Arrays} [hooks] beyond the two that follow
 * @property {(chart: Chart, plot: uPlot) => void} [beneath] draws under the lines
 * @property {(chart: Chart, plot: uPlot) => void} [above]
 */

const LEAST = 50;
/** Width of a digit on an axis, in CSS pixels. */
const DIGIT = 6.4;
const LOGARITHMIC = {
  splits: (
    /** @type {any} */ _,
    /** @type {number} */ __,
    /** @type {number} */ low,
    /** @type {number} */ high,
  ) => logarithmic(low, high),
  filter: (/** @type {any} */ _, /** @type {number[]} */ splits) => splits,
  // Else uPlot looks for a distance between two numbers, and finds none where they span more than its list.
  incrs: [1e300],
};

/** @param {any} _ @param {string[] | null} texts */
const roomFor = (_, texts) =>
  Math.ceil(12 + DIGIT * Math.max(3, ...(texts ?? []).map((text) => text.length)));

export class Chart {
  /**
   * @param {HTMLElement} element
   * @param {any} _services
   * @param {ChartOptions} options
   */
  constructor(element, _services, options) {
    this.element = element;
    this.options = options;
    /** @type {any[]} */
    this.data = [[], ...options.lines.map(() => [])];
    /** @type {uPlot | null} */
    this.plot = null;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(element);
  }

  /** @param {string} name a colour, or a variable of CSS */
  colour(name) {
    return name.startsWith('--') ? getComputedStyle(this.element).getPropertyValue(name).trim() : name;
  }

  build() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width < LEAST || height < LEAST) return;
    const { x, y, logX, logY, xValues, yValues, xSplits, ySplits, ySize = 46 } = this.options;
    const { lines, beneath, above, cursor, bands, hooks = {} } = this.options;
    const axis = {
      stroke: this.colour('--muted'),
      font: '10.5px "JetBrains Mono", monospace',
      grid: { stroke: this.colour('--line'), width: 1 },
      ticks: { show: false },
      gap: 4,
    };
    const texts = (/** @type {any} */ _, /** @type {number[]} */ splits) => splits.map(tick);
    this.plot = new uPlot(
      {
        width,
        height,
        padding: [8, 10, 0, 0],
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, points: { size: 5 }, y: false, ...cursor },
        scales: {
          x: { time: false, distr: logX ? 3 : 1, ...(x && { range: () => x() }) },
          y: { distr: logY ? 3 : 1, ...(y && { range: () => y() }) },
        },
        axes: [
          {
            ...axis,
            size: 22,
            space: 44,
            values: xValues ? (_, splits) => xValues(splits) : texts,
            ...(logX && LOGARITHMIC),
            ...(xSplits && { splits: () => xSplits }),
          },
          {
            ...axis,
            size: ySize === 'fit' ? roomFor : ySize,
            space: 26,
            values: yValues ? (_, splits) => yValues(splits) : texts,
            ...(logY && LOGARITHMIC),
            ...(ySplits && { splits: () => ySplits }),
          },
        ],
        series: [{}, ...lines.map((line) => this.series(line))],
        bands: bands ?? [],
        hooks: {
          ...hooks,
          drawAxes: beneath ? [(plot) => beneath(this, plot)] : [],
          draw: above ? [(plot) => above(this, plot)] : [],
        },
      },
      this.data,
      this.element,
    );
  }

  /** @param {Line} line @returns {uPlot.Series} */
  series(line) {
    const { colour, points } = line;
    const stroke = typeof colour === 'string' ? this.colour(colour) : () => this.colour(colour());
    return {
      stroke,
      show: !line.hidden,
      width: line.width ?? 1.8,
      dash: line.dash,
      spanGaps: line.connected ?? Boolean(points),
      points: { show: Boolean(points), size: points ?? 0, fill: stroke },
    };
  }

  /** @param {any[]} data x, then each line */
  set(data) {
    this.data = data;
    if (this.plot) this.plot.setData(/** @type {any} */ (data));
    else this.build();
  }

  rebuild() {
    this.plot?.destroy();
    this.plot = null;
    this.build();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!this.plot) this.build();
    else if (
      width >= LEAST &&
      height >= LEAST &&
      (width !== this.plot.width || height !== this.plot.height)
    ) {
      this.plot.setSize({ width, height });
    }
  }

  dispose() {
    this.observer.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }
}

/**
 * A line across a chart, upright or level.
 * @param {uPlot} plot
 * @param {{x?: number, y?: number, colour: string, dash?: number[]}} line
 */
export function rule(plot, { x, y, colour, dash = [] }) {
  const { ctx, bbox } = plot;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.3 * ratio;
  ctx.setLineDash(dash.map((length) => length * ratio));
  ctx.beginPath();
  if (x !== undefined) {
    const left = plot.valToPos(x, 'x', true);
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
  } else if (y !== undefined) {
    const top = plot.valToPos(y, 'y', true);
    ctx.moveTo(bbox.left, top);
    ctx.lineTo(bbox.left + bbox.width, top);
  }
  ctx.stroke();
  ctx.restore();
}

/**
 * A dot on a chart.
 * @param {uPlot} plot
 * @param {{x: number, y: number, colour: string, rim: string, size?: number, hollow?: boolean}} dot
 */
export function dot(plot, { x, y, colour, rim, size = 5, hollow = false }) {
  if (!Number.isFinite(x) || !Number.isFinite(y)) return;
  const { ctx } = plot;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.arc(plot.valToPos(x, 'x', true), plot.valToPos(y, 'y', true), size * ratio, 0, 7);
  ctx.fillStyle = hollow ? rim : colour;
  ctx.fill();
  ctx.strokeStyle = hollow ? colour : rim;
  ctx.lineWidth = (hollow ? 2 : 1.5) * ratio;
  ctx.stroke();
  ctx.restore();
}
