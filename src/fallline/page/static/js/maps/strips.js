// @ts-check
/** One row for each that was tried: a dot a seed, the median, the middle half. */
import { h } from 'fallline/dom';
import { Scale, drawAxes, limits } from 'fallline/maps/axes';
import { Drawn } from 'fallline/maps/drawn';
import { fitted } from 'fallline/maps/ink';
import { figure } from 'fallline/maps/numbers';
import { mixed, solid } from 'fallline/maps/ramps';
import { fill } from 'fallline/maps/table';
import { OPTIMIZER_COLOURS, SERIES, faded } from 'fallline/palette';

/** @typedef {import('fallline/maps/drawn').Given} Given */
/**
 * @typedef {object} Row
 * @property {string} name @property {string} [colour] "#rrggbb"; of the optimizer of this name if left out
 * @property {(number | null)[]} values one a seed; null of a run that diverged
 * @property {number | null} median @property {number | null} low lower quartile @property {number | null} high upper quartile
 * @property {string} [note] such as that there is no clear winner
 */
/** @typedef {{rows: Row[], measure: string, log?: boolean}} Data */

const NEAR = 10;
const TALLEST = 46;
const LEAST = 15;

export class Strips extends Drawn {
  /** @param {HTMLElement} element @param {Given} services @param {Record<string, never>} [options] */
  constructor(element, services, options = {}) {
    super(element, services, { kind: 'strips', empty: 'maps.strips.empty' });
    this.options = options;
    /** @type {Data | null} */
    this.data = null;
    this.scale = new Scale(0, 1);
    /** @type {import('fallline/maps/axes').Area} */
    this.area = [0, 0, 0, 0];
    this.tall = 1;
    /** Row and seed under the pointer. @type {[number, number]} */
    this.hovered = [-1, -1];
    this.table = h('table', {});
    this.root.append(h('div', { class: 'maps-hidden' }, this.table));
  }

  get rows() {
    return this.data?.rows ?? [];
  }

  get full() {
    return this.rows.length > 0;
  }

  /** @param {Data | null} data */
  set(data) {
    this.data = data;
    const numbers = this.rows.flatMap(({ values, low, high, median }) => [...values, low, high, median]);
    const log = Boolean(data?.log) && numbers.some((value) => value !== null && value > 0);
    this.scale = new Scale(...limits(numbers, { log, room: 0.05 }), log);
    this.hovered = [-1, -1];
    this.tell();
    this.look();
    this.changed();
  }

  retranslate() {
    super.retranslate();
    this.tell();
  }

  tell() {
    const { t } = this.services;
    fill(this.table, {
      caption: this.data?.measure ?? '',
      head: [
        t('maps.strips.name'),
        t('maps.strips.median'),
        t('maps.strips.quartiles'),
        t('maps.strips.seeds'),
        t('maps.strips.note'),
      ],
      rows: this.rows.map((row) => [
        row.name,
        figure(row.median),
        `${figure(row.low)} … ${figure(row.high)}`,
        row.values.map((value) => figure(value)).join('; '),
        row.note ?? '',
      ]),
    });
  }

  words() {
    const { rows, data } = this;
    return this.services.t('maps.strips.words', {
      n: rows.length,
      measure: data?.measure ?? '',
      all: rows.map(({ name, median }) => `${name} ${figure(median, 3)}`).join(', '),
    });
  }

  /** @param {number} index @returns {string} "#rrggbb" */
  colour(index) {
    const { ink, context } = this;
    const { colour, name } = this.rows[index];
    const series = SERIES[ink.theme];
    return solid(context, colour ?? OPTIMIZER_COLOURS[ink.theme][name] ?? series[index % series.length]);
  }

  paint() {
    const { context: pen, ink, data, rows, width, height, scale } = this;
    if (!data) return;
    pen.font = ink.letters(12.5, 500);
    const widest = Math.max(...rows.map(({ name }) => pen.measureText(name.slice(0, 60)).width));
    const left = Math.min(widest, 0.26 * width) + 30;
    const right = width >= 300 ? width - 66 : width - 12;
    const top = 6;
    this.tall = Math.max(LEAST, Math.min(TALLEST, (height - top - 40) / rows.length));
    const bottom = top + this.tall * rows.length;
    this.area = [left, top, right, bottom];
    drawAxes(pen, ink, this.area, { x: { scale, name: data.measure } });
    rows.forEach((row, index) => this.row(row, index));
  }

  /** @param {Row} row @param {number} index */
  row(row, index) {
    const { context: pen, ink, width, scale, tall, services } = this;
    const [left, top, right] = this.area;
    const y = top + (index + (row.note && tall > 35 ? 0.4 : 0.5)) * tall;
    const x = (/** @type {number} */ value) => left + scale.share(value) * (right - left);
    const usable = (/** @type {number | null} */ value) => value !== null && Number.isFinite(value) && !(scale.log && value <= 0);
    const colour = this.colour(index);
    pen.textBaseline = 'middle';
    if (index) {
      pen.strokeStyle = ink.grid;
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(4, Math.round(top + index * tall) + 0.5);
      pen.lineTo(width - 4, Math.round(top + index * tall) + 0.5);
      pen.stroke();
    }
    pen.fillStyle = colour;
    pen.beginPath();
    pen.arc(7, y, 3.6, 0, 7);
    pen.fill();
    pen.font = ink.letters(Math.min(12.5, tall * 0.75), 500);
    pen.fillStyle = ink.text;
    pen.textAlign = 'left';
    pen.fillText(fitted(pen, row.name, left - 28), 16, y);
    const thick = Math.min(13, 0.42 * tall);
    if (usable(row.low) && usable(row.high)) {
      const [from, to] = [x(Number(row.low)), x(Number(row.high))];
      pen.fillStyle = faded(colour, ink.dark ? 0.3 : 0.26);
      pen.beginPath();
      pen.roundRect(from, y - thick / 2, Math.max(2, to - from), thick, 3);
      pen.fill();
    }
    const many = row.values.length > 40;
    const radius = Math.min(4.4, 0.2 * tall) * (many ? 0.7 : 1);
    row.values.forEach((value, seed) => {
      if (!usable(value)) return;
      const alone = this.hovered[0] === index && this.hovered[1] === seed;
      pen.beginPath();
      pen.arc(x(Number(value)), y + this.jitter(seed, row.values.length, thick), alone ? radius + 1.8 : radius, 0, 7);
      pen.fillStyle = colour;
      pen.globalAlpha = alone ? 1 : many ? 0.6 : 0.85;
      pen.fill();
      pen.globalAlpha = 1;
      pen.strokeStyle = alone ? ink.text : solid(pen, ink.panel);
      pen.lineWidth = alone ? 1.6 : 1;
      pen.stroke();
    });
    if (usable(row.median)) {
      const at = x(Number(row.median));
      const reach = Math.min(0.44 * tall, thick / 2 + 5);
      for (const [paint, wide] of /** @type {[string, number][]} */ ([
        [solid(pen, ink.panel), 5],
        [mixed(colour, solid(pen, ink.text), 0.45), 2.6],
      ])) {
        pen.strokeStyle = paint;
        pen.lineWidth = wide;
        pen.lineCap = 'round';
        pen.beginPath();
        pen.moveTo(at, y - reach);
        pen.lineTo(at, y + reach);
        pen.stroke();
      }
      pen.lineCap = 'butt';
    }
    const lost = row.values.filter((value) => value === null || !Number.isFinite(value)).length;
    if (width >= 300) {
      pen.font = ink.digits(11.5, 500);
      pen.textAlign = 'right';
      pen.fillStyle = ink.text;
      pen.fillText(figure(row.median, 3), width - 6, lost && tall > 28 ? y - 7 : y);
      if (lost && tall > 28) {
        pen.font = ink.letters(10.5);
        pen.fillStyle = ink.danger;
        pen.fillText(fitted(pen, services.t('maps.strips.lost', { n: lost }), 60), width - 6, y + 8);
      }
    }
    if (row.note && tall > 35) {
      pen.font = ink.letters(11);
      pen.textAlign = 'left';
      pen.fillStyle = ink.muted;
      pen.fillText(fitted(pen, row.note, right - left), left, y + 0.38 * tall);
    }
  }

  /** Dots of seeds apart from each other, the same each time. @param {number} seed @param {number} count @param {number} room */
  jitter(seed, count, room) {
    if (count < 4) return 0;
    return (((seed * 0.618034) % 1) - 0.5) * room * 0.9;
  }

  look() {
    this.point(...(this.pointer ?? [-99, -99]));
  }

  /** @param {number} px @param {number} py */
  point(px, py) {
    const { rows, scale, tall, services, data } = this;
    const [left, top, right] = this.area;
    const before = String(this.hovered);
    this.hovered = [-1, -1];
    const index = Math.floor((py - top) / tall);
    const row = rows[index];
    if (!row || px < 0) {
      this.hint(null);
    } else {
      let least = NEAR;
      row.values.forEach((value, seed) => {
        if (value === null) return;
        const away = Math.abs(left + scale.share(value) * (right - left) - px);
        if (away < least) {
          least = away;
          this.hovered = [index, seed];
        }
      });
      const seed = this.hovered[1];
      const lines = [
        row.name,
        services.t('maps.strips.tip', { median: figure(row.median), low: figure(row.low), high: figure(row.high) }),
      ];
      if (seed >= 0) lines.push(services.t('maps.strips.seed', { n: seed + 1, measure: data?.measure ?? '', value: figure(row.values[seed]) }));
      if (row.note) lines.push(row.note);
      this.hint(lines, px, py);
    }
    if (before !== String(this.hovered)) this.changed();
  }

  /** For tests: what is shown. */
  get test() {
    const { rows, scale, hovered, tip } = this;
    return {
      rows: rows.map(({ name, median, values }) => ({ name, median, seeds: values.length })),
      limits: [scale.low, scale.high],
      log: scale.log,
      hovered,
      tip: tip.hidden ? null : tip.textContent,
    };
  }
}
