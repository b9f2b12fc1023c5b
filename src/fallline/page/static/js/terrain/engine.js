// @ts-check
/** The conversation with the engine: what the user wants goes there, its answers are sorted and handed on. */
import { KINDS } from 'fallline/wire';
import { PER_RACER, Race } from 'fallline/terrain/race';
import { MOST_BALLS, MOST_DROPS, racerOf, startMessage } from 'fallline/terrain/setup';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/terrain/setup').Setup} Setup */
/** @typedef {import('fallline/terrain/race').Surface} Surface */
/**
 * @typedef {object} Listener
 * @property {(surface: Surface, same: boolean) => void} onbegin a run starts; `same` if the surface is
 * @property {(heights: Float32Array) => void} onheights
 * @property {() => void} onracers
 * @property {() => void} onmove balls have moved
 * @property {(step: number, row: Float32Array) => void} onrow
 * @property {(samples: Float32Array[]) => void} ontrails
 * @property {(labels: Float32Array) => void} onbasinmap
 * @property {(message: any) => void} onmessage what the engine says of limits, basins, a ball, the timeline
 * @property {(step: number) => void} onforked
 * @property {() => void} onrunning
 * @property {(what: string|null) => void} onbusy what takes time
 * @property {(where: 'surface'|'run', sentence: string) => void} onerror
 */

export class Engine {
  /**
   * @param {Services} services
   * @param {Setup} setup
   * @param {Listener} listener
   */
  constructor(services, setup, listener) {
    this.services = services;
    this.setup = setup;
    this.listener = listener;
    this.race = new Race();
    this.running = false;
    /** Frames to be made in lock-step once the run has started, then none. */
    this.advance = 0;
    this.starts = 0;
    this.started = false;
    this.starting = false;
    /** Changes that wait for the next animation frame, by racer. @type {Map<string, Record<string, any>>} */
    this.waiting = new Map();
    this.scrubbing = false;
    /** @type {number|null} */
    this.wanted = null;
    /** @type {{racer: number, ball: number}|null} */
    this.inspected = null;
    this.basins = false;
    /** Racers of the run before, on the same surface. @type {import('fallline/terrain/race').RacerFacts[]} */
    this.before = [];
  }

  /** Start a run as the setup has it. */
  async start() {
    const mine = (this.starts += 1);
    await Promise.resolve();
    if (mine !== this.starts) {
      return;
    }
    const first = !this.started;
    this.started = true;
    this.starting = true;
    this.waiting.clear();
    this.inspected = null;
    this.listener.onbusy('start');
    try {
      this.services.send('pace', { steps: this.setup.steps, frames: this.setup.frames });
      if (first && this.basins) {
        this.services.send('basins', { on: true });
      }
      await this.services.request('start', startMessage(this.setup));
    } catch (error) {
      if (mine === this.starts) {
        this.starting = false;
        const sentence = error instanceof Error ? error.message : String(error);
        this.listener.onerror(this.setup.surface === null ? 'surface' : 'run', sentence);
      }
      return;
    }
    if (mine !== this.starts) {
      return;
    }
    this.starting = false;
    this.listener.onbusy(null);
    if (this.advance) {
      this.services.send('advance', { frames: this.advance });
      this.advance = 0;
    } else if (this.running) {
      this.services.send('run', { on: true });
    }
  }

  /** @param {boolean} on */
  run(on) {
    this.running = on;
    this.services.send('run', { on });
    this.listener.onrunning();
  }

  step() {
    if (this.running) {
      this.run(false);
    }
    this.services.send('step', { steps: this.setup.steps });
  }

  /** Back to the start. */
  reset() {
    this.running = false;
    this.setup.drops = [];
    this.listener.onrunning();
    this.start();
  }

  /**
   * Change numbers of a racer while it runs; many changes within a frame are one message.
   * @param {number} racer
   * @param {{rate?: number, settings?: Record<string, number>, decay?: number}} fields
   */
  live(racer, fields) {
    const own = this.setup.racers[racer];
    if (fields.rate !== undefined) {
      own.rate = fields.rate;
    }
    if (fields.decay !== undefined) {
      own.decay = fields.decay;
    }
    own.settings = { ...own.settings, ...fields.settings };
    const key = `racer${racer}`;
    const before = this.waiting.get(key) ?? { racer };
    const settings = { ...before.settings, ...fields.settings };
    this.later(key, { ...before, ...fields, ...(Object.keys(settings).length ? { settings } : {}) });
  }

  /** @param {number} noise */
  noise(noise) {
    this.setup.noise = noise;
    this.later('noise', { noise });
  }

  /**
   * @param {string} key
   * @param {Record<string, any>} fields
   */
  later(key, fields) {
    if (!this.waiting.size) {
      requestAnimationFrame(() => {
        this.waiting.forEach((message) => this.services.send('set', message));
        this.waiting.clear();
      });
    }
    this.waiting.set(key, fields);
  }

  pace() {
    this.services.send('pace', { steps: this.setup.steps, frames: this.setup.frames });
  }

  /** @param {string} optimizer */
  add(optimizer) {
    this.setup.racers = [...this.setup.racers, racerOf(optimizer)];
    this.start();
  }

  /** @param {number} racer */
  remove(racer) {
    this.setup.racers = this.setup.racers.filter((_, index) => index !== racer);
    this.start();
  }

  /** Back to the rate that was searched. @param {number} racer */
  honest(racer) {
    const found = this.race.racers[racer]?.honest;
    this.setup.racers[racer].rate = null;
    if (found) {
      this.waiting.delete(`racer${racer}`);
      this.services.send('set', { racer, rate: found });
    } else {
      this.start();
    }
  }

  /**
   * Add balls to every racer.
   * @param {number} x in the terrain's coordinates
   * @param {number} y
   * @param {number} count for each racer
   * @param {number} radius
   */
  drop(x, y, count, radius) {
    const racers = Math.max(1, this.race.racers.length);
    const room = Math.floor((MOST_BALLS - this.race.n) / racers);
    const fit = Math.min(count, room, 500);
    if (fit < 1) {
      this.listener.onerror('run', this.services.t('terrain.full'));
      return;
    }
    if (this.setup.drops.length < MOST_DROPS) {
      const rounded = [x, y, fit, radius].map((value) => Number(value.toPrecision(6)));
      this.setup.drops.push(/** @type {any} */ ([...rounded, this.race.step]));
    }
    this.services.send('drop', { x, y, count: fit, radius });
  }

  /** Show an earlier step; of many asked for at once, the newest. @param {number} step */
  async scrub(step) {
    if (this.running) {
      this.run(false);
    }
    this.wanted = step;
    if (this.scrubbing) {
      return;
    }
    this.scrubbing = true;
    while (this.wanted !== null) {
      const next = this.wanted;
      this.wanted = null;
      try {
        await this.services.request('scrub', { step: next });
      } catch (error) {
        this.listener.onerror('run', error instanceof Error ? error.message : String(error));
      }
    }
    this.scrubbing = false;
  }

  /** @param {{racer: number, ball: number}|null} one */
  inspect(one) {
    if (one?.racer === this.inspected?.racer && one?.ball === this.inspected?.ball) {
      return;
    }
    this.inspected = one;
    this.services.send('inspect', one ?? { off: true });
  }

  /** @param {boolean} on */
  watchBasins(on) {
    if (on !== this.basins) {
      this.basins = on;
      if (this.started) {
        this.services.send('basins', { on });
      }
    }
  }

  /** @param {any} message */
  onText(message) {
    const { race, listener } = this;
    if (message.type === 'surface') {
      const before = race.surface;
      const key = (/** @type {Surface} */ one) => `${one.name} ${one.formula} ${one.bounds.join()}`;
      const same = before !== null && key(before) === key(message);
      this.before = same ? race.racers : [];
      race.begin(message);
      listener.onbegin(message, same);
    } else if (message.type === 'racers') {
      if (race.surface && message.run === race.run) {
        race.racers = this.remembered(message.racers);
        this.follow(message.noise);
        listener.onracers();
      }
    } else if (message.type === 'forked') {
      race.run = message.run ?? race.run;
      listener.onforked(message.step);
    } else if (message.type === 'error') {
      listener.onerror('run', message.message);
    } else {
      listener.onmessage(message);
    }
  }

  /**
   * After going back in time the numbers are those of then: the setup, and with it the link, follows.
   * @param {number} noise
   */
  follow(noise) {
    const { racers } = this.setup;
    if (this.starting || this.waiting.size || racers.length !== this.race.racers.length) {
      return;
    }
    this.setup.noise = noise ?? this.setup.noise;
    this.race.racers.forEach((facts, index) => {
      const own = racers[index];
      own.rate = facts.honest && Math.abs(facts.rate / facts.honest - 1) < 1e-6 ? null : facts.rate;
      own.decay = own.decay === null ? null : facts.decay;
      const kept = Object.keys(own.settings).filter((name) => name in facts.settings);
      own.settings = Object.fromEntries(kept.map((name) => [name, facts.settings[name].value]));
    });
  }

  /**
   * Racers with the honest rate that is known, also when another rate is set now.
   * @param {any[]} told whose `honest` says whether the rate they started with was searched
   * @returns {import('fallline/terrain/race').RacerFacts[]}
   */
  remembered(told) {
    const now = this.race.racers;
    return told.map((one, index) => {
      const before = this.before.find((other) => other.optimizer === one.optimizer && other.honest);
      // Told first: later the same racer may have been given another rate.
      const found = now[index]?.honest ?? (one.honest ? one.rate : (before?.honest ?? null));
      return { ...one, honest: found };
    });
  }

  /** @param {import('fallline/wire').Frame} frame */
  onFrame(frame) {
    const { race, listener } = this;
    const ours = [KINDS.terrainBalls, KINDS.terrainHeights, KINDS.terrainTrails, KINDS.terrainBasins];
    if (!ours.includes(frame.kind) || !race.isOurs(frame)) {
      return;
    }
    if (frame.kind === KINDS.terrainHeights) {
      listener.onheights(frame.data);
    } else if (frame.kind === KINDS.terrainBasins) {
      listener.onbasinmap(frame.data);
    } else if (frame.kind === KINDS.terrainTrails) {
      listener.ontrails(pieces(frame.data, 2 * frame.n));
    } else if (race.racers.length) {
      // Before the racers are known the rows could not be read.
      const width = 1 + PER_RACER * race.racers.length;
      for (let at = 0; at + width <= frame.scalars.length; at += width) {
        const row = frame.scalars.subarray(at, at + width);
        race.measure(row);
        listener.onrow(row[0], row);
      }
      race.move(frame.step, frame.data);
      listener.onmove();
    }
  }
}

/**
 * @param {Float32Array} data
 * @param {number} length of a piece
 */
function pieces(data, length) {
  /** @type {Float32Array[]} */
  const out = [];
  for (let at = 0; length > 0 && at + length <= data.length; at += length) {
    out.push(data.subarray(at, at + length));
  }
  return out;
}
