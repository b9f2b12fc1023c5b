// @ts-check
/**
 * Curves of a loss against the step, one a series, with a band for the one that is looked at.
 *
 * Every row that comes is kept; smoothing and thinning are done for the eye alone, when a picture is drawn.
 */
import uPlot from 'uplot';
import { decades, tick } from 'fallline/axis';
import { CurveData } from 'fallline/curvedata';

export { tick } from 'fallline/axis';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/curvedata').Series} Series */
/**
 * @typedef {object} Options
 * @property {boolean} [bands] rows hold low, middle and high for each series, not only one number
 * @property {(index: number) => void} [onfocus] the series under the pointer, -1 for none
 * @property {(row: number) => void} [onhover] the row of `at` under the pointer, -1 for none
 */

const FEWEST_PIXELS = 60;
const PERIOD = 110;

export class Curves extends CurveData {
  /**
   * @param {HTMLElement} element to fill; it should have a height of its own
   * @param {Services} services
   * @param {Options} [options]
   */
  constructor(element, services, options = {}) {
    super(options.bands ?? false);
    this.element = element;
    this.services = services;
    this.options = options;
    /** @type {uPlot|null} */
    this.plot = null;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(element);
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
      this.width = this.element.clientWidth;
      this.data = this.picture();
      this.pastDrawn = this.pastPicture();
      plot.setData(/** @type {any} */ (this.data));
    }
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
      ? {
          splits: (
            /** @type {any} */ _,
            /** @type {number} */ __,
            /** @type {number} */ low,
            /** @type {number} */ high,
          ) => decades(low, high),
        }
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
    const upright = (
      /** @type {number} */ step,
      /** @type {string} */ colour,
      /** @type {number[]} */ dash,
    ) => {
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
