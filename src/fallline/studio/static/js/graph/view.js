// @ts-check
/** The graph view: values forward, derivatives backward, step by step. */
import { Drawing } from 'fallline/graph/drawing';
import { toPng, toSvg } from 'fallline/graph/exports';
import { place } from 'fallline/graph/layout';
import { numeric } from 'fallline/graph/numbers';
import { Panel } from 'fallline/graph/panel';
import { Progress } from 'fallline/graph/progress';
import { Setup, SPEEDS } from 'fallline/graph/setup';
import { Stage } from 'fallline/graph/stage';
import { arrange, closedLayers } from 'fallline/graph/shown';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */

/** Once the numbers have rested for so long, the derivatives are measured by differences. */
const REST = 350;

export class GraphView {
  static shortcuts() {
    return [
      ['Space', 'graph.key.play'], ['→ ←', 'graph.key.step'], ['Home End', 'graph.key.ends'], ['f', 'graph.key.fit'],
      ['+ −', 'graph.key.zoom'], ['r', 'graph.key.reset'], ['Tab Enter', 'graph.key.nodes'], ['g', 'graph.key.layers'],
    ];
  }

  /** @param {HTMLElement} root @param {Services} services */
  constructor(root, services) {
    this.root = root;
    this.services = services;
    /** @type {GraphFacts | null} */
    this.graph = null;
    /** @type {Progress | null} */
    this.progress = null;
    this.position = 0;
    /** Where to begin once the graph is there; null for its end. @type {number | null} */
    this.wantedPosition = null;
    /** Where the camera is to stand then; null for where all is seen. @type {number[] | null} */
    this.wantedCamera = null;
    this.fresh = false;
    this.playing = false;
    this.visible = false;
    this.presets = false;
    /** @type {Set<string>} */
    this.turned = new Set();
    this.setup = new Setup(services, {
      onbuild: () => this.build(),
      onvalues: () => this.revalue(),
      ondraw: () => this.redraw(true),
      onterrain: () => this.openTerrain(),
      onwalk: (action) => this.walk(action),
      onscrub: (position) => {
        this.pause();
        this.go(position, true);
      },
    });
    this.panel = new Panel(services, {
      onstep: (position) => {
        this.pause();
        this.go(position, true);
      },
      onpick: (node) => this.pick(node),
      onnudge: (node, element, by) => this.nudge(node, element, by),
    });
    this.caption = new Stage(services, {
      onzoom: (factor) => this.drawing.camera.zoom(factor), onfit: () => this.drawing.fit(),
    });
    this.stage = this.caption.element;
    this.drawing = new Drawing(this.stage, services, {
      onpick: (node) => this.pick(node),
      onturn: (layer) => this.turn(layer),
      describe: (node) => this.describe(node),
    });
    root.append(this.setup.element, this.stage, this.panel.element);
    this.sendBuild = latest((fields) => services.request('build', fields));
    this.sendValues = latest((fields) => services.request('values', fields));
    this.sendStep = latest((fields) => services.request('step', fields));
    this.sendNode = latest((fields) => services.request('node', fields));
    this.sendNudge = latest((fields) => services.request('nudge', fields));
    this.sendCheck = latest((fields) => services.request('check', fields));
    new ResizeObserver(() => this.resized()).observe(this.stage);
  }

  // ---- the server's side

  async connected() {
    if (!this.presets) {
      this.presets = true;
      try {
        this.setup.offer(await this.services.request('presets'));
      } catch (error) {
        this.presets = false;
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
    if (!this.presets) {
      return;
    }
    this.pause();
    const slow = setTimeout(() => {
      this.caption.busy = true;
    }, 250);
    try {
      const graph = await this.sendBuild(this.setup.wanted());
      if (graph) {
        this.setup.complain('');
        this.take(graph);
      }
    } catch (error) {
      this.setup.complain(reason(error), true);
    } finally {
      clearTimeout(slow);
      this.caption.busy = false;
    }
  }

  /** The same formula at other values: nothing moves, only numbers change. */
  async revalue() {
    try {
      const graph = await this.sendValues({ values: this.ownValues() });
      if (graph) {
        this.setup.complain('');
        this.take(graph);
      }
    } catch (error) {
      this.setup.complain(reason(error));
    }
  }

  /** The values of those variables that the graph has. */
  ownValues() {
    const { values } = this.setup.expression;
    return Object.fromEntries((this.graph?.variables ?? []).map(({ name, value }) => [name, values[name] ?? value]));
  }

  /** @param {GraphFacts} graph */
  take(graph) {
    const before = this.graph;
    const same = before !== null && !this.fresh && sameForm(before, graph);
    this.fresh = false;
    this.graph = graph;
    this.progress = new Progress(graph);
    this.setup.showVariables(graph.variables);
    this.setup.expression.terrain.element.hidden = !graph.terrain;
    this.caption.show(graph);
    this.panel.showGraph(graph);
    this.panel.showGradients(graph);
    if (graph.note) {
      this.setup.complain(graph.note);
    }
    if (same) {
      this.drawing.rewrite(graph);
      this.go(Math.min(this.position, graph.steps.length), false);
      if (this.panel.node && !this.panel.nodeCard.hidden) {
        this.ask(this.panel.node.node);
      }
    } else {
      const layers = graph.groups.map((group) => group.name);
      this.turned = new Set([...this.turned].filter((name) => layers.includes(name)));
      this.drawing.selected = -1;
      this.panel.node = null;
      this.panel.tab.value = 'step';
      this.panel.showTab();
      this.redraw(true);
      this.go(Math.min(this.wantedPosition ?? graph.steps.length, graph.steps.length), false);
      if (this.wantedCamera) {
        const [x, y, scale] = this.wantedCamera;
        this.drawing.camera.own = true;
        this.drawing.camera.set(x, y, scale);
      } else {
        this.drawing.fit();
      }
    }
    this.wantedPosition = null;
    this.wantedCamera = null;
    clearTimeout(this.resting);
    this.resting = window.setTimeout(() => this.checkGradients(), REST);
    this.services.touched();
  }

  async checkGradients() {
    const { graph } = this;
    try {
      const check = await this.sendCheck({});
      // What was measured meanwhile is of numbers that are gone.
      if (check && graph === this.graph) {
        this.panel.showCheck(check);
      }
    } catch (error) {
      this.services.fail(reason(error));
    }
  }

  // ---- drawing

  /** @param {boolean} fit */
  redraw(fit) {
    const { graph, progress } = this;
    if (!graph || !progress) {
      return;
    }
    const options = this.setup.options;
    const closed = closedLayers(graph, /** @type {any} */ (this.setup.layers.value), this.turned);
    const shown = arrange(graph, closed, options);
    const placed = place(graph, shown, options, /** @type {any} */ (this.setup.direction.value), this.drawing.room);
    this.drawing.draw(graph, shown, placed);
    this.drawing.mark(progress, this.position);
    if (fit) {
      this.drawing.fit();
    }
  }

  /** Open or close a layer, and leave it where it is on the stage. @param {string} layer */
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

  /** @param {'play' | 'forward' | 'back' | 'reset'} action */
  walk(action) {
    if (action === 'play') {
      if (this.playing) {
        this.pause();
      } else {
        this.run();
      }
      return;
    }
    this.pause();
    if (action === 'reset') {
      this.go(0, true);
      this.drawing.fit();
    } else {
      this.go(this.position + (action === 'forward' ? 1 : -1), true);
    }
  }

  run() {
    if (!this.graph) {
      return;
    }
    if (this.position >= this.graph.steps.length) {
      this.go(0, false);
    }
    this.playing = true;
    this.setup.walk.playing = true;
    const beat = () => {
      if (!this.playing || !this.graph) {
        return;
      }
      this.go(this.position + 1, false, true);
      if (this.position >= this.graph.steps.length) {
        this.pause();
      } else {
        this.timer = window.setTimeout(beat, 1000 / SPEEDS[this.setup.speed.value]);
      }
    };
    this.timer = window.setTimeout(beat, 150);
  }

  pause() {
    clearTimeout(this.timer);
    this.playing = false;
    this.setup.walk.playing = false;
  }

  /**
   * Go to a place of the walk.
   * @param {number} position how many steps are done
   * @param {boolean} byHand say the step's sentence to those who listen
   * @param {boolean} [moving] let the step's ball run
   */
  go(position, byHand, moving = byHand) {
    const { graph, progress } = this;
    if (!graph || !progress) {
      return;
    }
    this.position = Math.min(graph.steps.length, Math.max(0, Math.round(position)));
    const step = progress.current(this.position);
    this.setup.walk.show(this.position, graph.steps.length, progress.forward);
    this.drawing.mark(progress, this.position);
    this.panel.mark(this.position);
    if (step) {
      this.askStep(this.position - 1);
    } else {
      this.panel.showStart();
    }
    this.caption.tell(step);
    if (byHand) {
      this.panel.tab.value = 'step';
      this.panel.showTab();
      this.services.announce(this.caption.sentence.textContent ?? '');
      this.services.touched();
    }
    if (moving) {
      this.drawing.pulse();
      if (step && (this.drawing.camera.own || graph.steps.length)) {
        this.drawing.reveal(step.back && step.input !== null ? step.input : step.node, this.services.reduced());
      }
    } else {
      this.drawing.still();
    }
  }

  /** @param {number} index */
  async askStep(index) {
    try {
      const step = await this.sendStep({ index });
      if (step && step.index === this.position - 1) {
        this.panel.showStep(step);
      }
    } catch (error) {
      this.services.fail(reason(error));
    }
  }

  // ---- nodes

  /** @param {number} node */
  pick(node) {
    if (!this.graph || !this.progress) {
      return;
    }
    this.pause();
    this.drawing.selected = node;
    this.drawing.mark(this.progress, this.position);
    this.drawing.reveal(node, this.services.reduced());
    this.panel.tab.value = 'node';
    this.panel.showTab();
    this.ask(node);
  }

  /** @param {number} node */
  async ask(node) {
    try {
      const facts = await this.sendNode({ node });
      if (facts) {
        this.panel.showNode(facts);
      }
    } catch (error) {
      this.services.fail(reason(error));
    }
  }

  /** @param {number} node @param {number} element @param {number} by */
  async nudge(node, element, by) {
    try {
      const answer = await this.sendNudge({ node, element, h: by });
      if (answer) {
        this.panel.showNudge(answer);
      }
    } catch (error) {
      this.services.fail(reason(error));
    }
  }

  /** A node in words. @param {number} id @returns {string} */
  describe(id) {
    const { graph, progress } = this;
    if (!graph || !progress) {
      return '';
    }
    const node = graph.nodes[id];
    const derivative = progress.derivative(this.position, id);
    const step = graph.steps.find((one) => !one.back && one.node === id);
    const known = progress.hasValue(this.position, id);
    const value = known ? step?.sentence ?? `${node.label} = ${node.value.text}` : node.label;
    const key = derivative ? 'graph.describeBoth' : known ? 'graph.describeValue' : 'graph.describeNone';
    return this.services.t(key, { value, derivative: derivative?.text ?? '', output: graph.name, name: node.label });
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
    this.pause();
    this.drawing.still();
  }

  state() {
    const { setup, graph } = this;
    const { camera } = this.drawing;
    return {
      ...setup.state(),
      ...(setup.source.value === 'expression' ? { values: this.ownValues() } : {}),
      position: graph && this.position < graph.steps.length ? this.position : null,
      turned: this.turned.size ? [...this.turned] : null,
      camera: camera.own ? camera.view : null,
    };
  }

  /** @param {Record<string, any>} state what does not fit is passed over */
  restore(state) {
    this.setup.restore(state);
    const { turned, position, camera } = state;
    this.turned = new Set(Array.isArray(turned) ? turned.filter((name) => typeof name === 'string') : []);
    this.wantedPosition = Number.isFinite(position) ? position : null;
    this.wantedCamera = Array.isArray(camera) && camera.length === 3 && camera.every(Number.isFinite) ? camera : null;
    // The next graph is a new one, even if it has the form of this one.
    this.fresh = true;
  }

  /** @param {KeyboardEvent} event @returns {boolean} */
  key(event) {
    const { camera } = this.drawing;
    /** @type {Record<string, () => void>} */
    const actions = {
      ' ': () => this.walk('play'),
      ArrowRight: () => this.walk('forward'),
      '.': () => this.walk('forward'),
      ArrowLeft: () => this.walk('back'),
      ',': () => this.walk('back'),
      Home: () => this.walk('reset'),
      r: () => this.walk('reset'),
      End: () => {
        this.pause();
        this.go(this.graph?.steps.length ?? 0, true);
      },
      f: () => this.drawing.fit(),
      '+': () => camera.zoom(1.25),
      '=': () => camera.zoom(1.25),
      '-': () => camera.zoom(0.8),
      g: () => this.nextLayers(),
    };
    const action = actions[event.key];
    action?.();
    return Boolean(action);
  }

  nextLayers() {
    const order = ['auto', 'closed', 'open'];
    this.setup.layers.value = order[(order.indexOf(this.setup.layers.value) + 1) % 3];
    this.turned.clear();
    this.redraw(true);
    this.services.touched();
  }

  retheme() {
    // All colours come from the style sheet.
  }

  retranslate() {
    this.setup.variables.rename();
    if (this.progress && this.graph) {
      this.setup.walk.show(this.position, this.graph.steps.length, this.progress.forward);
      this.redraw(false);
    }
    if (this.panel.node) {
      this.panel.showNode(this.panel.node);
    }
  }

  exports() {
    return {
      png: async () => toPng(this.svg(), 2),
      svg: async () => this.svg(),
      csv: async () => (await this.services.request('csv')).text,
      python: async () => (await this.services.request('script')).text,
      dot: async () => (await this.services.request('dot', { theme: this.services.theme() })).text,
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
    return { step: this.position, running: this.playing };
  }

  /** For tests in a browser. */
  get test() {
    const { graph } = this;
    const inputs = graph?.nodes.filter((node) => node.kind === 'input' || node.kind === 'parameter') ?? [];
    return {
      nodes: graph?.nodes.length ?? 0,
      boxes: this.drawing.shown?.boxes.length ?? 0,
      position: this.position,
      steps: graph?.steps.length ?? 0,
      value: numeric(graph?.value.elements?.[0]),
      gradients: Object.fromEntries(inputs.map((node) => [node.label, node.derivative?.elements?.map(numeric)])),
      checked: Boolean(this.panel.check),
      busy: this.caption.busy,
      placed: this.drawing.placed,
    };
  }
}

/** @param {unknown} error */
const reason = (error) => (error instanceof Error ? error.message : String(error));

/** Do two graphs differ in numbers only? @param {GraphFacts} a @param {GraphFacts} b */
const sameForm = (a, b) => {
  const form = (/** @type {import('fallline/graph/shown').NodeFacts} */ node) =>
    `${node.label} ${node.title} ${node.value.shape} ${node.inputs}`;
  return a.formula === b.formula && a.nodes.length === b.nodes.length
    && a.nodes.every((node, i) => form(node) === form(b.nodes[i]));
};

/**
 * One question at a time: while one is on its way, only the newest of those that follow is asked then.
 * @param {(fields: Record<string, any>) => Promise<any>} request
 * @returns {(fields: Record<string, any>) => Promise<any>} the answer; null where a newer question was asked
 */
function latest(request) {
  /** @type {{fields: Record<string, any>, resolve: (answer: any) => void, reject: (error: any) => void} | null} */
  let waiting = null;
  let asked = false;
  /** @param {Record<string, any>} fields @param {(answer: any) => void} resolve @param {(error: any) => void} reject */
  const send = (fields, resolve, reject) => {
    asked = true;
    // An answer that another question has overtaken is dropped: the next one is on its way.
    const answered = (/** @type {any} */ answer) => resolve(waiting ? null : answer);
    const failed = (/** @type {any} */ error) => (waiting ? resolve(null) : reject(error));
    request(fields).then(answered, failed).finally(() => {
      asked = false;
      const next = waiting;
      waiting = null;
      if (next) {
        send(next.fields, next.resolve, next.reject);
      }
    });
  };
  return (fields) => new Promise((resolve, reject) => {
    if (!asked) {
      send(fields, resolve, reject);
      return;
    }
    waiting?.resolve(null);
    waiting = { fields, resolve, reject };
  });
}
