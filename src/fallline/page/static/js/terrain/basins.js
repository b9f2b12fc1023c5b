// @ts-check
/** Where the balls end up: each minimum with its depth and the share of each racer's balls in its basin. */
import { clear, h } from 'fallline/dom';
import { loss, percent, short } from 'fallline/terrain/format';
import { swatch } from 'fallline/terrain/marks';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {{x: number, y: number, value: number, shares: (number|null)[], all?: number|null}} Basin */

/** Told apart on the terrain and from each other. */
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
];
const NOWHERE = '#76808f';
/** Colours that a scene can tell apart. */
const KINDS = 16;

/**
 * The colours of a scene where balls are coloured by basin: first those of the racers, then the basins', last
 * that of no basin.
 * @param {string[]} racers
 */
export function basinColours(racers) {
  const room = KINDS - racers.length - 1;
  return [...racers, ...BASIN_COLOURS.slice(0, room), NOWHERE];
}

/**
 * The place of a basin in those colours; where there are more basins than colours they come round again.
 * @param {number} label of a basin, -1 for none
 * @param {number} racers how many
 */
function kindOf(label, racers) {
  return label < 0 ? KINDS - 1 : racers + (label % (KINDS - racers - 1));
}

/** Which basin a place belongs to, from the engine's map of them. */
export class BasinMap {
  /** @param {Float32Array} labels square, row = y, -1 for none */
  constructor(labels) {
    this.labels = labels;
    this.grid = Math.round(Math.sqrt(labels.length));
  }

  /**
   * The place of each ball's colour in `basinColours`.
   * @param {Float32Array} positions normalised to [-1, 1]
   * @param {number} racers how many
   * @returns {Uint8Array}
   */
  kinds(positions, racers) {
    const kinds = new Uint8Array(positions.length / 2);
    const { grid, labels } = this;
    for (let ball = 0; ball < kinds.length; ball += 1) {
      const column = Math.round((positions[2 * ball] * 0.5 + 0.5) * (grid - 1));
      const row = Math.round((positions[2 * ball + 1] * 0.5 + 0.5) * (grid - 1));
      const inside = column >= 0 && row >= 0 && column < grid && row < grid;
      kinds[ball] = kindOf(inside ? labels[row * grid + column] : -1, racers);
    }
    return kinds;
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
    this.note = h('p', { class: 'note', t: 'terrain.basins_note' });
    this.scroller = h(
      'div',
      { class: 'basin-scroll', role: 'group', tabindex: 0, label: 'terrain.tab_basins' },
      this.table,
    );
    this.element = h('div', { class: 'basin-table' }, this.scroller, this.empty, this.note);
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
    this.note.hidden = !minima.length;
    if (!minima.length) {
      return;
    }
    clear(this.head);
    clear(this.body);
    const column = (/** @type {string} */ key) => h('th', { scope: 'col' }, services.t(key));
    this.head.append(column('terrain.basin_place'), column('terrain.basin_depth'));
    for (const racer of racers) {
      this.head.append(
        h(
          'th',
          { scope: 'col', title: racer.name },
          swatch(racer),
          h('span', { class: 'visually-hidden' }, racer.name),
        ),
      );
    }
    const colours = basinColours(racers.map((racer) => racer.colour));
    minima.forEach((basin, index) => {
      const chip = h('i', { class: 'chip' });
      chip.style.background = colours[kindOf(index, racers.length)];
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

/** A share in percent, whose sign stands in the note. @param {number} share */
function whole(share) {
  return percent(share).replace('\u202f%', '');
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
  return h('td', { class: 'share' }, bar, h('span', {}, share ? whole(share) : '\u2013'));
}
