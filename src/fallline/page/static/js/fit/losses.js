// @ts-check
/** The loss from step to step: of each batch thin, its average thick, on all points at every epoch. */
import { Columns, smoothed, thinned } from 'fallline/columns';
import { button, slider } from 'fallline/controls';
import { h } from 'fallline/dom';
import { Chart, rule } from 'fallline/chart';
import { ROW } from 'fallline/fit/state';
import { faded } from 'fallline/palette';

/** @typedef {import('fallline/services').Services} Services */

const PERIOD = 110;

export class Losses {
  /** @param {Services} services */
  constructor(services) {
    this.services = services;
    this.columns = new Columns(2);
    /** @type {number | null} */
    this.floor = null;
    this.full = true;
    this.logarithmic = true;
    this.smoothing = 0.9;
    this.colour = '#ff5d5d';
    this.changed = true;
    this.drawn = 0;
    this.box = h('div', { class: 'chart' });
    this.slider = slider(services, {
      label: 'fit.smoothing',
      low: 0,
      high: 0.99,
      step: 0.01,
      value: this.smoothing,
      format: (v) => v.toFixed(2),
      oninput: (value) => {
        this.smoothing = value;
        this.redraw();
      },
    });
    this.log = button(services, {
      t: 'fit.log',
      label: 'fit.logAbout',
      pressed: true,
      class: 'small',
      onclick: () => {
        this.setLogarithmic(!this.logarithmic);
        services.touched();
      },
    });
    this.keys = h('div', { class: 'keys' });
    this.element = h(
      'div',
      { class: 'losses' },
      this.keys,
      this.box,
      h('div', { class: 'chart-foot' }, this.slider.element, this.log.element),
    );
    /** @type {Chart | null} */
    this.chart = null;
    this.rekey();
  }

  /** @param {boolean} on */
  setLogarithmic(on) {
    this.logarithmic = on;
    this.log.value = on;
    this.rebuild();
  }

  rebuild() {
    this.chart?.observer.disconnect();
    this.chart?.plot?.destroy();
    const { services } = this;
    this.chart = new Chart(this.box, services, {
      lines: [
        { colour: this.full ? this.colour : faded(this.colour, 0.42), width: this.full ? 2 : 1 },
        { colour: this.colour, width: 2.1 },
        { colour: '--text', width: 1.2, points: 4 },
      ],
      logY: this.logarithmic,
      x: () => [0, Math.max(20, this.columns.rows ? this.columns.steps[this.columns.rows - 1] : 0)],
      y: () => this.limits(),
      beneath: (chart, plot) => {
        if (this.floor !== null && (!this.logarithmic || this.floor > 0)) {
          rule(plot, { y: this.floor, colour: chart.colour('--muted'), dash: [6, 5] });
        }
      },
    });
    this.redraw();
  }

  /** @param {{colour: string, full: boolean, floor: number | null}} facts */
  set({ colour, full, floor }) {
    const other = colour !== this.colour || full !== this.full;
    Object.assign(this, { colour, full, floor });
    if (other || !this.chart) this.rebuild();
    this.rekey();
    this.redraw();
  }

  restart() {
    this.columns = new Columns(2);
    this.redraw();
  }

  /** @param {Float32Array} rows @see ROW */
  push(rows) {
    for (let at = 0; at + ROW <= rows.length; at += ROW) {
      this.columns.push(rows[at], [rows[at + 2], rows[at + 3]]);
    }
    this.changed = true;
  }

  redraw() {
    this.changed = true;
    this.drawn = 0;
  }

  rekey() {
    this.keys.replaceChildren(
      ...[
        ['batch', !this.full],
        ['average', !this.full],
        ['all', true],
        ['floor', this.floor !== null],
      ]
        .filter(([, shown]) => shown)
        .map(([name]) =>
          h(
            'span',
            { class: `key key-${name}` },
            h('i', { 'aria-hidden': 'true' }),
            h('span', { t: `fit.key.${name}` }),
          ),
        ),
    );
    this.keys.style.setProperty('--run', this.colour);
    this.keys.classList.toggle('all-points', this.full);
  }

  /** @returns {[number, number]} */
  limits() {
    let [low, high] = [Infinity, -Infinity];
    for (const value of this.seen) {
      if (value !== null && Number.isFinite(value) && (value > 0 || !this.logarithmic)) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    if (this.floor !== null && (this.floor > 0 || !this.logarithmic)) low = Math.min(low, this.floor);
    if (!(low <= high)) return this.logarithmic ? [0.1, 10] : [0, 1];
    if (this.logarithmic) {
      // A batch of one row can be fitted by chance: its loss of nearly nothing is not to flatten all others.
      low = Math.max(low, this.least / 12, high * 1e-9);
      const [a, b] = [low / 1.25, Math.max(high * 1.25, low * 2)];
      return [a, b];
    }
    const margin = 0.06 * (high - low) || 0.06 * Math.max(Math.abs(high), 1e-9);
    return [low - margin, high + margin];
  }

  /** The least average so far, or the floor. */
  least = 0;
  /** What the limits look at. @type {(number | null)[]} */
  seen = [];

  /** @param {number} [now] */
  draw(now = performance.now()) {
    if (!this.changed || now - this.drawn < PERIOD || !this.box.clientWidth) return;
    if (!this.chart) this.rebuild();
    this.changed = false;
    this.drawn = now;
    const { rows, steps, values } = this.columns;
    const weight = this.full ? 0 : this.smoothing;
    const columns = [
      values[0].subarray(0, rows),
      smoothed(values[0], rows, weight),
      values[1].subarray(0, rows),
    ];
    const most = Math.max(200, 2 * this.box.clientWidth);
    const [x, batch, average, full] = thinned(steps.subarray(0, rows), columns, most);
    const shown = (/** @type {number[]} */ column) =>
      column.map((value) => (Number.isFinite(value) && (value > 0 || !this.logarithmic) ? value : null));
    const none = new Array(x.length).fill(null);
    const data = [x, shown(batch), this.full ? none : shown(average), this.full ? none : shown(full)];
    this.seen = data.slice(1).flat();
    this.least = data[this.full ? 1 : 2].reduce(
      (low, v) => (v !== null && v < low ? v : low),
      this.floor ?? Infinity,
    );
    if (!Number.isFinite(this.least)) this.least = 0;
    this.chart?.set(data);
  }
}
