// @ts-check
/** Where the balls end up: each minimum with its depth and the share of each racer's balls in its basin. */
import { clear, h } from 'fallline/dom';
import { loss, percent, short } from 'fallline/terrain/format';
import { swatch } from 'fallline/terrain/marks';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {{x: number, y: number, value: number, shares: (number|null)[], all?: number|null}} Basin */

/** Told apart on the terrain and from each other; the last one is for a ball that is in no basin. */
export const BASIN_COLOURS = [
  '#ffd166',
  '#ff6b6b',
  '#6ee7ff',
  '#b692ff',
  '#7bed9f',
  '#ff9f43',
  '#ff8fd0',
  '#d4e157',
  '#5b9dff',
  '#f5f5f5',
  '#e17055',
  '#00d2a8',
  '#d980fa',
  '#c8b273',
  '#9fb4d8',
  '#76808f',
];
const NOWHERE = BASIN_COLOURS.length - 1;

/** @param {number} label of a basin, -1 for none */
export function basinKind(label) {
  return label < 0 ? NOWHERE : label % NOWHERE;
}

/** Which basin a place belongs to, from the engine's map of them. */
export class BasinMap {
  /** @param {Float32Array} labels square, row = y, -1 for none */
  constructor(labels) {
    this.labels = labels;
    this.grid = Math.round(Math.sqrt(labels.length));
  }

  /**
   * The kind of each ball, an index into the colours.
   * @param {Float32Array} positions normalised to [-1, 1]
   * @param {Uint8Array} kinds to fill
   */
  fill(positions, kinds) {
    const { grid, labels } = this;
    for (let ball = 0; ball < kinds.length; ball += 1) {
      const column = Math.round((positions[2 * ball] * 0.5 + 0.5) * (grid - 1));
      const row = Math.round((positions[2 * ball + 1] * 0.5 + 0.5) * (grid - 1));
      const inside = column >= 0 && row >= 0 && column < grid && row < grid;
      kinds[ball] = basinKind(inside ? labels[row * grid + column] : -1);
    }
  }
}

export class BasinTable {
  /** @param {Services} services */
  constructor(services) {
    this.services = services;
    /** @type {Basin[]} */
    this.minima = [];
    this.body = h('tbody', {});
    this.head = h('tr', {});
    this.empty = h('p', { class: 'empty', t: 'terrain.basins_none' });
    this.table = h(
      'table',
      { class: 'basins' },
      h('caption', { class: 'visually-hidden', t: 'terrain.basins_caption' }),
      h('thead', {}, this.head),
      this.body,
    );
    this.element = h('div', { class: 'basin-table' }, this.table, this.empty);
    /** @type {import('fallline/terrain/marks').Face[]} */
    this.racers = [];
    this.show();
  }

  /** @param {import('fallline/terrain/marks').Face[]} racers */
  setRacers(racers) {
    this.racers = racers;
    this.show();
  }

  /** @param {Basin[]} minima */
  update(minima) {
    this.minima = minima;
    this.show();
  }

  show() {
    const { minima, racers, services } = this;
    this.empty.hidden = minima.length > 0;
    this.table.hidden = !minima.length;
    if (!minima.length) {
      return;
    }
    clear(this.head);
    clear(this.body);
    const column = (/** @type {string} */ key) => h('th', { scope: 'col' }, services.t(key));
    this.head.append(column('terrain.basin_place'), column('terrain.basin_depth'));
    for (const racer of racers) {
      this.head.append(
        h('th', { scope: 'col', title: racer.name, 'aria-label': racer.name }, swatch(racer)),
      );
    }
    minima.forEach((basin, index) => {
      const chip = h('i', { class: 'chip' });
      chip.style.background = BASIN_COLOURS[basinKind(index)];
      const place = `${short3(basin.x)}, ${short3(basin.y)}`;
      this.body.append(
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, chip, place),
          h('td', {}, loss(basin.value)),
          ...racers.map((racer, at) => shareCell(basin.shares?.[at] ?? null, racer.colour)),
        ),
      );
    });
  }
}

/** @param {number} value */
function short3(value) {
  return Math.abs(value) < 0.005 ? '0' : short(Number(value.toFixed(2)));
}

/**
 * A share with a bar behind it.
 * @param {number|null} share
 * @param {string} colour
 */
function shareCell(share, colour) {
  const bar = h('i', { class: 'bar' });
  bar.style.background = colour;
  bar.style.width = `${100 * Math.min(1, Math.max(0, share ?? 0))}%`;
  return h('td', { class: 'share' }, bar, h('span', {}, share ? percent(share) : '\u2013'));
}
