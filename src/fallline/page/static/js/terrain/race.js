// @ts-check
/** What the engine has told of the run that is on: its terrain, its racers, and where the balls are. */

/**
 * @typedef {object} Surface as the engine describes it
 * @property {number} run
 * @property {string|null} name
 * @property {string} title
 * @property {string} [about]
 * @property {string|null} [formula] as typed, or in TeX where the surface has a name
 * @property {string} [mathml]
 * @property {number[]} bounds x0, x1, y0, y1
 * @property {string[]} axes
 * @property {number} grid
 * @property {{x: number, y: number, value: number}[]} minima
 * @property {{x: number, y: number, value: number}[]} saddles
 * @property {number|null} low
 * @property {number|null} high
 */
/** @typedef {{value: any, low?: number, high?: number, log?: boolean, static?: boolean}} Setting */
/**
 * @typedef {object} RacerFacts a racer as the engine runs it
 * @property {string} optimizer
 * @property {string} title
 * @property {number} rate
 * @property {number|null} honest
 * @property {number} decay
 * @property {Record<string, Setting>} settings
 * @property {string} [mathml]
 */
/**
 * @typedef {object} Standing of a racer
 * @property {number} low quartile of the loss
 * @property {number} median
 * @property {number} high quartile
 * @property {number} arrived share of the balls in a minimum
 * @property {number} lost share of the balls
 */

/** Numbers that a row of metrics has for each racer. */
export const PER_RACER = 5;

export class Race {
  constructor() {
    this.run = -1;
    /** @type {Surface|null} */
    this.surface = null;
    /** @type {[number, number, number, number]} */
    this.bounds = [-1, 1, -1, 1];
    /** @type {RacerFacts[]} */
    this.racers = [];
    this.step = 0;
    this.frames = 0;
    /** Normalised to [-1, 1], racer by racer. @type {Float32Array} */
    this.positions = new Float32Array(0);
    /** @type {Standing[]} */
    this.standings = [];
  }

  /** @param {Surface} surface */
  begin(surface) {
    this.surface = surface;
    this.run = surface.run;
    const [a, b, c, d] = surface.bounds;
    this.bounds = [a, b, c, d];
    this.racers = [];
    this.step = 0;
    this.positions = new Float32Array(0);
    this.standings = [];
  }

  /** Frames carry the run's number in two bytes. @param {{run: number}} frame */
  isOurs(frame) {
    return this.run >= 0 && frame.run === this.run % 65536;
  }

  get n() {
    return this.positions.length / 2;
  }

  /** Balls of each racer. */
  get each() {
    return this.racers.length ? Math.floor(this.n / this.racers.length) : 0;
  }

  /**
   * Take new positions.
   * @param {number} step
   * @param {Float32Array} positions
   */
  move(step, positions) {
    this.step = step;
    this.frames += 1;
    this.positions = positions;
  }

  /**
   * The last row of metrics.
   * @param {ArrayLike<number>} row its step, then five numbers for each racer
   */
  measure(row) {
    this.standings = this.racers.map((_, index) => {
      const at = 1 + PER_RACER * index;
      return {
        low: row[at],
        median: row[at + 1],
        high: row[at + 2],
        arrived: row[at + 3],
        lost: row[at + 4],
      };
    });
  }

  /** @param {number} ball @returns {{racer: number, ball: number}} */
  place(ball) {
    const each = Math.max(1, this.each);
    return { racer: Math.floor(ball / each), ball: ball % each };
  }

  /** @param {number} racer @param {number} ball */
  index(racer, ball) {
    return racer * this.each + ball;
  }

  /** Which racer each ball belongs to. */
  kinds() {
    const kinds = new Uint8Array(this.n);
    const each = Math.max(1, this.each);
    for (let ball = 0; ball < kinds.length; ball += 1) {
      kinds[ball] = Math.min(this.racers.length - 1, Math.floor(ball / each));
    }
    return kinds;
  }

  /**
   * The number that each ball had when there were fewer, or more, of them; -1 for one that was not there.
   * @param {number} before balls of each racer then
   */
  numbersBefore(before) {
    const each = this.each;
    return Int32Array.from({ length: this.n }, (_, ball) => {
      const own = ball % each;
      return own < before ? Math.floor(ball / each) * before + own : -1;
    });
  }

  /** @param {number} x @param {number} y @returns {[number, number]} in [-1, 1] */
  normal(x, y) {
    const [a, b, c, d] = this.bounds;
    return [(2 * (x - a)) / (b - a) - 1, (2 * (y - c)) / (d - c) - 1];
  }

  /** @param {number} u @param {number} v @returns {[number, number]} in the terrain's own coordinates */
  real(u, v) {
    const [a, b, c, d] = this.bounds;
    return [a + ((u + 1) / 2) * (b - a), c + ((v + 1) / 2) * (d - c)];
  }

  /** Names of the racers; a second one of a kind has a number. */
  names() {
    return this.racers.map((racer, index) => {
      const before = this.racers.slice(0, index).filter((other) => other.optimizer === racer.optimizer);
      return before.length ? `${racer.title} ${before.length + 1}` : racer.title;
    });
  }
}
