// @ts-check
/** The fit view: paint points, watch a curve descend on them, in data space and in parameter space. */
import { button, segmented } from 'fallline/controls';
import { h, name_, say } from 'fallline/dom';
import { OPTIMIZER_COLOURS } from 'fallline/palette';
import { KINDS } from 'fallline/wire';
import { Derivative } from 'fallline/fit/derivative';
import { Head } from 'fallline/fit/head';
import { Losses } from 'fallline/fit/losses';
import { Painting } from 'fallline/fit/painting';
import { picture } from 'fallline/fit/picture';
import { Plane } from 'fallline/fit/plane';
import { Setup } from 'fallline/fit/setup';
import { Slice } from 'fallline/fit/slice';
import { Space } from 'fallline/fit/space';
import {
  MOST_IN_ADDRESS, PRESETS, areNumbers, isNumber, packed, settingsOf, spoken, takeApart, unpacked,
} from 'fallline/fit/state';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/fit/state').Facts} Facts */
/** @typedef {import('fallline/fit/state').State} State */

/** Milliseconds between two messages with painted points, and with settings of a slider. */
const PERIOD = 70;

export class FitView {
  static shortcuts() {
    return [
      ['Space', 'fit.keys.run'], ['→ .', 'fit.keys.step'], ['R', 'fit.keys.reset'], ['P', 'fit.keys.paint'],
      ['E', 'fit.keys.erase'], ['C', 'fit.keys.clear'], ['1 … 5', 'fit.keys.presets'], ['M', 'fit.keys.mode'],
      ['D', 'fit.keys.derivative'], ['G', 'fit.keys.cloud'], ['↑ ↓ ← → Enter', 'fit.keys.cross'],
    ];
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
    /** @type {string | null} */
    this.preset = 'line';
    this.presetSeed = 0;
    /** @type {number[]} */
    this.points = [];
    /** @type {{name: string, x: string, y: string} | null} */
    this.table = null;
    /** What a link asks for once the run stands. @type {{at: number, advance: number, run: boolean}} */
    this.wish = { at: 0, advance: 0, run: false };
    this.build();
  }

  build() {
    const { services } = this;
    this.setup = new Setup(services, {
      settings: (change) => this.changeSettings(change),
      preset: (name) => this.choosePreset(name),
      clear: () => this.clear(),
      source: (kind) => this.chooseSource(kind),
      table: (table) => this.chooseTable(table),
      columns: (name) => this.loadColumns(name),
      pace: () => this.sendPace(),
      run: () => this.run(!this.running),
      step: () => this.step(),
      reset: () => this.reset(),
      terrain: () => this.link('terrain', {}),
      graph: () => this.link('graph', { point: Math.max(0, this.plane.hovered) }),
    });
    this.canvas = h('canvas', { role: 'img', tabindex: '0', class: 'plane' });
    this.tools = segmented(services, {
      label: 'fit.tool', value: 'paint', options: [{ value: 'paint', t: 'fit.tool.paint' }, { value: 'erase', t: 'fit.tool.erase' }],
      onchange: (value) => this.takeTool(/** @type {'paint' | 'erase'} */ (value)),
    });
    this.residuals = button(services, { t: 'fit.residuals', pressed: false, class: 'small', onclick: () => {
      this.plane.residuals = !this.plane.residuals;
      this.residuals.value = this.plane.residuals;
      this.plane.dirty = true;
      services.touched();
    } });
    this.head = new Head(services);
    this.stage = h('div', { class: 'stage' }, this.canvas, this.head.element,
      h('div', { class: 'tools-of' }, this.residuals.element, this.tools.element), this.head.legend, this.head.table);
    this.plane = new Plane(this.canvas, services);
    this.painting = new Painting(this.plane, {
      changed: () => this.painted(),
      hovered: (point) => this.pointAt(point),
      full: () => services.fail(services.t('fit.full')),
    });
    this.spaceBox = h('div', { class: 'space' });
    this.space = new Space(this.spaceBox, services, {
      start: (place) => this.startAt(place),
      pointed: (place) => this.preview(place),
      hovered: (point) => {
        this.plane.hovered = point;
        this.plane.dirty = true;
      },
      scaled: () => this.caption(),
    });
    this.mode = segmented(services, {
      label: 'fit.mode', value: 'map', options: [{ value: 'map', t: 'fit.mode.map' }, { value: 'block', t: 'fit.mode.block' }],
      onchange: (value) => this.space.setMode(/** @type {'map' | 'block'} */ (value)),
    });
    this.cloud = button(services, { t: 'fit.cloud', label: 'fit.cloudAbout', pressed: true, class: 'small', onclick: () => {
      this.space.showCloud = !this.space.showCloud;
      this.cloud.value = this.space.showCloud;
      this.space.dirty = true;
      this.caption();
      services.touched();
    } });
    this.spaceNote = h('p', { class: 'note space-note' });
    this.slice = new Slice(services, { chosen: (parameter) => this.showDerivative(parameter) });
    this.slice.element.hidden = true;
    this.spaceTitle = h('h2', { class: 'heading', t: 'fit.parameterSpace' });
    this.spaceTools = h('div', { class: 'space-tools' }, this.cloud.element, this.mode.element);
    const spacePart = h('section', { class: 'part upper' },
      h('div', { class: 'part-head' }, this.spaceTitle, this.spaceTools), this.spaceBox, this.spaceNote, this.slice.element);
    this.losses = new Losses(services);
    this.derivative = new Derivative(services, { chosen: (parameter) => this.showDerivative(parameter) });
    this.tab = segmented(services, {
      label: 'fit.tab', value: 'loss', options: [{ value: 'loss', t: 'fit.tab.loss' }, { value: 'derivative', t: 'fit.tab.derivative' }],
      onchange: (value) => this.openTab(value),
    });
    this.derivative.element.hidden = true;
    const lower = h('section', { class: 'part lower' }, this.tab.element, this.losses.element, this.derivative.element);
    const right = h('div', { class: 'column right' }, h('div', { class: 'scroll' }, spacePart, lower));
    this.root.append(this.setup.element, this.stage, right);
    new ResizeObserver(() => this.resize()).observe(this.stage);
    new ResizeObserver(() => this.space.resize()).observe(this.spaceBox);
    new ResizeObserver(() => {
      this.slice.dirty = true;
    }).observe(this.slice.bars);
  }

  // The connection.

  connected() {
    this.online = true;
    this.stale = true;
    this.setup.show(this.setup.settings);
    if (this.visible) this.begin();
  }

  /** Tell the server everything. */
  async begin() {
    this.stale = false;
    const { services } = this;
    this.sendPace();
    try {
      if (this.preset && !this.table) {
        this.points = (await services.request('preset', { name: this.preset, seed: this.presetSeed })).points;
      }
      if (this.table || this.setup.source.value === 'table') await this.loadTables();
      await services.request('start', { ...this.setup.settings, ...this.data() });
      this.sendDerivative();
      const { at, advance, run } = this.wish;
      this.wish = { at: 0, advance: 0, run: false };
      if (at) await services.request('step', { steps: at });
      if (advance) services.send('advance', { frames: advance });
      else if (run) this.run(true);
    } catch (error) {
      services.fail(error instanceof Error ? error.message : String(error));
    }
  }

  data() {
    return this.table ? { table: this.table } : { points: this.points };
  }

  /** @param {any} message */
  onText(message) {
    const { services } = this;
    if (message.type === 'fit') this.tell(message);
    else if (message.type === 'rate' && message.run === this.facts?.run) {
      Object.assign(this.facts, { rate: message.rate, honest: message.honest });
      this.setup.tell(this.facts);
    } else if (message.type === 'derivative' && message.run === this.facts?.run) this.derivative.show(message);
    else if (message.type === 'stopped') {
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
    const colour = this.colour();
    this.plane.window = facts.window;
    this.plane.names = facts.names;
    if (facts.points) this.plane.points = facts.points;
    else if (!this.painting.down) this.plane.points = [...this.points];
    if (fresh) {
      this.plane.forget();
      this.space.begin();
      this.losses.restart();
      this.now = null;
    }
    this.painting.enabled = !this.table;
    this.plane.colour = colour;
    this.plane.best = facts.best_curve ?? null;
    this.plane.dirty = true;
    this.setup.tell(facts);
    this.head.facts(facts, colour);
    this.stage.classList.toggle('empty', !facts.n);
    if (!facts.n) {
      this.plane.batch = null;
      this.setRunning(false);
      this.losses.set({ colour, full: true, floor: null });
      this.space.surface = null;
      this.space.dirty = true;
      return;
    }
    this.space.best = facts.best;
    this.space.colour = colour;
    this.space.cloud = facts.cloud;
    this.space.full = facts.batches.full;
    this.spaceBox.hidden = !facts.two;
    this.spaceNote.hidden = !facts.two;
    this.spaceTools.hidden = !facts.two;
    this.slice.element.hidden = facts.two;
    say(this.spaceTitle, facts.two ? 'fit.parameterSpace' : 'fit.parameters');
    this.slice.begin(facts, colour);
    this.losses.set({ colour, full: facts.batches.full, floor: facts.floor });
    this.derivative.begin(facts);
    this.caption();
    this.resize();
    if (fresh) this.describe();
  }

  /** The optimizer's colour, the same in all views. */
  colour() {
    return OPTIMIZER_COLOURS[this.services.theme()][this.setup.settings.optimizer] ?? '#9aa5b5';
  }

  /** @param {import('fallline/wire').Frame} frame */
  onFrame(frame) {
    if (frame.run !== this.facts?.run) return;
    if (frame.kind === KINDS.fitSurface) this.space.setSurface(frame.data, frame.n);
    if (frame.kind !== KINDS.fitState) return;
    const state = takeApart(frame);
    this.now = state;
    this.frames += 1;
    this.plane.setCurve(state.curve);
    this.plane.batch = this.facts.batches.full ? null : new Set(state.rows);
    if (this.facts.two) this.space.push(state);
    else this.slice.push(state);
    this.losses.push(frame.scalars);
    this.head.state(state, this.facts);
    this.space.dirty = true;
  }

  // What the user does.

  /** @param {Record<string, any>} change */
  changeSettings(change) {
    if (change.model !== undefined || change.place !== undefined || change.seed !== undefined) this.wish.run = false;
    if (change.model !== undefined && change.model !== this.facts?.model) this.setRunning(false);
    this.pending = { ...this.pending, ...change };
    clearTimeout(this.sending);
    // Many moves of a slider make one message.
    this.sending = setTimeout(async () => {
      const { pending } = this;
      this.pending = undefined;
      try {
        await this.services.request('set', pending);
      } catch (error) {
        this.services.fail(error instanceof Error ? error.message : String(error));
      }
    }, Object.keys(change).join() === 'rate' ? 30 : 0);
  }

  /** @param {string} name */
  choosePreset(name) {
    this.presetSeed = name === this.preset ? this.presetSeed + 1 : 0;
    this.preset = name;
    this.table = null;
    this.showSource();
    this.begin();
    this.services.touched();
  }

  clear() {
    this.preset = null;
    this.points = [];
    this.plane.points = [];
    this.plane.dirty = true;
    this.sendPoints();
  }

  painted() {
    this.preset = null;
    this.points = this.plane.points;
    this.showSource();
    this.waiting ??= setTimeout(() => this.sendPoints(), PERIOD);
  }

  sendPoints() {
    this.waiting = undefined;
    this.showSource();
    this.services.send('points', { points: this.points });
    this.services.touched();
  }

  /** @param {'paint' | 'table'} kind */
  async chooseSource(kind) {
    if (kind === 'paint') {
      this.table = null;
      this.preset ??= this.points.length ? null : 'line';
      this.showSource();
      this.begin();
      return;
    }
    this.showSource();
    await this.loadTables();
    const first = this.table?.name ?? (this.services.catalogue?.table ? 'given' : 'diabetes');
    await this.loadColumns(first);
  }

  async loadTables() {
    const { tableChoice } = this.setup;
    const { tables } = await this.services.request('tables');
    const chosen = this.table?.name ?? tables[0]?.name;
    tableChoice.offer(tables.map((/** @type {any} */ t) => ({ value: t.name, text: t.title })), chosen);
    if (this.table) await this.offerColumns(this.table.name, this.table);
  }

  /** @param {string} name @param {{x?: string, y?: string}} chosen */
  async offerColumns(name, chosen) {
    const { columns, target } = await this.services.request('columns', { name });
    const options = columns.map((/** @type {string} */ text) => ({ value: text, text }));
    const y = chosen.y ?? target;
    const x = chosen.x ?? (columns.includes('bmi') ? 'bmi' : columns.find((/** @type {string} */ one) => one !== y));
    this.setup.x.offer(options, x);
    this.setup.y.offer(options, y);
    return { name, x, y };
  }

  /** A table was chosen: its columns, and the first pair of them. @param {string} name */
  async loadColumns(name) {
    try {
      this.setup.tableChoice.value = name;
      this.chooseTable(await this.offerColumns(name, {}));
    } catch (error) {
      this.services.fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {{name: string, x: string, y: string}} table */
  chooseTable(table) {
    this.table = table;
    this.preset = null;
    this.setRunning(false);
    this.showSource();
    this.begin();
    this.services.touched();
  }

  /** Which source is chosen, as controls show it. */
  showSource() {
    const { setup } = this;
    const tabled = this.table !== null || setup.source.value === 'table';
    if (this.table) setup.source.value = 'table';
    else if (this.preset || this.points.length) setup.source.value = 'paint';
    const shown = this.table !== null || (tabled && setup.source.value === 'table');
    setup.painted.hidden = shown;
    setup.tabled.hidden = !shown;
    setup.presets.forEach((one, i) => {
      one.value = PRESETS[i] === this.preset;
    });
    this.tools.element.hidden = shown;
  }

  /** @param {number[]} place */
  startAt(place) {
    const rounded = place.map((value) => Number(value.toPrecision(4)));
    this.setup.change({ place: rounded });
    this.services.touched();
  }

  /** The line of a place in parameter space, in data space. @param {number[] | null} place */
  preview(place) {
    const { facts, plane } = this;
    plane.preview = null;
    if (place && facts) {
      const { center, scale, target_center: middle, target_scale: spread } = facts.scaling;
      const [low, high] = facts.window;
      plane.preview = [low, high].map((x) => (place[0] * ((x - center) / scale) + place[1]) * spread + middle);
    }
    plane.dirty = true;
    this.caption();
  }

  /** @param {number} point */
  pointAt(point) {
    this.space.hovered = point;
    this.space.dirty = true;
  }

  /** @param {'paint' | 'erase'} tool */
  takeTool(tool) {
    this.painting.tool = tool;
    this.tools.value = tool;
    this.canvas.classList.toggle('erases', tool === 'erase');
  }

  sendPace() {
    if (this.online) this.services.send('pace', this.setup.pace);
  }

  /** @param {boolean} on */
  setRunning(on) {
    this.running = on;
    this.setup.transport.running = on;
  }

  /** @param {boolean} on */
  async run(on) {
    this.setRunning(on);
    try {
      await this.services.request('run', { on });
    } catch (error) {
      this.setRunning(false);
      this.services.fail(error instanceof Error ? error.message : String(error));
    }
    if (!on) this.describe();
    this.services.touched();
  }

  async step() {
    this.setRunning(false);
    try {
      await this.services.request('step', { steps: 1 });
      this.describe();
    } catch (error) {
      this.services.fail(error instanceof Error ? error.message : String(error));
    }
    this.services.touched();
  }

  reset() {
    this.setRunning(false);
    this.services.send('reset');
    this.services.touched();
  }

  /** @param {'terrain' | 'graph'} view @param {Record<string, any>} fields */
  async link(view, fields) {
    try {
      const { settings } = this.setup;
      if (view === 'graph' && settings.model === 'network') {
        const activation = ['relu', 'sigmoid', 'tanh'].includes(settings.activation) ? settings.activation : 'tanh';
        this.services.open('graph', { source: 'network', network: { hidden: settings.hidden, inputs: 1, activation } });
        return;
      }
      const { formula, bounds, values } = await this.services.request(view, fields);
      this.services.open(view, { formula, bounds, values, source: 'expression' });
    } catch (error) {
      this.services.fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} tab */
  openTab(tab) {
    this.tab.value = tab;
    this.losses.element.hidden = tab !== 'loss';
    this.derivative.element.hidden = tab !== 'derivative';
    this.losses.redraw();
    this.sendDerivative();
  }

  /** @param {number} parameter */
  showDerivative(parameter) {
    this.derivative.choose(parameter);
    this.openTab('derivative');
    this.services.touched();
  }

  sendDerivative() {
    const on = this.tab.value === 'derivative';
    if (this.online) this.services.send('derivative', on ? { on, parameter: this.derivative.parameter } : { on });
  }

  // What the shell asks for.

  show() {
    this.visible = true;
    if (this.online && this.stale) this.begin();
    this.resize();
    const frame = () => {
      if (!this.visible) return;
      this.draw();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  hide() {
    this.visible = false;
  }

  draw() {
    this.plane.draw();
    if (this.facts?.two) this.space.draw();
    else this.slice.draw();
    if (this.tab.value === 'loss') this.losses.draw();
    this.head.draw();
  }

  resize() {
    this.plane.top = this.head.room();
    this.plane.resize();
    this.space.resize();
  }

  caption() {
    const { facts, space } = this;
    if (!facts?.two) return;
    if (space.pointed) {
      const [w, b] = space.pointed.map((value) => Number(value.toPrecision(3)));
      say(this.spaceNote, 'fit.startHere', { w, b });
    } else if (space.showCloud && space.stretch) {
      say(this.spaceNote, 'fit.arrows', { k: Number(space.stretch.toPrecision(1)) });
    } else say(this.spaceNote, 'fit.clickStart');
  }

  /** The picture in words, for those who do not see it. */
  describe() {
    const { facts, now, services } = this;
    const values = this.head.values(facts, now);
    const text = services.t(facts?.n ? 'fit.describe' : 'fit.describeEmpty', values);
    this.canvas.setAttribute('aria-label', text);
    this.space.canvas.setAttribute('aria-label', services.t('fit.describeSpace', values));
    this.slice.bars.setAttribute('aria-label', services.t('fit.describeSlice', values));
    this.head.fill(facts, now);
    if (!this.running && now?.step) services.announce(text);
  }

  state() {
    const { setup, space, losses } = this;
    const fits = this.points.length <= 2 * MOST_IN_ADDRESS;
    const edited = this.facts?.edited;
    return {
      ...spoken(setup.settings),
      preset: this.table ? null : this.preset && this.preset !== 'line' ? this.preset : null,
      variant: this.preset && this.presetSeed ? this.presetSeed : null,
      points: this.table || this.preset || !fits ? null : packed(this.points),
      table: this.table,
      steps: setup.pace.steps > 1 ? setup.pace.steps : null,
      slow: setup.slow.value || null,
      run: this.running || null,
      at: !this.running && !edited && this.now?.step ? Math.min(10_000, this.now.step) : null,
      space: space.mode === 'block' ? 'block' : null,
      camera: space.mode === 'block' ? space.camera : null,
      cloud: space.showCloud ? null : false,
      residuals: this.plane.residuals || null,
      tab: this.tab.value === 'derivative' ? 'derivative' : null,
      parameter: this.derivative.parameter || null,
      linear: losses.logarithmic ? null : true,
      smoothing: losses.smoothing === 0.9 ? null : Number(losses.smoothing.toFixed(2)),
    };
  }

  /** @param {Record<string, any>} given */
  restore(given) {
    const { setup, losses } = this;
    setup.show(settingsOf(given));
    this.presetSeed = isNumber(given.variant, 0, 1e6) ? Math.round(given.variant) : 0;
    this.points = areNumbers(given.points, 4000) && given.points.length % 2 === 0 ? unpacked(given.points) : [];
    const { table } = given;
    const named = table && ['name', 'x', 'y'].every((key) => typeof table[key] === 'string');
    this.table = named ? { name: table.name, x: table.x, y: table.y } : null;
    this.preset = PRESETS.includes(given.preset) ? given.preset : Array.isArray(given.points) || named ? null : 'line';
    setup.pace = given;
    this.showSource();
    this.wish = {
      at: isNumber(given.at, 1, 10_000) ? Math.round(given.at) : 0,
      advance: isNumber(given.advance, 1, 100_000) ? Math.round(given.advance) : 0,
      run: given.run === true,
    };
    this.mode.value = given.space === 'block' ? 'block' : 'map';
    if (given.camera && typeof given.camera === 'object') this.space.camera = given.camera;
    this.space.setMode(/** @type {'map' | 'block'} */ (this.mode.value));
    this.space.showCloud = given.cloud !== false;
    this.cloud.value = this.space.showCloud;
    this.plane.residuals = given.residuals === true;
    this.residuals.value = this.plane.residuals;
    this.derivative.parameter = isNumber(given.parameter, 0, 100_000) ? Math.round(given.parameter) : 0;
    this.openTab(given.tab === 'derivative' ? 'derivative' : 'loss');
    losses.setLogarithmic(given.linear !== true);
    if (isNumber(given.smoothing, 0, 0.99)) {
      losses.smoothing = given.smoothing;
      losses.slider.value = given.smoothing;
    }
    this.stale = true;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const digit = PRESETS['12345'.indexOf(event.key)];
    /** @type {Record<string, () => void>} */
    const actions = {
      ' ': () => this.run(!this.running),
      '.': () => this.step(),
      ArrowRight: () => this.step(),
      r: () => this.reset(),
      p: () => this.takeTool('paint'),
      e: () => this.takeTool('erase'),
      c: () => this.clear(),
      g: () => this.cloud.element.click(),
      d: () => this.openTab(this.tab.value === 'loss' ? 'derivative' : 'loss'),
      m: () => {
        this.mode.value = this.mode.value === 'map' ? 'block' : 'map';
        this.space.setMode(/** @type {'map' | 'block'} */ (this.mode.value));
        this.services.touched();
      },
    };
    const action = digit ? () => this.choosePreset(digit) : actions[event.key] ?? actions[event.key.toLowerCase()];
    if (action) action();
    return action !== undefined;
  }

  retheme() {
    this.plane.retheme();
    this.space.retheme();
    this.slice.retheme();
    this.derivative.retheme();
    this.losses.rebuild();
    if (this.facts) this.tell(this.facts);
  }

  retranslate() {
    this.head.retranslate();
    if (this.facts) this.head.facts(this.facts, this.colour());
    name_(this.cloud.element, 'fit.cloudAbout');
    this.describe();
    this.resize();
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
    return {
      step: this.now?.step ?? 0,
      frames: this.frames,
      run: this.facts?.run ?? 0,
      n: this.facts?.n ?? 0,
      loss: this.now?.loss ?? NaN,
      parameters: Array.from(this.now?.parameters ?? []),
      rate: this.facts?.rate ?? null,
      limit: this.facts?.limit ?? null,
      floor: this.facts?.floor ?? null,
      epoch: this.now?.epoch ?? 0,
      batch: this.now?.batch ?? 0,
      batches: this.now?.batches ?? 0,
      points: this.plane.points.length / 2,
      rows: this.losses.columns.rows,
      advanced: this.advanced ?? 0,
      slope: this.derivative.found?.slope ?? NaN,
    };
  }

  /** @type {Record<string, any> | undefined} */
  pending = undefined;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  sending = undefined;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  waiting = undefined;
  /** @type {number | undefined} */
  advanced = undefined;
}
