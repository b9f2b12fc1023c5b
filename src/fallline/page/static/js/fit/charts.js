// @ts-check
/** What the small charts of this view have in common: axes, colours, a size that follows their element. */
import uPlot from 'uplot';
import { tick } from 'fallline/curves';
import { roundNumbers } from 'fallline/scene/ticks';

/** @typedef {import('fallline/services').Services} Services */
/**
 * @typedef {object} Line
 * @property {string} colour a colour, or the name of a variable of CSS
 * @property {number} [width]
 * @property {number[]} [dash]
 * @property {number} [points] size of dots; none if left out
 */
/**
 * @typedef {object} ChartOptions
 * @property {Line[]} lines
 * @property {() => [number, number]} [x] limits
 * @property {() => [number, number]} [y]
 * @property {boolean} [logY]
 * @property {(values: number[]) => string[]} [xValues] the numbers of the axis as texts
 * @property {(values: number[]) => string[]} [yValues]
 * @property {number[]} [xSplits] where the axis has its numbers
 * @property {number[]} [ySplits]
 * @property {number} [ySize] room for the numbers
 * @property {(chart: Chart, plot: uPlot) => void} [beneath] draws under the lines
 * @property {(chart: Chart, plot: uPlot) => void} [above]
 */

const LEAST = 50;

export class Chart {
  /**
   * @param {HTMLElement} element
   * @param {Services} services
   * @param {ChartOptions} options
   */
  constructor(element, services, options) {
    this.element = element;
    this.services = services;
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
    const {
      lines,
      x,
      y,
      logY,
      xValues,
      yValues,
      xSplits,
      ySplits,
      ySize = 46,
      beneath,
      above,
    } = this.options;
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
        cursor: { drag: { x: false, y: false }, points: { size: 5 }, y: false },
        scales: {
          x: { time: false, ...(x && { range: () => x() }) },
          y: { distr: logY ? 3 : 1, ...(y && { range: () => y() }) },
        },
        axes: [
          {
            ...axis,
            size: 22,
            space: 44,
            values: xValues ? (_, splits) => xValues(splits) : texts,
            ...(xSplits && { splits: () => xSplits }),
          },
          {
            ...axis,
            size: ySize,
            space: 26,
            values: yValues ? (_, splits) => yValues(splits) : texts,
            ...(logY && {
              splits: (_, __, low, high) => logarithmic(low, high),
              filter: (_, splits) => splits,
            }),
            ...(ySplits && { splits: () => ySplits }),
          },
        ],
        series: [
          {},
          ...lines.map((line) => ({
            stroke: this.colour(line.colour),
            width: line.width ?? 1.8,
            dash: line.dash,
            spanGaps: Boolean(line.points),
            points: { show: Boolean(line.points), size: line.points ?? 0, fill: this.colour(line.colour) },
          })),
        ],
        hooks: {
          drawAxes: beneath ? [(plot) => beneath(this, plot)] : [],
          draw: above ? [(plot) => above(this, plot)] : [],
        },
      },
      this.data,
      this.element,
    );
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
}

/**
 * The numbers of a logarithmic axis: decades, or 1, 2, 5 in each, or round numbers in less than one.
 * @param {number} low @param {number} high
 */
function logarithmic(low, high) {
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
