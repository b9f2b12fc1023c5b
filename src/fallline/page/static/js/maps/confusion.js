// @ts-check
/** The confusion matrix: what was true, a row; what was predicted, a column. */
import { h } from 'fallline/dom';
import { Cursor } from 'fallline/maps/cursor';
import { Drawn } from 'fallline/maps/drawn';
import { fitted } from 'fallline/maps/ink';
import { drawEnds, drawNames } from 'fallline/maps/margins';
import { figure, percent } from 'fallline/maps/numbers';
import { Ramp, solid } from 'fallline/maps/ramps';
import { fill } from 'fallline/maps/table';
import { upright } from 'fallline/maps/axes';
import { inkOn } from 'fallline/terrain/marks';

/** @typedef {import('fallline/maps/drawn').Given} Given */
/** @typedef {{classes: string[], counts: number[][]}} Data counts: a row a true class, a column a predicted one */

/** The largest and the smallest cell that is worth a number, in pixels. */
const LARGEST = 86;
const NUMBERED = 17;

const RIGHT = { dark: '#3fa7e8', light: '#1a6fb5' };
const WRONG = { dark: '#ff8a4c', light: '#c8501b' };

/** @param {number[]} numbers */
const sum = (numbers) => numbers.reduce((one, other) => one + (other ?? 0), 0);

export class Confusion extends Drawn {
  /** @param {HTMLElement} element @param {Given} services @param {Record<string, never>} [options] */
  constructor(element, services, options = {}) {
    super(element, services, { kind: 'confusion', empty: 'maps.confusion.empty', focusable: true });
    this.options = options;
    /** @type {Data | null} */
    this.data = null;
    /** Counts of rows, of columns, and all. */
    this.rows = /** @type {number[]} */ ([]);
    this.columns = /** @type {number[]} */ ([]);
    this.all = 0;
    this.right = 0;
    this.size = 0;
    this.origin = [0, 0];
    this.table = h('table', { class: 'maps-hidden' });
    this.live = h('p', { class: 'maps-hidden', 'aria-live': 'polite' });
    this.root.append(h('div', { class: 'maps-hidden' }, this.table), this.live);
    this.cursor = new Cursor(this, {
      size: () => [this.classes.length, this.classes.length],
      find: (x, y) => this.find(x, y),
      moved: (cell, keyed) => this.point(cell, keyed),
    });
  }

  /** A name that was cut is told in full where it stands. */
  look() {
    const [x, y] = this.pointer ?? [NaN, NaN];
    const [column, row] = [(x - this.origin[0]) / this.size, (y - this.origin[1]) / this.size].map(Math.floor);
    const name = column < 0 ? this.classes[row] : row < 0 ? this.classes[column] : undefined;
    this.canvas.title = name ?? '';
  }

  get classes() {
    return this.data?.classes ?? [];
  }

  get full() {
    return this.classes.length > 0;
  }

  /** @param {Data | null} data */
  set(data) {
    this.data = data;
    const counts = data?.counts ?? [];
    this.rows = counts.map(sum);
    this.columns = this.classes.map((_, j) => sum(counts.map((row) => row[j])));
    this.all = sum(this.rows);
    this.right = sum(counts.map((row, i) => row[i]));
    this.cursor.hold();
    if (this.cursor.cell) this.point(this.cursor.cell, false);
    this.tell();
    this.changed();
  }

  retranslate() {
    super.retranslate();
    this.tell();
  }

  /** The same in words. */
  tell() {
    const { t } = this.services;
    fill(this.table, {
      caption: t('maps.confusion.caption'),
      head: [
        t('maps.confusion.true'),
        ...this.classes.map((name) => t('maps.confusion.as', { name })),
        t('maps.confusion.recall'),
      ],
      rows: [
        ...this.classes.map((name, i) => [name, ...(this.data?.counts[i] ?? []), percent(this.share(i, i))]),
        [
          t('maps.confusion.precision'),
          ...this.classes.map((_, j) => percent(this.precision(j))),
          percent(this.right / this.all),
        ],
      ],
    });
  }

  /** The share of a row that a cell has; NaN of an empty row. @param {number} i @param {number} j */
  share(i, j) {
    return (this.data?.counts[i]?.[j] ?? 0) / this.rows[i];
  }

  /** The share of a column that is right. @param {number} j */
  precision(j) {
    return (this.data?.counts[j]?.[j] ?? 0) / this.columns[j];
  }

  words() {
    const { classes, right, all, data } = this;
    let worst = [-1, -1, 0];
    data?.counts.forEach((row, i) =>
      row.forEach((n, j) => {
        if (i !== j && n > worst[2]) worst = [i, j, n];
      }),
    );
    const { t } = this.services;
    const said = t('maps.confusion.words', { n: classes.length, rows: all, share: percent(right / all) });
    if (!worst[2]) return said;
    return `${said} ${t('maps.confusion.worst', { true: classes[worst[0]], as: classes[worst[1]], n: worst[2] })}`;
  }

  paint() {
    const { context: pen, ink, classes, width, height, services } = this;
    const count = classes.length;
    const ends = width >= 260 && height >= 200;
    const font = ink.letters(11);
    pen.font = font;
    const widest = Math.max(...classes.map((name) => pen.measureText(name.slice(0, 60)).width));
    const word = ends && width >= 340 ? pen.measureText(services.t('maps.confusion.precision')).width : 0;
    const left = 22 + Math.max(word - 14, Math.min(widest, 0.24 * width)) + 7;
    const right = ends ? 74 : 8;
    const bottom = ends ? 30 : 6;
    const cellFor = (/** @type {number} */ top) =>
      Math.max(3, Math.min(LARGEST, (width - left - right) / count, (height - top - bottom) / count));
    const level = widest <= cellFor(42) - 6;
    const reach = Math.min(widest, 0.24 * height);
    const slanted = !level && cellFor(26 + 0.72 * reach) >= 13;
    const top = level ? 42 : 28 + (slanted ? 0.72 * reach : reach);
    const size = cellFor(top);
    const across = size * count;
    // In the middle of what is left, names and all.
    const x0 = Math.floor(left + Math.max(0, (width - left - right - across) / 2));
    const y0 = Math.floor(top + Math.max(0, (height - top - bottom - across) / 3));
    this.size = size;
    this.origin = [x0, y0];
    const ground = solid(pen, ink.raise);
    const good = new Ramp([ground, RIGHT[ink.theme]]);
    const bad = new Ramp([ground, WRONG[ink.theme]]);
    const gap = size > 26 ? 2 : size > 8 ? 1 : 0.4;
    const cell = this.cursor.cell;
    const digits = Math.min(14, size * 0.36);
    pen.textBaseline = 'middle';
    for (let i = 0; i < count; i += 1) {
      for (let j = 0; j < count; j += 1) {
        const n = this.data?.counts[i]?.[j] ?? 0;
        const share = this.rows[i] ? this.share(i, j) : 0;
        // A small share of mistakes is to be seen, too: its root.
        const colour = i === j ? good.hex(0.08 + 0.92 * share) : n ? bad.hex(0.22 + 0.78 * Math.sqrt(share)) : ground;
        const [x, y] = [x0 + j * size, y0 + i * size];
        pen.fillStyle = colour;
        pen.beginPath();
        pen.roundRect(x + gap / 2, y + gap / 2, size - gap, size - gap, Math.min(5, size / 8));
        pen.fill();
        if (size < NUMBERED || !n) continue;
        const text = figure(n, 9);
        pen.font = ink.digits(digits, i === j ? 600 : 500);
        if (pen.measureText(text).width > size - 4) continue;
        pen.fillStyle = inkOn(colour);
        pen.textAlign = 'center';
        pen.fillText(text, x + size / 2, y + size / 2 + 0.5);
      }
    }
    drawNames(this, { x0, y0, size, level, slanted, room: x0 - 29, reach });
    if (ends) drawEnds(this, { x0, y0, size });
    pen.font = ink.letters(11.5, 500);
    pen.fillStyle = ink.muted;
    pen.textAlign = 'center';
    pen.fillText(
      fitted(pen, services.t('maps.confusion.predicted'), width - 8),
      Math.min(x0 + across / 2, width - 40),
      Math.max(9, y0 - (level ? 33 : top - 10)),
    );
    upright(pen, ink, services.t('maps.confusion.true'), Math.max(9, x0 - left + 9), y0 + across / 2, height);
    if (cell) {
      pen.strokeStyle = ink.text;
      pen.lineWidth = 1.8;
      pen.beginPath();
      pen.roundRect(x0 + cell[0] * size, y0 + cell[1] * size, size, size, Math.min(6, size / 7));
      pen.stroke();
    }
  }

  /** @param {number} x @param {number} y @returns {[number, number] | null} */
  find(x, y) {
    const column = Math.floor((x - this.origin[0]) / this.size);
    const row = Math.floor((y - this.origin[1]) / this.size);
    const count = this.classes.length;
    return column >= 0 && row >= 0 && column < count && row < count ? [column, row] : null;
  }

  /** @param {[number, number] | null} cell @param {boolean} keyed */
  point(cell, keyed) {
    this.changed();
    if (!cell) {
      this.hint(null);
      return;
    }
    const [j, i] = cell;
    const { t } = this.services;
    const n = figure(this.data?.counts[i]?.[j] ?? 0, 9);
    const lines =
      i === j
        ? [t('maps.confusion.good', { name: this.classes[i], n, all: figure(this.rows[i], 9) })]
        : [t('maps.confusion.bad', { true: this.classes[i], as: this.classes[j], n, all: figure(this.rows[i], 9) })];
    lines.push(
      t('maps.confusion.of_row', { share: percent(this.share(i, j)), name: this.classes[i] }),
      t('maps.confusion.both', { name: this.classes[j], recall: percent(this.share(j, j)), precision: percent(this.precision(j)) }),
    );
    this.hint(lines, this.origin[0] + (j + 0.5) * this.size, this.origin[1] + (i + 0.5) * this.size);
    if (keyed) this.live.textContent = lines.join('. ');
  }

  /** For tests: what is shown. */
  get test() {
    return {
      classes: this.classes,
      counts: this.data?.counts ?? null,
      rows: this.rows,
      right: this.right,
      all: this.all,
      cell: this.cursor.cell,
      tip: this.tip.hidden ? null : this.tip.textContent,
    };
  }
}
