// @ts-check
/** Where the points come from: painted, a preset, or two columns of a table. */
import { PRESETS } from 'fallline/fit/state';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/fit/setup').Setup} Setup */
/** @typedef {{name: string, x: string, y: string}} Pair */

export class Source {
  /**
   * @param {Services} services
   * @param {Setup} setup
   */
  constructor(services, setup) {
    this.services = services;
    this.setup = setup;
    /** The preset that the points still are. @type {string | null} */
    this.preset = 'line';
    /** Which variant of it. */
    this.variant = 0;
    /** Painted: x, y by turns. @type {number[]} */
    this.points = [];
    /** @type {Pair | null} */
    this.table = null;
  }

  /** The points as the server is asked for them. @returns {Promise<Record<string, any>>} */
  async data() {
    if (this.table) {
      await this.offer(this.table.name, this.table);
      return { table: this.table };
    }
    if (this.preset) {
      this.points = (await this.services.request('preset', { name: this.preset, seed: this.variant })).points;
    }
    return { points: this.points };
  }

  /** A preset; asked for again, another variant of it. @param {string} name */
  choosePreset(name) {
    this.variant = name === this.preset && !this.table ? this.variant + 1 : 0;
    this.preset = name;
    this.table = null;
    this.show();
  }

  /** The learner paints. @param {number[]} points */
  paint(points) {
    this.preset = null;
    this.points = points;
    this.show();
  }

  /** Back from a table to painted points. */
  leaveTable() {
    this.table = null;
    if (!this.points.length) this.preset = 'line';
    this.show();
  }

  /** The first table there is, with a pair of its columns. @returns {Promise<void>} */
  async enterTable() {
    this.show('table');
    const { tables } = await this.services.request('tables');
    const first =
      tables.find((/** @type {any} */ one) => one.name === 'given') ??
      tables.find((/** @type {any} */ one) => one.name === 'diabetes') ??
      tables[0];
    await this.chooseTable(first.name);
  }

  /** @param {string} name */
  async chooseTable(name) {
    this.take(await this.offer(name));
  }

  /** @param {Pair} pair */
  take(pair) {
    this.table = pair;
    this.preset = null;
    this.show();
  }

  /**
   * Offer the tables, and the columns of one of them.
   * @param {string} name
   * @param {Pair} [chosen]
   * @returns {Promise<Pair>} the columns that are shown
   */
  async offer(name, chosen) {
    const { table, x, y } = this.setup.points;
    const { tables } = await this.services.request('tables');
    table.offer(
      tables.map((/** @type {any} */ one) => ({ value: one.name, text: one.title })),
      name,
    );
    const { columns, target } = await this.services.request('columns', { name });
    const options = columns.map((/** @type {string} */ text) => ({ value: text, text }));
    const second = chosen?.y ?? target;
    const usual = columns.includes('bmi')
      ? 'bmi'
      : columns.find((/** @type {string} */ one) => one !== second);
    const first = chosen?.x ?? usual;
    x.offer(options, first);
    y.offer(options, second);
    return { name, x: first, y: second };
  }

  /** Show which source is chosen. @param {'table' | 'paint'} [kind] */
  show(kind = this.table ? 'table' : 'paint') {
    const { points } = this.setup;
    points.source.value = kind;
    points.painted.hidden = kind === 'table';
    points.tabled.hidden = kind !== 'table';
    points.presets.forEach((one, i) => {
      one.value = PRESETS[i] === this.preset;
    });
  }
}
