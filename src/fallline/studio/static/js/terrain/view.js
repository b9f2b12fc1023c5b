// @ts-check
/** The terrain view: optimizers race over a surface, seen from all sides, and may be disturbed at any time. */
import { name_ } from 'fallline/dom';
import { Attention } from 'fallline/terrain/attention';
import { BasinMap, basinColours } from 'fallline/terrain/basins';
import { Engine } from 'fallline/terrain/engine';
import { keyed, shortcuts } from 'fallline/terrain/keys';
import { facesOf } from 'fallline/terrain/marks';
import { Panel } from 'fallline/terrain/panel';
import { poster } from 'fallline/terrain/poster';
import { exampleOf, firstSetup, numberIn, packed, unpacked } from 'fallline/terrain/setup';
import { Side } from 'fallline/terrain/side';
import { Stage } from 'fallline/terrain/stage';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/terrain/setup').Setup} Setup */
/** @typedef {import('fallline/terrain/race').Surface} Surface */
/** @typedef {import('fallline/terrain/marks').Face} Face */

/** Balls of all racers together that a scatter adds. */
const SCATTERED = 500;
const STEEP = 3;

export class TerrainView {
  static shortcuts = shortcuts;

  /**
   * @param {HTMLElement} root
   * @param {Services} services
   */
  constructor(root, services) {
    this.root = root;
    this.services = services;
    this.engine = new Engine(services, firstSetup(), {
      onbegin: (surface, same) => this.begin(surface, same),
      onheights: (heights) => this.raise(heights),
      onracers: () => this.enter(),
      onmove: () => this.move(),
      onrow: (step, row) => this.measure(step, row),
      ontrails: (samples) => this.both((picture) => picture.scene.setTrails(samples)),
      onbasinmap: (labels) => {
        this.basinMap = new BasinMap(labels);
        this.paint();
      },
      onmessage: (message) => this.hear(message),
      onforked: (step) => this.fork(step),
      onrunning: () => this.showRunning(),
      onerror: (where, sentence) => this.complain(where, sentence),
    });
    /** @type {Face[]} */
    this.faces = [];
    this.attention = new Attention(this);
    /** @type {BasinMap|null} */
    this.basinMap = null;
    this.colouring = 'racer';
    this.trails = true;
    /** Names of the racers that everything was made for. */
    this.entered = '';
    this.painted = false;
    this.choosing = false;
    /** What a link says that needs the parts. @type {Record<string, any>} */
    this.given = {};
    this.online = false;
    this.seen = false;
    this.period = 33;
    this.moved = 0;
    this.until = 0;
  }

  /** The parts are made when the view is first seen. */
  build() {
    if (this.stage) {
      return;
    }
    const { attention } = this;
    const hands = {
      tool: () => this.stage?.tool ?? 'orbit',
      choosing: () => this.choosing,
      ondrop: (/** @type {{x: number, y: number}} */ place) => this.drop(place),
      onscatter: (/** @type {{x: number, y: number}} */ place, /** @type {number} */ radius) => this.scatter(place, radius),
      onhover: (/** @type {number} */ ball) => attention.look(ball),
      onpin: (/** @type {number} */ ball) => attention.pin(this.engine.race.place(ball)),
    };
    const select = (/** @type {number} */ racer) => attention.select(racer);
    const point = (/** @type {number} */ racer) => attention.point(racer);
    try {
      this.stage = new Stage(this.services, hands, {
        onselect: select,
        onpoint: point,
        onscrub: (step) => this.scrub(step),
        ontrails: () => this.setTrails(!this.trails),
        onhome: () => this.home(),
        ontool: () => this.choose(false),
      });
      this.side = new Side(this.services, hands, {
        onpoint: point,
        ontab: (tab) => this.open(tab),
        oncolouring: (by) => this.colour(by),
        onnext: (by) => attention.next(by),
        onrelease: () => attention.release(),
        ongraph: () => attention.toGraph(),
        onstart: () => attention.startHere(),
      });
    } catch (error) {
      // Without WebGL there is nothing to see here; the other views go on.
      this.services.fail(error instanceof Error ? error.message : String(error));
      throw error;
    }
    this.panel = new Panel(this.services, this.engine, {
      restart: (fields) => this.restart(fields),
      run: () => this.engine.run(!this.engine.running),
      step: () => this.engine.step(),
      reset: () => this.engine.reset(),
      choosePoint: () => this.choose(true),
      racers: {
        live: (racer, fields) => {
          this.engine.live(racer, fields);
          this.services.touched();
        },
        shape: (racer, name, value) => {
          const own = this.engine.setup.racers[racer];
          own.settings = { ...own.settings, [name]: value };
          this.restart({});
        },
        honest: (racer) => this.engine.honest(racer),
        see: (racer, visible) => this.see(racer, visible),
        select,
        add: (optimizer) => this.engine.add(optimizer),
        remove: (racer) => this.engine.remove(racer),
      },
    });
    this.root.append(this.panel.element, this.stage.element, this.side.element);
    this.stage.picture.scene.onmove = () => this.turned();
    this.retranslate();
    this.settle();
  }

  /** What a link says of the parts. */
  settle() {
    const { stage, side, panel, given } = this;
    if (!stage || !side || !panel) {
      return;
    }
    panel.show(this.engine.setup);
    if (given.camera && typeof given.camera === 'object') {
      stage.picture.scene.camera = given.camera;
    }
    const smoothing = numberIn(given.smoothing, 0, 0.99, 0.6);
    side.smoothing.value = smoothing;
    side.curves.smoothing = smoothing;
    side.scale.value = given.scale === 'log' ? 'log' : 'linear';
    side.curves.logarithmic = given.scale === 'log';
    this.setTrails(given.trails !== false);
    side.choose(['curves', 'basins', 'ball'].includes(given.tab) ? given.tab : 'curves');
    side.colouring.value = given.colouring === 'basin' ? 'basin' : 'racer';
    this.colour(side.colouring.value);
    this.given = {};
  }

  connected() {
    this.online = true;
    this.panel?.surface.offer(this.engine.setup);
    this.panel?.racers.offer();
    if (this.seen) {
      this.engine.start();
    }
  }

  show() {
    this.seen = true;
    this.build();
    if (this.online && !this.engine.started) {
      this.panel?.surface.offer(this.engine.setup);
      this.panel?.racers.offer();
      this.engine.start();
    }
    this.both((picture) => picture.scene.resize());
    this.wake(500);
    this.frame ??= requestAnimationFrame((now) => this.draw(now));
  }

  hide() {
    this.seen = false;
    if (this.frame) {
      cancelAnimationFrame(this.frame);
      this.frame = undefined;
    }
  }

  /** @param {any} message */
  onText(message) {
    this.engine.onText(message);
  }

  /** @param {import('fallline/wire').Frame} frame */
  onFrame(frame) {
    this.engine.onFrame(frame);
  }

  /** @returns {Record<string, any>} */
  state() {
    const { stage, side } = this;
    return {
      ...packed(this.engine.setup),
      ...(stage ? { camera: stage.picture.scene.camera } : {}),
      ...(side
        ? {
            smoothing: Number(side.smoothing.value.toFixed(2)),
            scale: side.scale.value === 'log' ? 'log' : null,
            tab: side.tab === 'curves' ? null : side.tab,
          }
        : {}),
      colouring: this.colouring === 'basin' ? 'basin' : null,
      trails: this.trails ? null : false,
    };
  }

  /** @param {Record<string, any>} state */
  restore(state) {
    Object.assign(this.engine.setup, unpacked(state, this.engine.setup));
    this.engine.running = state.run === true;
    this.engine.advance = Math.round(numberIn(state.advance, 0, 10_000, 0));
    this.given = state;
    this.settle();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    return keyed(this, event);
  }

  retheme() {
    this.both((picture) => picture.scene.setTheme(this.services.theme()));
    this.dress();
    this.side?.curves.retheme();
    this.wake(300);
  }

  retranslate() {
    const { stage, side, panel, engine } = this;
    if (!stage || !side || !panel) {
      return;
    }
    name_(stage.picture.canvas, 'terrain.stage');
    name_(side.picture.canvas, 'terrain.map');
    stage.picture.canvas.removeAttribute('title');
    side.picture.canvas.removeAttribute('title');
    panel.surface.offer(engine.setup);
    if (engine.race.surface) {
      panel.surface.told(engine.race.surface, engine.setup);
    }
    this.dress();
    stage.say(this.choosing);
    side.read(-1);
    side.basins.show();
    const { ball } = this.attention;
    side.inspector.show(ball, ball ? this.faces[ball.racer] : null, this.attention.state());
  }

  exports() {
    const made = (/** @type {string} */ kind) => async () => (await this.services.request(kind)).text;
    return {
      png: () => poster(this),
      csv: made('csv'),
      python: made('script'),
    };
  }

  status() {
    return { step: this.engine.race.step, running: this.engine.running };
  }

  /** For tests: the numbers that are shown. */
  get test() {
    const { race } = this.engine;
    return {
      frames: race.frames,
      step: race.step,
      run: race.run,
      n: race.n,
      medians: () => race.standings.map((standing) => standing.median),
      standings: () => race.standings,
      positions: () => Array.from(race.positions),
      ball: () => this.attention.ball,
    };
  }

  /** @param {(picture: import('fallline/terrain/picture').Picture) => void} what */
  both(what) {
    if (this.stage && this.side) {
      what(this.stage.picture);
      what(this.side.picture);
    }
  }

  /** Draw for so many milliseconds, even if no frame comes. @param {number} milliseconds */
  wake(milliseconds) {
    this.until = Math.max(this.until === Infinity ? 0 : this.until, performance.now() + milliseconds);
  }

  /** @param {number} now */
  draw(now) {
    this.frame = requestAnimationFrame((next) => this.draw(next));
    const { stage, side } = this;
    if (!stage || !side) {
      return;
    }
    const still = this.services.reduced() || this.services.quality === 'low';
    const mix = still ? 1 : Math.min(1, (now - this.moved) / this.period);
    if (now < this.until || now - this.moved < this.period + 100) {
      if (stage.picture.scene.render(mix)) {
        stage.placeTag();
      }
      side.picture.scene.render(mix);
    }
    side.curves.draw(now);
    stage.legend.measure(this.engine.race, now);
    if (this.engine.running) {
      stage.speak(this.engine.race, this.names(), false);
    }
  }

  // What the engine says

  /** @param {Surface} surface @param {boolean} same */
  begin(surface, same) {
    const { stage, side, panel } = this;
    if (!stage || !side || !panel) {
      return;
    }
    panel.surface.told(surface, this.engine.setup);
    const [low, high] = [surface.low ?? 0, surface.high ?? 1];
    const lowest = Math.min(low, ...surface.minima.map((one) => one.value));
    side.curves.limits(lowest, high + STEEP * (high - low));
    side.curves.restart(same);
    this.entered = '';
    side.ghost.hidden = side.curves.past === null;
    this.basinMap = same ? this.basinMap : null;
    side.basins.update([]);
    stage.timeline.restart();
    this.attention.pinned = null;
    this.attention.forget();
  }

  /** @param {Float32Array} heights */
  raise(heights) {
    const { race } = this.engine;
    if (race.surface && this.stage) {
      const { surface } = race;
      this.both((picture) => picture.setSurface(surface, race, heights));
      this.stage.setScale();
      this.wake(400);
    }
  }

  /** The racers are known, or their numbers have changed. */
  enter() {
    const { race } = this.engine;
    const names = race.names().join();
    if (names !== this.entered || !this.faces.length) {
      this.entered = names;
      this.dress();
    } else {
      this.panel?.racers.show(race.racers, this.faces, this.visible());
    }
  }

  /** Names, colours and marks, wherever they are shown. */
  dress() {
    const { race } = this.engine;
    const optimizers = race.racers.map((racer) => racer.optimizer);
    this.faces = facesOf(optimizers, race.names(), this.services.theme());
    const { stage, side, panel } = this;
    if (!stage || !side || !panel || !race.racers.length) {
      return;
    }
    stage.legend.show(this.faces, this.visible());
    this.describe();
    side.setRacers(race, this.faces, this.visible());
    panel.racers.show(race.racers, this.faces, this.visible());
    const colours = basinColours(this.faces.map((face) => face.colour));
    const marks = this.faces.map((face) => face.mark);
    this.both((picture) => {
      picture.scene.setColours(colours, marks);
      picture.scene.setVisible(this.visible());
    });
    this.attention.highlight();
  }

  move() {
    const { stage, side } = this;
    const { race } = this.engine;
    if (!stage || !side || !race.n) {
      return;
    }
    const before = stage.picture.each;
    this.both((picture) => picture.move(race, this.trails));
    const now = performance.now();
    if (this.moved) {
      this.period = 0.9 * this.period + 0.1 * Math.min(250, now - this.moved);
    }
    this.moved = now;
    this.paint();
    stage.busy.hidden = true;
    if (before !== race.each) {
      this.describe();
      stage.legend.drawn = 0;
    }
    stage.timeline.at(race.step);
    side.curves.mark = stage.timeline.behind ? race.step : null;
    if (stage.timeline.behind) {
      side.curves.redraw();
    }
  }

  /** @param {number} step @param {Float32Array} row */
  measure(step, row) {
    const { side } = this;
    const values = [];
    for (let at = 1; at + 4 < row.length; at += 5) {
      values.push(row[at], row[at + 1], row[at + 2]);
    }
    const { columns } = side?.curves ?? {};
    // A step that was shown again is no new row.
    if (columns && (!columns.rows || step > columns.steps[columns.rows - 1])) {
      side?.curves.push(step, values);
    }
  }

  /** @param {any} message */
  hear(message) {
    const { stage, side, panel } = this;
    if (!stage || !side || !panel) {
      return;
    }
    if (message.type === 'limits') {
      panel.racers.limit(message.racers);
    } else if (message.type === 'basins') {
      side.basins.update(message.minima);
    } else if (message.type === 'timeline') {
      stage.timeline.known(message);
    } else if (message.type === 'ball') {
      this.attention.hear(message);
    } else if (message.type === 'busy') {
      stage.busy.hidden = !message.what;
    } else if (message.type === 'advanced') {
      this.root.dataset.advanced = String(message.step);
    }
  }

  /** @param {number} step */
  fork(step) {
    const { setup } = this.engine;
    setup.drops = setup.drops.filter((drop) => drop[4] <= step);
    this.side?.curves.fork(step);
    this.stage?.timeline.fork(step);
    if (this.side) {
      this.side.ghost.hidden = this.side.curves.past === null;
    }
    this.services.announce(this.services.t('terrain.forked', { n: step }));
  }

  showRunning() {
    const { running, race } = this.engine;
    if (this.panel) {
      this.panel.transport.running = running;
    }
    if (!running) {
      this.stage?.speak(race, this.names(), true);
    }
  }

  /** @param {'surface'|'run'} where @param {string} sentence */
  complain(where, sentence) {
    if (this.stage) {
      this.stage.busy.hidden = true;
    }
    if (where === 'surface' && this.panel) {
      this.panel.surface.complain(sentence);
    } else {
      this.services.fail(sentence);
    }
  }

  // What the user does

  /** Start anew with other settings. @param {Partial<Setup>} fields */
  restart(fields) {
    const { setup } = this.engine;
    if ('surface' in fields && (fields.surface !== setup.surface || fields.formula !== setup.formula)) {
      // Places and rates that were set by hand belong to the surface that was.
      setup.at = null;
      setup.drops = [];
      setup.racers.forEach((racer) => {
        racer.rate = null;
      });
    }
    Object.assign(setup, fields);
    this.panel?.show(setup);
    this.choose(false);
    this.engine.start();
    this.services.touched();
  }

  /** @param {{x: number, y: number}} place normalised */
  drop(place) {
    const [x, y] = this.engine.race.real(place.x, place.y);
    if (this.choosing) {
      const at = [x, y].map((part) => Number(part.toPrecision(6)));
      this.restart({ spread: 'point', at, drops: [] });
      return;
    }
    this.engine.drop(x, y, 1, 0);
    this.services.touched();
  }

  /** @param {{x: number, y: number}} place normalised @param {number} radius likewise */
  scatter(place, radius) {
    const { race } = this.engine;
    const [x, y] = race.real(place.x, place.y);
    const [a, b, c, d] = race.bounds;
    const each = Math.max(1, Math.round(SCATTERED / Math.max(1, race.racers.length)));
    this.engine.drop(x, y, each, (radius * (b - a + d - c)) / 4);
    this.services.touched();
  }

  /** Is the next click to choose the start of all? @param {boolean} on */
  choose(on) {
    this.choosing = on;
    this.stage?.say(on);
  }

  /** @param {number} step */
  scrub(step) {
    this.engine.scrub(step);
  }

  /** @param {number} racer @param {boolean} visible */
  see(racer, visible) {
    this.engine.setup.racers[racer].visible = visible;
    this.dress();
    this.wake(300);
    this.services.touched();
  }

  /** @param {boolean} on */
  setTrails(on) {
    this.trails = on;
    this.stage?.trails.setAttribute('aria-pressed', String(on));
    this.both((picture) => picture.showTrails(on));
    this.wake(300);
    this.services.touched();
  }

  home() {
    this.stage?.picture.scene.home();
    this.turned();
  }

  /** The camera is on its way. */
  turned() {
    this.wake(1500);
    this.services.touched();
  }

  /** Colour the balls by "racer" or by "basin". @param {string} by */
  colour(by) {
    this.colouring = by;
    if (this.side) {
      this.side.colouring.value = by;
    }
    this.watch();
    this.paint();
    this.describe();
    this.wake(300);
    this.services.touched();
  }

  /** @param {import('fallline/terrain/side').Tab} tab */
  open(tab) {
    this.watch();
    if (tab === 'ball' && !this.engine.inspected && this.engine.race.n) {
      this.attention.next(1);
    }
    this.services.touched();
  }

  /** The engine looks after basins only while somebody does. */
  watch() {
    this.engine.watchBasins(this.colouring === 'basin' || this.side?.tab === 'basins');
  }

  /** The colours of the balls, if they are not those of their racers. */
  paint() {
    const { race } = this.engine;
    const kinds =
      this.colouring === 'basin' && this.basinMap && race.n
        ? this.basinMap.kinds(race.positions, race.racers.length)
        : null;
    if (kinds || this.painted) {
      this.both((picture) => picture.scene.recolour(kinds));
    }
    this.painted = kinds !== null;
  }

  describe() {
    const how = { together: this.engine.setup.spread === 'point', byBasin: this.colouring === 'basin' };
    this.stage?.legend.describe(this.title(), this.engine.race, how);
  }

  visible() {
    return this.engine.race.racers.map((_, index) => this.engine.setup.racers[index]?.visible ?? true);
  }

  names() {
    return this.faces.map((face) => face.name);
  }

  title() {
    const { setup, race } = this.engine;
    if (setup.surface !== null) {
      return race.surface?.title ?? setup.surface;
    }
    const example = exampleOf(setup.formula);
    return example ? this.services.t(`terrain.example_${example}`) : 'f(x, y)';
  }
}
