// @ts-check
/** A race on a terrain, computed beforehand and played: the studio's block in a notebook. */
import { clear, h, name_, svg } from 'fallline/dom';
import { heightsOf, opened, placesOf } from 'fallline/notebook/numbers';
import { settle } from 'fallline/notebook/room';
import { gradient } from 'fallline/palette';
import { Scene } from 'fallline/scene/scene';
import { setting } from 'fallline/terrain/format';
import { Legend } from 'fallline/terrain/legend';
import { facesOf } from 'fallline/terrain/marks';
import { Race } from 'fallline/terrain/race';
import { Timeline } from 'fallline/terrain/timeline';

/** @typedef {import('fallline/notebook/room').Model} Model */
/** @typedef {import('fallline/services').Services} Services */
/**
 * What `fallline.show.notebook` sends, besides the large arrays.
 * @typedef {Object} Told
 * @property {any} surface
 * @property {{low: number, high: number, bend: number | null}} scale
 * @property {{title: string, optimizer: string, rate: number | null}[]} racers
 * @property {number} balls of each racer
 * @property {number[]} steps of the moments that were kept
 * @property {(number | null)[][][]} standings by moment and racer: median value, shares in a minimum and lost
 */

/** Milliseconds that a race is played in, and that a moment lasts at least and at most. */
const LONG = 12_000;
const FASTEST = 25;
const SLOWEST = 130;
/** Samples of a trail. */
const TRAIL = 72;
const BAR_LABELS = 5;
const TURN = 0.12;
const CLOSER = 1.15;
const PLAY = 'M4.5 3v10l8-5z';
const PAUSE = 'M4 3h3v10H4zM9 3h3v10H9z';

/** @param {Model} model @param {HTMLElement} el */
export function mount(model, el) {
  return settle(model, el, 'terrain', async (root, services) => {
    /** @type {Told} */
    const told = model.get('data');
    const grid = told.surface.grid;
    const [heights, places] = await Promise.all([
      opened(model.get('surface'), grid, 2),
      opened(model.get('paths'), told.steps.length),
    ]);
    return new Played(root, services, told, heightsOf(heights, told.scale), placesOf(places, told.steps.length));
  });
}

class Played {
  /**
   * @param {HTMLElement} root
   * @param {Services} services
   * @param {Told} told
   * @param {Float32Array} heights
   * @param {Float32Array[]} places
   */
  constructor(root, services, told, heights, places) {
    this.services = services;
    this.told = told;
    this.places = places;
    this.race = raceOf(told, places[0]);
    this.names = told.racers.map(({ title }) => title);
    this.canvas = h('canvas', { role: 'img', tabindex: 0 });
    name_(this.canvas, 'terrain.stage');
    this.canvas.removeAttribute('title');
    this.scene = new Scene(this.canvas, {
      theme: services.theme(),
      quality: services.quality,
      pixelRatio: services.pixelRatio,
      reduced: services.reduced(),
    });
    const ticks = h('div', { class: 'ticks', 'aria-hidden': 'true' });
    this.scene.ticks(ticks);
    this.legend = new Legend(services, { onselect: (racer) => this.see(racer), onpoint: () => {} });
    this.timeline = new Timeline(services, { onscrub: (step) => this.scrub(step) });
    this.button = h('button', { class: 'icon play', onclick: () => this.play(!this.playing) });
    this.timeline.element.prepend(this.button);
    this.timeline.element.hidden = places.length < 2 || !this.race.n;
    this.bar = h('div', { class: 'colour-bar', 'aria-hidden': 'true' });
    this.description = h('p', { class: 'visually-hidden' });
    this.description.id = 'described';
    this.canvas.setAttribute('aria-describedby', this.description.id);
    this.picture = h('div', { class: 'picture' }, this.canvas, ticks);
    this.element = h('div', { class: 'stage' }, this.picture, this.legend.element, this.bar,
      this.timeline.element, this.description);
    this.element.classList.toggle('still', this.timeline.element.hidden);
    root.append(h('section', { class: 'view-terrain' }, this.element));
    this.seen = this.race.racers.map(() => true);
    this.playing = false;
    /** Whether it is still to begin by itself. */
    this.fresh = false;
    /** Moments, and parts of one. */
    this.clock = 0;
    this.before = 0;
    this.shown = -1;
    this.period = Math.min(SLOWEST, Math.max(FASTEST, LONG / Math.max(1, places.length)));
    this.setScene(heights);
    this.listen();
    this.dress();
    this.watch();
  }

  /** @param {Float32Array} heights */
  setScene(heights) {
    const { scene, race, told } = this;
    const { grid, bounds, axes, minima, saddles } = told.surface;
    scene.setSurface({ heights, grid, bounds, axes });
    const mark = (/** @type {'minimum' | 'saddle'} */ kind) => (/** @type {{x: number, y: number}} */ point) => {
      const [x, y] = race.normal(point.x, point.y);
      return { x, y, kind };
    };
    const marks = [...minima.map(mark('minimum')), ...saddles.map(mark('saddle'))];
    scene.setMarks(marks.filter(({ x, y }) => Math.abs(x) <= 1 && Math.abs(y) <= 1));
    if (race.n) {
      scene.setBalls(race.n, race.kinds());
    }
    const ramp = h('i', {});
    ramp.style.background = gradient();
    clear(this.bar);
    this.bar.append(ramp, h('b', { t: 'terrain.loss' }));
    for (let place = 0; place < BAR_LABELS; place += 1) {
      const share = place / (BAR_LABELS - 1);
      const value = scene.valueAt(share);
      const label = h('span', {}, setting(Math.abs(value) < 1e-9 ? 0 : value));
      label.style.bottom = `${100 * share}%`;
      this.bar.append(label);
    }
  }

  listen() {
    // The wheel is for the notebook's page, until the block has the focus.
    this.picture.addEventListener('wheel', (event) => {
      const root = /** @type {ShadowRoot | Document} */ (this.canvas.getRootNode());
      if (!event.ctrlKey && root.activeElement !== this.canvas) {
        event.stopPropagation();
      }
    }, { capture: true });
    this.picture.addEventListener('pointerdown', () => this.picture.classList.add('by-hand'), { capture: true });
    this.canvas.addEventListener('blur', () => this.picture.classList.remove('by-hand'));
    this.canvas.addEventListener('keydown', (event) => this.key(event));
  }

  /** Draw while it is seen; a race begins by itself the first time. */
  watch() {
    const begin = this.services.reduced() ? this.places.length - 1 : 0;
    this.go(begin);
    this.fresh = begin === 0 && this.places.length > 1 && this.race.n > 0;
    this.look = new IntersectionObserver(([entry]) => {
      if (entry.isIntersecting) {
        this.frame ??= requestAnimationFrame((now) => this.draw(now));
        if (this.fresh && entry.intersectionRatio > 0.4) {
          this.play(true);
        }
      } else if (this.frame) {
        cancelAnimationFrame(this.frame);
        this.frame = undefined;
      }
    }, { threshold: [0, 0.5] });
    this.look.observe(this.canvas);
  }

  /** @param {boolean} on */
  play(on) {
    const last = this.places.length - 1;
    if (on && this.clock >= last) {
      this.go(0);
    }
    this.playing = on;
    this.fresh = this.fresh && !on;
    this.before = 0;
    name_(this.button, on ? 'control.pause' : 'control.run');
    const path = svg('path', { d: on ? PAUSE : PLAY });
    this.button.replaceChildren(svg('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, path));
    if (!on && this.shown >= 0) {
      this.speak();
    }
  }

  /** @param {number} now */
  draw(now) {
    this.frame = requestAnimationFrame((next) => this.draw(next));
    const last = this.places.length - 1;
    if (this.playing) {
      const gone = this.before ? Math.min(100, now - this.before) : 0;
      this.before = now;
      this.clock = Math.min(last, this.clock + gone / this.period);
      while (this.shown < Math.ceil(this.clock)) {
        this.move(this.shown + 1);
      }
      if (this.clock >= last) {
        this.play(false);
      }
    }
    const part = this.clock - Math.floor(this.clock);
    this.scene.render(part || 1);
    this.legend.measure(this.race, now);
  }

  /** The next moment. @param {number} moment */
  move(moment) {
    this.shown = moment;
    this.scene.push(this.places[moment]);
    this.tell();
  }

  /** A moment as a whole, with the ways that lead to it. @param {number} moment */
  go(moment) {
    this.clock = moment;
    this.shown = moment;
    if (this.race.n) {
      this.scene.setTrails(this.places.slice(Math.max(0, moment - TRAIL), moment + 1));
    }
    this.tell();
  }

  /** What is known of the moment. */
  tell() {
    const { race, told, shown } = this;
    race.move(told.steps[shown], this.places[shown]);
    race.standings = (told.standings[shown] ?? []).map(([median, arrived, lost]) => {
      const value = median ?? Infinity;
      return { low: value, median: value, high: value, arrived: arrived ?? 0, lost: lost ?? 0 };
    });
    this.timeline.known({ first: told.steps[0], last: told.steps[told.steps.length - 1] });
    this.timeline.asked = null;
    this.timeline.show(race.step);
  }

  /** @param {number} step */
  scrub(step) {
    this.fresh = false;
    this.play(false);
    const { steps } = this.told;
    const after = steps.findIndex((other) => other >= step);
    const at = after < 0 ? steps.length - 1 : after;
    this.go(at > 0 && step - steps[at - 1] < steps[at] - step ? at - 1 : at);
    this.legend.drawn = 0;
    this.speak();
  }

  /** Hide a racer's balls, or show them again. @param {number} racer */
  see(racer) {
    this.seen[racer] = !this.seen[racer];
    this.scene.setVisible(this.seen);
    this.dress();
  }

  /** Colours and names, in the theme of now. */
  dress() {
    const { race, scene, told } = this;
    this.faces = facesOf(race.racers.map((racer) => racer.optimizer), this.names, this.services.theme());
    scene.setTheme(this.services.theme());
    scene.setColours(this.faces.map((face) => face.colour), this.faces.map((face) => face.mark));
    this.legend.show(this.faces, this.seen);
    [...this.legend.body.children].forEach((row, index) => {
      const rate = told.racers[index].rate;
      row.querySelector('button')?.setAttribute('aria-pressed', String(this.seen[index]));
      if (rate !== null) {
        row.firstElementChild?.append(h('small', { class: 'rate number', title: this.services.t('terrain.rate') }, `η ${setting(rate)}`));
      }
    });
    this.legend.describe(told.surface.title, race, { together: false, byBasin: false });
    this.legend.table.hidden = !race.racers.length;
    this.legend.measure(race, Infinity);
    this.legend.drawn = 0;
    this.play(this.playing);
  }

  retheme() {
    this.dress();
  }

  /** For those who do not see it. */
  speak() {
    if (this.race.racers.length) {
      this.description.textContent = this.legend.spoken(this.race, this.names);
      this.services.announce(this.description.textContent ?? '');
    }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    /** @type {Record<string, () => void>} */
    const deeds = {
      ArrowLeft: () => this.scene.orbit(-TURN, 0),
      ArrowRight: () => this.scene.orbit(TURN, 0),
      ArrowUp: () => this.scene.orbit(0, -TURN / 2),
      ArrowDown: () => this.scene.orbit(0, TURN / 2),
      '+': () => this.scene.zoom(CLOSER),
      '=': () => this.scene.zoom(CLOSER),
      '-': () => this.scene.zoom(1 / CLOSER),
      0: () => this.scene.home(),
      ' ': () => this.play(!this.playing),
    };
    if (deeds[event.key]) {
      event.preventDefault();
      event.stopPropagation();
      deeds[event.key]();
    }
  }

  dispose() {
    if (this.frame) {
      cancelAnimationFrame(this.frame);
    }
    this.look?.disconnect();
    this.scene.dispose();
  }

  /** For tests: the numbers that are shown. */
  get test() {
    const { race } = this;
    return {
      step: race.step,
      n: race.n,
      playing: this.playing,
      medians: race.standings.map((standing) => standing.median),
      positions: Array.from(race.positions),
      range: this.scene.range,
      scrub: (/** @type {number} */ step) => this.scrub(step),
      play: (/** @type {boolean} */ on) => this.play(on),
      camera: () => this.scene.camera,
    };
  }
}

/** @param {Told} told @param {Float32Array} places */
function raceOf(told, places) {
  const race = new Race();
  race.begin({ ...told.surface, run: 0 });
  race.racers = told.racers.map(({ title, optimizer, rate }) => ({
    optimizer,
    title,
    rate: rate ?? 0,
    honest: null,
    decay: 0,
    settings: {},
  }));
  race.positions = places;
  return race;
}
