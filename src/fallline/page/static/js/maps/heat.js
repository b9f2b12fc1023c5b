// @ts-check
/** The results of a sweep over two settings: a cell a run. */
import { h } from 'fallline/dom';
import { drawBar, upright } from 'fallline/maps/axes';
import { drawBest, drawCells, drawMeaning } from 'fallline/maps/cells';
import { Cursor } from 'fallline/maps/cursor';
import { Drawn } from 'fallline/maps/drawn';
import { fitted } from 'fallline/maps/ink';
import { figure, setting } from 'fallline/maps/numbers';
import { Ramp, Ranks } from 'fallline/maps/ramps';

/** @typedef {import('fallline/maps/drawn').Given} Given */
/**
 * @typedef {object} Data
 * @property {(number | string)[]} x values of the first setting, from left to right
 * @property {(number | string)[]} y values of the second setting, from the foot to the top
 * @property {(number | null)[][]} values values[j][i]: the measure at x[i], y[j]; null where there is none (yet)
 * @property {boolean[][]} [diverged] the same places
 * @property {[string, string, string]} names of x, of y, of the measure
 * @property {[number, number] | null} [best] i, j
 * @property {boolean} [log] are the numbers better spread by their logarithm? By rank they are in any case
 */

const LARGEST = 110;

export class HeatMap extends Drawn {
  /** @param {HTMLElement} element @param {Given} services @param {{onpick?: (i: number, j: number) => void}} [options] */
  constructor(element, services, options = {}) {
    super(element, services, { kind: 'heat', empty: 'maps.heat.empty', focusable: true });
    this.options = options;
    /** @type {Data | null} */
    this.data = null;
    this.ranks = new Ranks([]);
    this.cells = { x0: 0, y0: 0, wide: 1, tall: 1 };
    this.live = h('p', { class: 'maps-hidden', 'aria-live': 'polite' });
    this.root.append(this.live);
    this.cursor = new Cursor(this, {
      size: () => [this.data?.x.length ?? 0, this.data?.y.length ?? 0],
      find: (x, y) => this.find(x, y),
      moved: (cell, keyed) => this.point(cell, keyed),
      picked: ([column, row]) => options.onpick?.(column, this.upward(row)),
    });
    this.canvas.classList.toggle('maps-picked', Boolean(options.onpick));
  }

  get full() {
    return Boolean(this.data?.x?.length && this.data.y?.length);
  }

  /** Rows of the screen run down, those of the data up. @param {number} row */
  upward(row) {
    return (this.data?.y.length ?? 0) - 1 - row;
  }

  /** @param {Data | null} data */
  set(data) {
    this.data = data;
    const found = [];
    for (let j = 0; j < (data?.y?.length ?? 0); j += 1) {
      for (let i = 0; i < (data?.x?.length ?? 0); i += 1) {
        const value = this.value(i, j);
        if (value !== null && !this.diverged(i, j)) found.push(value);
      }
    }
    this.ranks = new Ranks(found);
    const best = data?.best;
    this.cursor.told.first = best ? [best[0], this.upward(best[1])] : [0, 0];
    this.cursor.hold();
    if (this.cursor.cell) this.point(this.cursor.cell, false);
    this.changed();
  }

  /** @param {number} i @param {number} j @returns {number | null} */
  value(i, j) {
    const value = this.data?.values?.[j]?.[i];
    return typeof value === 'number' && Number.isFinite(value) ? value : null;
  }

  /** @param {number} i @param {number} j */
  diverged(i, j) {
    return Boolean(this.data?.diverged?.[j]?.[i]);
  }

  words() {
    const { data, ranks } = this;
    if (!data) return '';
    const { t } = this.services;
    const { sorted } = ranks;
    const said = t('maps.heat.words', {
      measure: data.names[2],
      x: data.names[0],
      y: data.names[1],
      n: data.x.length * data.y.length,
      low: figure(sorted[0]),
      high: figure(sorted[sorted.length - 1]),
      diverged: (data.diverged ?? []).flat().filter(Boolean).length,
    });
    const best = data.best;
    if (!best) return said;
    return `${said} ${t('maps.heat.best_words', {
      x: setting(data.x[best[0]]),
      y: setting(data.y[best[1]]),
      value: figure(this.value(best[0], best[1])),
    })}`;
  }

  paint() {
    const { context: pen, ink, data, width, height } = this;
    if (!data) return;
    const { x, y, names } = data;
    pen.font = ink.digits(10.5);
    const texts = y.map(setting);
    const room = Math.min(0.24 * width, Math.max(...texts.map((text) => pen.measureText(text.slice(0, 60)).width)));
    const bar = width >= 280;
    const left = room + 30;
    const right = bar ? 74 : 8;
    const bottom = 40 + 20;
    const wide = Math.max(2, Math.min(LARGEST * 1.4, (width - left - right) / x.length));
    const tall = Math.max(2, Math.min(LARGEST, (height - (bar ? 26 : 8) - bottom) / y.length));
    const x0 = Math.floor(left + Math.max(0, (width - left - right - wide * x.length) / 2));
    const y0 = bar ? 26 : 8;
    this.cells = { x0, y0, wide, tall };
    const [end, foot] = [x0 + wide * x.length, y0 + tall * y.length];
    drawCells(this);
    pen.textBaseline = 'middle';
    pen.fillStyle = ink.muted;
    pen.font = ink.digits(10.5);
    this.numbers(texts, room);
    pen.font = ink.letters(11.5, 500);
    pen.textAlign = 'center';
    pen.fillStyle = ink.muted;
    pen.fillText(fitted(pen, names[0], width - 20), Math.min((x0 + end) / 2, width - 20), foot + 31);
    upright(pen, ink, names[1], x0 - left + 9, (y0 + foot) / 2, foot - y0);
    drawMeaning(this, x0, Math.min(height - 9, foot + 52), width);
    if (bar) this.bar(end + 16, y0, Math.min(foot, y0 + 300), width);
    const { best } = data;
    if (best) drawBest(this, best[0], y.length - 1 - best[1]);
    const cell = this.cursor.cell;
    if (!cell) return;
    pen.strokeStyle = ink.text;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.roundRect(x0 + cell[0] * wide, y0 + cell[1] * tall, wide, tall, 4);
    pen.stroke();
  }

  /** The values of the settings. @param {string[]} texts of y @param {number} room */
  numbers(texts, room) {
    const { context: pen, ink, data } = this;
    if (!data) return;
    const { x0, y0, wide, tall } = this.cells;
    const foot = y0 + tall * data.y.length;
    const cell = this.cursor.cell;
    const write = (/** @type {boolean} */ alone) => {
      pen.fillStyle = alone ? ink.text : ink.muted;
      pen.font = ink.digits(10.5, alone ? 600 : 400);
    };
    pen.textAlign = 'right';
    const down = Math.ceil(13 / tall);
    texts.forEach((text, j) => {
      const row = texts.length - 1 - j;
      if (j % down && cell?.[1] !== row) return;
      write(cell?.[1] === row);
      pen.fillText(fitted(pen, text, room), x0 - 8, y0 + (row + 0.5) * tall);
    });
    pen.textAlign = 'center';
    const labels = data.x.map(setting);
    const widest = Math.max(...labels.map((text) => pen.measureText(text.slice(0, 30)).width));
    const across = Math.ceil((Math.min(widest, 90) + 8) / wide);
    labels.forEach((text, i) => {
      if (i % across) return;
      write(cell?.[0] === i);
      pen.fillText(fitted(pen, text, across * wide - 4), x0 + (i + 0.5) * wide, foot + 13);
    });
  }

  /** @param {number} left @param {number} top @param {number} bottom @param {number} width */
  bar(left, top, bottom, width) {
    const { context: pen, ink, data, ranks, services } = this;
    if (!data || !ranks.sorted.length) return;
    const ramp = new Ramp();
    const shares = ranks.sorted.length > 1 ? [0, 0.25, 0.5, 0.75, 1] : [0];
    drawBar(pen, ink, [left, top + 2, left + 9, Math.max(top + 50, bottom - 2)], {
      colour: (share) => ramp.hex(share),
      marks: shares.map((share) => ({ share, text: figure(ranks.value(share), 3) })),
    });
    pen.font = ink.letters(11);
    pen.textAlign = 'right';
    pen.textBaseline = 'middle';
    pen.fillStyle = ink.muted;
    const name = data.names[2] || services.t('maps.heat.measure');
    pen.fillText(fitted(pen, name, 0.6 * width), Math.min(width - 4, left + 58), top - 14);
  }

  /** @param {number} x @param {number} y @returns {[number, number] | null} */
  find(x, y) {
    const { x0, y0, wide, tall } = this.cells;
    const [column, row] = [Math.floor((x - x0) / wide), Math.floor((y - y0) / tall)];
    const inside = column >= 0 && row >= 0 && column < (this.data?.x.length ?? 0) && row < (this.data?.y.length ?? 0);
    return inside ? [column, row] : null;
  }

  /** @param {[number, number] | null} cell @param {boolean} keyed */
  point(cell, keyed) {
    this.changed();
    const { data } = this;
    if (!cell || !data) {
      this.hint(null);
      return;
    }
    const { t } = this.services;
    const [i, j] = [cell[0], this.upward(cell[1])];
    const value = this.value(i, j);
    const best = data.best?.[0] === i && data.best[1] === j;
    const said = this.diverged(i, j)
      ? t('maps.heat.diverged')
      : value === null
        ? t('maps.heat.none')
        : `${data.names[2]} ${figure(value)}`;
    const lines = [
      best ? `${said} · ${t('maps.heat.best')}` : said,
      `${data.names[0]} ${setting(data.x[i])}`,
      `${data.names[1]} ${setting(data.y[j])}`,
    ];
    const { x0, y0, wide, tall } = this.cells;
    this.hint(lines, x0 + (cell[0] + 0.5) * wide, y0 + (cell[1] + 0.3) * tall);
    if (keyed) this.live.textContent = lines.join(', ');
  }

  /** For tests: what is shown. */
  get test() {
    const { data, cursor, tip, live } = this;
    const cell = cursor.cell;
    return {
      size: [data?.x.length ?? 0, data?.y.length ?? 0],
      best: data?.best ?? null,
      cell: cell ? [cell[0], this.upward(cell[1])] : null,
      colours: data ? data.y.map((_, j) => data.x.map((__, i) => this.share(i, j))) : [],
      tip: tip.hidden ? null : tip.textContent,
      live: live.textContent,
      cells: this.cells,
    };
  }

  /** @param {number} i @param {number} j */
  share(i, j) {
    const value = this.value(i, j);
    return value === null || this.diverged(i, j) ? null : this.ranks.share(value);
  }
}
