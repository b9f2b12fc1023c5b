// @ts-check
/** The fit view: paint points, watch a curve descend on them, in data space and in parameter space. */
import { OPTIMIZER_COLOURS } from 'fallline/palette';
import { KINDS } from 'fallline/wire';
import { SHORTCUTS, pressed } from 'fallline/fit/keys';
import { restoreTo, stateOf } from 'fallline/fit/link';
import { picture } from 'fallline/fit/picture';
import { Setup } from 'fallline/fit/setup';
import { Side } from 'fallline/fit/side';
import { Source } from 'fallline/fit/source';
import { Stage } from 'fallline/fit/stage';
import { takeApart } from 'fallline/fit/state';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/fit/state').Facts} Facts */
/** @typedef {import('fallline/fit/state').State} State */

/** Milliseconds between two messages with painted points. */
const PAINTING = 70;
/** Milliseconds in which moves of sliders become one message. */
const SLIDING = 30;

export class FitView {
  static shortcuts() {
    return SHORTCUTS;
  }

  /** @param {HTMLElement} root @param {Services} services */
  constructor(root, services) {
    this.root = root;
    this.services = services;
    this.online = false;
    this.visible = false;
    /** Does the server not know yet what is to be fitted? */
    this.stale = true;
    this.running = false;
    /** @type {Facts | null} */
    this.facts = null;
    /** @type {State | null} */
    this.now = null;
    this.frames = 0;
    this.advanced = 0;
    /** What a link asks for once the run stands. */
    this.wish = { at: 0, advance: 0, run: false };
    /** Changes of settings that are not sent yet. @type {Record<string, any> | null} */
    this.pending = null;
    /** Are painted points not sent yet? */
    this.unsent = false;
    this.setup = new Setup(services, {
      settings: (change) => this.change(change),
      preset: (name) => this.choosePreset(name),
      clear: () => this.clear(),
      source: (kind) => this.attempt(() => this.enter(kind)),
      table: (pair) => {
        this.source.take(pair);
        this.restart();
      },
      columns: (name) =>
        this.attempt(async () => {
          await this.source.chooseTable(name);
          this.restart();
        }),
      pace: () => this.sendPace(),
      run: () => this.run(!this.running),
      step: () => this.step(),
      reset: () => this.reset(),
      terrain: () => this.attempt(() => this.toTerrain()),
      graph: () => this.attempt(() => this.toGraph()),
    });
    this.source = new Source(services, this.setup);
    this.stage = new Stage(services, {
      painted: (points) => this.paint(points),
      hovered: (point) => {
        this.side.space.hovered = point;
        this.side.space.dirty = true;
      },
    });
    this.side = new Side(services, {
      start: (place) => this.setup.change({ place: place.map((value) => Number(value.toPrecision(4))) }),
      pointed: (place) => this.preview(place),
      hovered: (point) => {
        this.stage.plane.hovered = point;
        this.stage.plane.dirty = true;
      },
      derivative: () => this.sendDerivative(),
    });
    root.append(this.setup.element, this.stage.element, this.side.element);
    this.source.show();
  }

  // With the server.

  connected() {
    this.online = true;
    this.stale = true;
    this.setup.show(this.setup.settings);
    if (this.visible) this.begin();
  }

  /** Tell the server everything, and do what a link asked for. */
  begin() {
    this.stale = false;
    return this.attempt(async () => {
      const { services } = this;
      this.sendPace();
      const data = await this.source.data();
      await services.request('start', { ...this.setup.settings, ...data });
      this.sendDerivative();
      const { at, advance, run } = this.wish;
      this.wish = { at: 0, advance: 0, run: false };
      if (at) await services.request('step', { steps: at });
      if (advance) services.send('advance', { frames: advance });
      else if (run) await this.run(true);
      this.describe();
    });
  }

  /** Another set of points. */
  restart() {
    this.setRunning(false);
    this.begin();
    this.services.touched();
  }

  /** Do something that the server may refuse. @param {() => Promise<any>} action */
  async attempt(action) {
    try {
      await action();
    } catch (error) {
      this.setRunning(false);
      this.services.fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {any} message */
  onText(message) {
    const { services, side } = this;
    const mine = message.run === this.facts?.run;
    if (message.type === 'fit') this.tell(message);
    else if (message.type === 'derivative' && mine) side.derivative.show(message);
    else if (message.type === 'rate' && mine && this.facts) {
      Object.assign(this.facts, { rate: message.rate, honest: message.honest });
      // The arrows are measured by the rate.
      side.space.stretch = 0;
      this.setup.tell(this.facts);
    } else if (message.type === 'stopped') {
      this.setRunning(false);
      services.fail(message.sentence);
      services.announce(message.sentence);
    } else if (message.type === 'advanced') {
      this.advanced = message.step;
      this.describe();
      services.touched();
    } else if (message.type === 'error') services.fail(message.message);
  }

  /** A run begins, or something about it has changed. @param {Facts} facts */
  tell(facts) {
    const fresh = facts.run !== this.facts?.run;
    this.facts = facts;
    if (fresh) this.now = null;
    this.setRunning(facts.running);
    const colour = OPTIMIZER_COLOURS[this.services.theme()][this.setup.settings.optimizer] ?? '#9aa5b5';
    this.setup.tell(facts);
    this.stage.tell(facts, { colour, points: this.source.points, fresh, paintable: !this.source.table });
    this.side.tell(facts, colour, fresh);
  }

  /** Say all again, in other colours or words. */
  retell() {
    if (this.facts) this.tell({ ...this.facts, running: this.running });
  }

  /** @param {import('fallline/wire').Frame} frame */
  onFrame(frame) {
    if (!this.facts || frame.run !== this.facts.run) return;
    if (frame.kind === KINDS.fitSurface) this.side.space.setSurface(frame.data, frame.n);
    if (frame.kind !== KINDS.fitState) return;
    this.now = takeApart(frame);
    this.frames += 1;
    this.stage.push(this.now, this.facts);
    this.side.push(this.now, frame.scalars);
    if (!this.running) this.describe(false);
  }

  sendPace() {
    if (this.online) this.services.send('pace', this.setup.pace);
    this.services.touched();
  }

  sendDerivative() {
    if (this.online && !this.stale) this.services.send('derivative', this.side.wanted);
  }

  // What the user does.

  /** @param {Record<string, any>} change of the settings */
  change(change) {
    const waits = this.pending !== null;
    this.pending = { ...this.pending, ...change };
    if (waits) return;
    setTimeout(
      () =>
        this.attempt(async () => {
          const { pending } = this;
          this.pending = null;
          if (this.online && !this.stale) await this.services.request('set', pending ?? {});
          this.services.touched();
        }),
      SLIDING,
    );
  }

  /** @param {string} name */
  choosePreset(name) {
    this.source.choosePreset(name);
    this.restart();
  }

  clear() {
    if (!this.source.table) this.paint((this.stage.plane.points = []));
  }

  /** @param {number[]} points x, y by turns */
  paint(points) {
    this.source.paint(points);
    this.stage.plane.dirty = true;
    if (this.unsent) return;
    this.unsent = true;
    setTimeout(() => {
      this.unsent = false;
      this.services.send('points', { points: this.source.points });
      this.services.touched();
    }, PAINTING);
  }

  /** @param {string} kind "paint" or "table" */
  async enter(kind) {
    if (kind === 'table') await this.source.enterTable();
    else this.source.leaveTable();
    this.restart();
  }

  /** The line of a place in parameter space, in data space. @param {number[] | null} place */
  preview(place) {
    const { facts, stage } = this;
    stage.plane.preview = null;
    if (place && facts) {
      const { center, scale, target_center: middle, target_scale: spread } = facts.scaling;
      const [low, high] = facts.window;
      stage.plane.preview = [low, high].map(
        (x) => (place[0] * ((x - center) / scale) + place[1]) * spread + middle,
      );
    }
    stage.plane.dirty = true;
  }

  /** @param {boolean} on */
  setRunning(on) {
    this.running = on;
    this.setup.transport.running = on;
  }

  /** @param {boolean} on */
  async run(on) {
    this.setRunning(on);
    await this.attempt(() => this.services.request('run', { on }));
    if (!on) this.describe();
    this.services.touched();
  }

  async step() {
    this.setRunning(false);
    await this.attempt(() => this.services.request('step', { steps: 1 }));
    this.describe();
    this.services.touched();
  }

  reset() {
    this.setRunning(false);
    this.services.send('reset');
    this.services.touched();
  }

  async toTerrain() {
    const { formula, bounds } = await this.services.request('terrain');
    this.services.open('terrain', { formula, bounds });
  }

  async toGraph() {
    const { hidden, model, activation } = this.setup.settings;
    if (model === 'network') {
      this.services.open('graph', { source: 'network', network: { hidden, activation, inputs: 1 } });
      return;
    }
    const { formula, values } = await this.services.request('graph', {
      point: Math.max(0, this.stage.plane.hovered),
    });
    this.services.open('graph', { source: 'expression', formula, values });
  }

  // What the shell asks for.

  show() {
    this.visible = true;
    if (this.online && this.stale) this.begin();
    this.stage.resize();
    const frame = () => {
      if (!this.visible) return;
      this.stage.draw();
      this.side.draw();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  hide() {
    this.visible = false;
  }

  /** The picture in words, for those who do not see it. @param {boolean} [aloud] */
  describe(aloud = true) {
    const { facts, now, services, stage, side } = this;
    const values = stage.head.values(facts, now);
    const text = services.t(facts?.n ? 'fit.describe' : 'fit.describeEmpty', values);
    stage.canvas.setAttribute('aria-label', text);
    side.space.canvas.setAttribute('aria-label', services.t('fit.describeSpace', values));
    side.slice.bars.setAttribute('aria-label', services.t('fit.describeSlice', values));
    stage.head.fill(facts, now);
    if (aloud && !this.running && now?.step) services.announce(services.t('fit.announce', values));
  }

  state() {
    return stateOf(this);
  }

  /** @param {Record<string, any>} given */
  restore(given) {
    restoreTo(this, given);
    this.stale = true;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    return pressed(this, event);
  }

  retheme() {
    this.stage.retheme();
    this.side.retheme();
    this.retell();
  }

  retranslate() {
    this.retell();
    this.describe();
  }

  exports() {
    const made = (/** @type {string} */ kind) => async () => (await this.services.request(kind)).text;
    return { png: () => picture(this), csv: made('csv'), python: made('script') };
  }

  status() {
    return { step: this.now?.step ?? 0, running: this.running };
  }

  /** For tests: the numbers that are shown. */
  get test() {
    const { facts, now, side, stage } = this;
    return {
      step: now?.step ?? 0,
      frames: this.frames,
      advanced: this.advanced,
      run: facts?.run ?? 0,
      n: facts?.n ?? 0,
      loss: now?.loss ?? NaN,
      parameters: Array.from(now?.parameters ?? []),
      rate: facts?.rate ?? null,
      limit: facts?.limit ?? null,
      floor: facts?.floor ?? null,
      epoch: now?.epoch ?? 0,
      batch: now?.batch ?? 0,
      batches: now?.batches ?? 0,
      points: stage.plane.points.length / 2,
      rows: side.losses.columns.rows,
      slope: side.derivative.found?.slope ?? NaN,
    };
  }
}
