// @ts-check
/** The terrain view: optimizers race over a surface, seen from all sides, and may be disturbed. */
import { name_ } from 'fallline/dom';
import { Attention } from 'fallline/terrain/attention';
import { Deeds } from 'fallline/terrain/deeds';
import { Engine } from 'fallline/terrain/engine';
import { keyed, shortcuts } from 'fallline/terrain/keys';
import { Told } from 'fallline/terrain/told';
import { Panel } from 'fallline/terrain/panel';
import { poster } from 'fallline/terrain/poster';
import { exampleOf, firstSetup, numberIn, packed, unpacked } from 'fallline/terrain/setup';
import { Side } from 'fallline/terrain/side';
import { Stage } from 'fallline/terrain/stage';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/terrain/marks').Face} Face */

export class TerrainView {
  static shortcuts = shortcuts;

  /**
   * @param {HTMLElement} root
   * @param {Services} services
   */
  constructor(root, services) {
    this.root = root;
    this.services = services;
    this.told = new Told(this);
    this.deeds = new Deeds(this);
    this.engine = new Engine(services, firstSetup(), this.told);
    /** @type {Face[]} */
    this.faces = [];
    this.attention = new Attention(this);
    /** @type {import('fallline/terrain/basins').BasinMap|null} */
    this.basinMap = null;
    this.colouring = 'racer';
    this.trails = true;
    this.painted = false;
    /** What a link says that needs the parts. @type {Record<string, any>} */
    this.given = {};
    this.online = false;
    this.seen = false;
    this.period = 33;
    this.moved = 0;
  }

  /** The parts are made when the view is first seen. */
  build() {
    if (this.stage) {
      return;
    }
    const { attention, deeds } = this;
    const hands = {
      tool: () => this.stage?.tool ?? 'orbit',
      choosing: () => this.deeds.choosing,
      ondrop: (/** @type {{x: number, y: number}} */ place) => deeds.drop(place),
      onscatter: (/** @type {{x: number, y: number}} */ place, /** @type {number} */ radius) =>
        deeds.scatter(place, radius),
      onhover: (/** @type {number} */ ball) => attention.look(ball),
      onpin: (/** @type {number} */ ball) => attention.pin(this.engine.race.place(ball)),
    };
    const select = (/** @type {number} */ racer) => attention.select(racer);
    const point = (/** @type {number} */ racer) => attention.point(racer);
    try {
      this.stage = new Stage(this.services, hands, {
        onselect: select,
        onpoint: point,
        onscrub: (step) => this.engine.scrub(step),
        ontrails: () => deeds.setTrails(!this.trails),
        onhome: () => deeds.home(),
        ontool: () => deeds.choose(false),
      });
      this.side = new Side(this.services, hands, {
        onpoint: point,
        ontab: (tab) => deeds.open(tab),
        oncolouring: (by) => deeds.colour(by),
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
      restart: (fields) => deeds.restart(fields),
      run: () => this.engine.run(!this.engine.running),
      step: () => this.engine.step(),
      reset: () => this.engine.reset(),
      choosePoint: () => deeds.choose(true),
      racers: {
        live: (racer, fields) => {
          this.engine.live(racer, fields);
          this.services.touched();
        },
        shape: (racer, name, value) => deeds.shape(racer, name, value),
        honest: (racer) => this.engine.honest(racer),
        see: (racer, visible) => deeds.see(racer, visible),
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
    const { stage, side, panel, given, deeds } = this;
    if (!stage || !side || !panel) {
      return;
    }
    panel.show(this.engine.setup);
    panel.transport.running = this.engine.running;
    if (given.camera && typeof given.camera === 'object') {
      stage.picture.scene.camera = given.camera;
    }
    const smoothing = numberIn(given.smoothing, 0, 0.99, 0.6);
    side.smoothing.value = smoothing;
    side.curves.smoothing = smoothing;
    side.scale.value = given.scale === 'log' ? 'log' : 'linear';
    side.curves.logarithmic = given.scale === 'log';
    deeds.setTrails(given.trails !== false);
    side.choose(['curves', 'basins', 'ball'].includes(given.tab) ? given.tab : 'curves');
    side.colouring.value = given.colouring === 'basin' ? 'basin' : 'racer';
    deeds.colour(side.colouring.value);
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
    this.told.dress();
    this.side?.curves.retheme();
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
    this.told.dress();
    stage.say(this.deeds.choosing);
    stage.timeline.update();
    stage.said = '';
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

  /** @param {number} now */
  draw(now) {
    this.frame = requestAnimationFrame((next) => this.draw(next));
    const { stage, side } = this;
    if (!stage || !side) {
      return;
    }
    const still = this.services.reduced() || this.services.quality === 'low';
    const mix = still ? 1 : Math.min(1, (now - this.moved) / this.period);
    // A scene draws only if it has changed.
    if (stage.picture.scene.render(mix)) {
      stage.placeTag();
    }
    side.picture.scene.render(mix);
    side.curves.draw(now);
    stage.legend.measure(this.engine.race, now);
    stage.speak(this.engine.race, this.names(), this.engine.running);
  }

  /** The camera is on its way. */
  turned() {
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

  /** Title and sentence over the stage. */
  describe() {
    const how = { together: this.engine.setup.spread === 'point', byBasin: this.colouring === 'basin' };
    this.stage?.legend.describe(this.title(), this.engine.race, how);
  }

  /** Which racers are shown. */
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
