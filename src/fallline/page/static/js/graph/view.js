// @ts-check
/** The graph view: values forward, derivatives backward, step by step. */
import { latest, reason } from 'fallline/graph/ask';
import { Drawing } from 'fallline/graph/drawing';
import { toPng, toSvg } from 'fallline/graph/exports';
import { SHORTCUTS, keysOf } from 'fallline/graph/keys';
import { place } from 'fallline/graph/layout';
import { numeric } from 'fallline/graph/numbers';
import { Panel } from 'fallline/graph/panel';
import { Player } from 'fallline/graph/player';
import { Progress } from 'fallline/graph/progress';
import { CHOICES, Setup, SPEEDS } from 'fallline/graph/setup';
import { arrange, closedLayers } from 'fallline/graph/shown';
import { Stage } from 'fallline/graph/stage';
import { describe, inside } from 'fallline/graph/words';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */

/** Once the numbers have rested for so many milliseconds, the derivatives are measured by differences. */
const REST = 350;
/** After so many, an answer that has not come is worth a word. */
const LONG = 250;

export class GraphView {
  static shortcuts() {
    return SHORTCUTS;
  }

  /** @param {HTMLElement} root @param {Services} services */
  constructor(root, services) {
    this.root = root;
    this.services = services;
    /** @type {GraphFacts | null} */
    this.graph = null;
    /** @type {Progress | null} */
    this.progress = null;
    /** Layers that are open or closed against the rule. @type {Set<string>} */
    this.turned = new Set();
    /** Where the walk and the camera are to stand when the next graph is there. */
    this.wanted = {
      position: /** @type {number | null} */ (null),
      camera: /** @type {number[] | null} */ (null),
      fresh: false,
    };
    this.visible = false;
    this.resting = 0;
    this.player = new Player({
      onplace: (how) => this.showPlace(how),
      onplaying: (on) => {
        this.setup.walk.playing = on;
      },
      pace: () => SPEEDS[this.setup.speed.value],
    });
    this.setup = new Setup(services, {
      onbuild: () => this.build(),
      onvalues: () => this.revalue(),
      ondraw: () => this.redraw(true),
      onterrain: () => this.openTerrain(),
      onwalk: (action) => this.walk(action),
      onscrub: (position) => this.player.jump(position),
    });
    this.panel = new Panel(services, {
      onstep: (position) => this.player.jump(position),
      onpick: (node) => this.pick(node),
      onnudge: (node, element, by) => this.nudge(node, element, by),
    });
    this.stage = new Stage(services, {
      onzoom: (factor) => this.drawing.camera.zoom(factor),
      onfit: () => this.drawing.fit(),
    });
    this.drawing = new Drawing(this.stage.element, services, {
      onpick: (node) => this.pick(node),
      onturn: (layer) => this.turn(layer),
      describe: (node) =>
        this.progress ? describe(this.progress, this.player.position, node, services.t) : '',
      inside: (box) => inside(this.graph, box, services.t),
    });
    root.append(this.setup.element, this.stage.element, this.panel.element);
    this.keys = keysOf(this);
    const newest = (/** @type {string} */ type) => latest((fields) => services.request(type, fields));
    this.ask = {
      build: newest('build'),
      values: newest('values'),
      step: newest('step'),
      node: newest('node'),
      nudge: newest('nudge'),
      check: newest('check'),
    };
    new ResizeObserver(() => this.resized()).observe(this.stage.element);
  }

  // ---- what the server computes

  async connected() {
    if (!this.setup.ready) {
      try {
        this.setup.offer(await this.services.request('presets'));
      } catch (error) {
        this.services.fail(reason(error));
        return;
      }
    }
    await this.build();
  }

  onText(/** @type {any} */ message) {
    if (message.type === 'error') {
      this.services.fail(message.message);
    }
  }

  onFrame() {
    // All that this view draws comes as text.
  }

  async build() {
    if (!this.setup.ready) {
      return;
    }
    this.player.pause();
    const slow = setTimeout(() => {
      this.stage.busy = true;
    }, LONG);
    try {
      this.take(await this.ask.build(this.setup.wanted()));
    } catch (error) {
      // The graph before stays, and so does what was typed.
      this.setup.complain(reason(error), true);
      this.setup.expression.values = this.graph ? this.ownValues() : {};
    } finally {
      clearTimeout(slow);
      this.stage.busy = false;
    }
  }

  /** The same formula at other values: nothing moves, only numbers change. */
  async revalue() {
    try {
      this.take(await this.ask.values({ values: this.ownValues() }));
    } catch (error) {
      this.setup.complain(reason(error));
    }
  }

  /** The values of those variables that the graph has. */
  ownValues() {
    const { values } = this.setup.expression;
    return Object.fromEntries(
      (this.graph?.variables ?? []).map(({ name, value }) => [name, values[name] ?? value]),
    );
  }

  /** @param {GraphFacts | null} graph null where a newer one is on its way */
  take(graph) {
    if (!graph) {
      return;
    }
    const same = this.graph !== null && !this.wanted.fresh && sameForm(this.graph, graph);
    this.graph = graph;
    this.progress = new Progress(graph);
    this.player.last = graph.steps.length;
    this.setup.showVariables(graph.variables);
    this.setup.expression.terrain.element.hidden = !graph.terrain;
    this.setup.complain(graph.note ?? '');
    this.stage.show(graph);
    this.panel.showGraph(graph);
    if (same) {
      this.drawing.rewrite(graph);
      this.player.go(this.player.position, { byHand: false, moving: false });
      if (this.panel.node && !this.panel.nodeCard.hidden) {
        this.askNode(this.panel.node.node);
      }
    } else {
      this.takeNew(graph);
    }
    clearTimeout(this.resting);
    this.resting = window.setTimeout(() => this.check(), REST);
    this.services.touched();
  }

  /** @param {GraphFacts} graph of another form than the one before */
  takeNew(graph) {
    const { position, camera } = this.wanted;
    this.wanted = { position: null, camera: null, fresh: false };
    const layers = graph.groups.map((group) => group.name);
    this.turned = new Set([...this.turned].filter((name) => layers.includes(name)));
    this.drawing.selected = -1;
    this.panel.forgetNode();
    this.redraw(true);
    this.player.go(position ?? graph.steps.length, { byHand: false, moving: false });
    if (camera) {
      this.drawing.camera.own = true;
      this.drawing.camera.set(camera[0], camera[1], camera[2]);
    }
  }

  /**
   * Ask something of which only the newest answer counts.
   * @param {'step' | 'node' | 'nudge' | 'check'} type
   * @param {Record<string, any>} fields
   * @returns {Promise<any>} null where there is none, or none any more
   */
  async answer(type, fields) {
    try {
      return await this.ask[type](fields);
    } catch (error) {
      this.services.fail(reason(error));
      return null;
    }
  }

  async check() {
    const { graph } = this;
    const check = await this.answer('check', {});
    // What was measured while the values changed is of numbers that are gone.
    if (check && graph === this.graph) {
      this.panel.gradients.showCheck(check);
    }
  }

  /** @param {number} index */
  async askStep(index) {
    const step = await this.answer('step', { index });
    if (step?.index === this.player.position - 1) {
      this.panel.showStep(step);
    }
  }

  /** @param {number} node */
  async askNode(node) {
    const facts = await this.answer('node', { node });
    if (facts) {
      this.panel.showNode(facts);
    }
  }

  /** @param {number} node @param {number} element @param {number} by */
  async nudge(node, element, by) {
    const answer = await this.answer('nudge', { node, element, h: by });
    if (answer) {
      this.panel.showNudge(answer);
    }
  }

  // ---- drawing

  /** @param {boolean} fit show all of it */
  redraw(fit) {
    const { graph, progress, setup, drawing } = this;
    if (!graph || !progress) {
      return;
    }
    const closed = closedLayers(graph, setup.layers.value, this.turned);
    const shown = arrange(graph, closed, setup.options);
    const placed = place(graph, shown, setup.options, setup.direction.value, drawing.room);
    drawing.draw(graph, shown, placed);
    drawing.mark(progress, this.player.position);
    if (fit) {
      drawing.fit();
    }
  }

  /** Open or close a layer. @param {string} layer */
  turn(layer) {
    if (!this.turned.delete(layer)) {
      this.turned.add(layer);
    }
    const { own } = this.drawing.camera;
    this.redraw(!own);
    const group = this.graph?.groups.find((one) => one.name === layer);
    if (own && group) {
      this.drawing.reveal(group.result, true);
    }
    this.services.touched();
  }

  resized() {
    if (this.visible && this.graph && !this.drawing.camera.own) {
      this.redraw(true);
    }
  }

  // ---- the walk

  /** @param {import('fallline/graph/walk').Action} action */
  walk(action) {
    const { player } = this;
    if (action === 'play') {
      player.turn();
    } else if (action === 'reset') {
      player.jump(0);
      this.drawing.fit();
    } else {
      player.jump(player.position + (action === 'forward' ? 1 : -1));
    }
  }

  /** @param {import('fallline/graph/player').How} how */
  showPlace({ byHand, moving }) {
    const { graph, progress } = this;
    if (!graph || !progress) {
      return;
    }
    const { position } = this.player;
    const step = progress.current(position);
    this.setup.walk.show(position, graph.steps.length, progress.forward);
    this.drawing.mark(progress, position);
    this.panel.mark(position);
    this.stage.tell(step);
    if (step) {
      this.askStep(position - 1);
    } else {
      this.panel.showStart();
    }
    if (byHand) {
      this.panel.showTab('step');
      this.services.announce(this.stage.sentence.textContent ?? '');
      this.services.touched();
    }
    if (moving && step) {
      this.drawing.animate();
      this.drawing.reveal(step.back ? (step.input ?? step.node) : step.node, this.services.reduced());
    } else {
      this.drawing.pulse.stop();
    }
  }

  // ---- nodes

  /** @param {number} node */
  pick(node) {
    if (!this.graph || !this.progress) {
      return;
    }
    this.player.pause();
    this.drawing.selected = node;
    this.drawing.mark(this.progress, this.player.position);
    this.drawing.reveal(node, this.services.reduced());
    this.panel.showTab('node');
    this.askNode(node);
  }

  openTerrain() {
    const terrain = this.graph?.terrain;
    if (terrain) {
      this.services.open('terrain', { formula: terrain.formula, bounds: terrain.bounds });
    }
  }

  // ---- what the shell asks for

  show() {
    this.visible = true;
    this.resized();
  }

  hide() {
    this.visible = false;
    this.player.pause();
    this.drawing.pulse.stop();
  }

  state() {
    const { setup, graph } = this;
    const { camera } = this.drawing;
    const { position } = this.player;
    return {
      ...setup.state(),
      ...(setup.source.value === 'expression' ? { values: this.ownValues() } : {}),
      position: graph && position < graph.steps.length ? position : null,
      turned: this.turned.size ? [...this.turned] : null,
      camera: camera.own ? camera.view : null,
    };
  }

  /** @param {Record<string, any>} state what does not fit is passed over */
  restore(state) {
    this.setup.restore(state);
    const { turned, position, camera } = state;
    this.turned = new Set(Array.isArray(turned) ? turned.filter((name) => typeof name === 'string') : []);
    this.wanted = {
      position: Number.isFinite(position) ? position : null,
      camera: Array.isArray(camera) && camera.length === 3 && camera.every(Number.isFinite) ? camera : null,
      fresh: true,
    };
  }

  /** @param {KeyboardEvent} event @returns {boolean} */
  key(event) {
    const action = this.keys[event.key];
    action?.();
    return Boolean(action);
  }

  nextLayers() {
    const { layers } = this.setup;
    layers.value = CHOICES.layers[(CHOICES.layers.indexOf(layers.value) + 1) % CHOICES.layers.length];
    this.turned.clear();
    this.redraw(true);
    this.services.touched();
  }

  retheme() {
    // All colours come from the style sheet.
  }

  retranslate() {
    this.setup.variables.rename();
    if (this.graph && this.progress) {
      this.setup.walk.show(this.player.position, this.graph.steps.length, this.progress.forward);
      this.redraw(false);
    }
    this.panel.retranslate();
  }

  exports() {
    const text = async (/** @type {string} */ type, fields = {}) =>
      (await this.services.request(type, fields)).text;
    return {
      png: async () => toPng(this.svg(), 2),
      svg: async () => this.svg(),
      csv: () => text('csv'),
      python: () => text('script'),
      dot: () => text('dot', { theme: this.services.theme() }),
    };
  }

  svg() {
    const { placed, root } = this.drawing;
    if (!placed || !this.graph) {
      throw new Error(this.services.t('graph.nothing'));
    }
    const paper = getComputedStyle(this.root).getPropertyValue('--bg').trim();
    return toSvg(root, placed, paper, `${this.graph.name} = ${this.graph.value.text}`);
  }

  status() {
    return { step: this.player.position, running: this.player.playing };
  }

  /** For tests in a browser. */
  get test() {
    const { graph } = this;
    const inputs = graph?.nodes.filter((node) => node.kind === 'input' || node.kind === 'parameter') ?? [];
    return {
      nodes: graph?.nodes.length ?? 0,
      boxes: this.drawing.shown?.boxes.length ?? 0,
      position: this.player.position,
      steps: graph?.steps.length ?? 0,
      value: numeric(graph?.value.elements?.[0]),
      gradients: Object.fromEntries(
        inputs.map((node) => [node.label, node.derivative?.elements?.map(numeric)]),
      ),
      checked: Boolean(this.panel.gradients.check),
      busy: this.stage.busy,
    };
  }
}

/** Do two graphs differ in numbers only? @param {GraphFacts} a @param {GraphFacts} b */
const sameForm = (a, b) => {
  const form = (/** @type {import('fallline/graph/shown').NodeFacts} */ node) =>
    `${node.label} ${node.title} ${node.value.shape} ${node.inputs}`;
  return (
    a.formula === b.formula &&
    a.nodes.length === b.nodes.length &&
    a.nodes.every((node, i) => form(node) === form(b.nodes[i]))
  );
};
