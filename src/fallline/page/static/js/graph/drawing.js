// @ts-check
/** The graph as SVG, and how far the walk through it has come. */
import { clear, svg } from 'fallline/dom';
import { boxOf, markBox, turnSign } from 'fallline/graph/boxes';
import { Camera } from 'fallline/graph/camera';
import { hullsOf } from 'fallline/graph/hulls';
import { Pulse } from 'fallline/graph/pulse';
import { markWire, rewriteWire, wireOf } from 'fallline/graph/wires';

/** @typedef {import('fallline/graph/shown').Box} Box */
/** @typedef {import('fallline/graph/shown').Shown} Shown */
/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */
/** @typedef {import('fallline/graph/layout').Placed} Placed */
/** @typedef {import('fallline/graph/progress').Progress} Progress */
/** @typedef {import('fallline/services').Services} Services */
/**
 * @typedef {Object} Handlers
 * @property {(node: number) => void} onpick a box was clicked
 * @property {(layer: string) => void} onturn a layer is to be opened or closed
 * @property {(node: number) => string} describe a node, for those who listen
 * @property {(box: Box) => string} inside what a closed layer holds, in words
 */

/** Below this scale letters are too small to be read, and are left out. */
const FAR = 0.22;
/** What captions take of the stage. */
const ABOVE = 70;
const BELOW = 80;
const BESIDE = 22;

export class Drawing {
  /**
   * @param {HTMLElement} stage
   * @param {Services} services
   * @param {Handlers} handlers
   */
  constructor(stage, services, handlers) {
    this.stage = stage;
    this.services = services;
    this.handlers = handlers;
    this.layers = {
      hulls: svg('g', { class: 'hulls' }),
      wires: svg('g', { class: 'wires' }),
      boxes: svg('g', { class: 'boxes' }),
    };
    this.pulse = new Pulse();
    const world = svg('g', {}, ...Object.values(this.layers), this.pulse.element);
    const facts = { class: 'drawing', role: 'group', label: 'graph.drawing' };
    this.root = /** @type {SVGSVGElement} */ (svg('svg', facts, world));
    stage.append(this.root);
    this.camera = new Camera(this.root, world, () => {
      this.root.classList.toggle('far', this.camera.scale < FAR);
    });
    /** @type {Map<string, SVGElement>} */
    this.boxes = new Map();
    /** @type {import('fallline/graph/wires').Wire[]} */
    this.wires = [];
    /** @type {GraphFacts | null} */
    this.graph = null;
    /** @type {Placed | null} */
    this.placed = null;
    /** @type {Shown | null} */
    this.shown = null;
    this.selected = -1;
  }

  /** The part of the stage that is free of captions. */
  get room() {
    const { width, height } = this.stage.getBoundingClientRect();
    return {
      left: BESIDE,
      top: ABOVE,
      width: Math.max(60, width - 2 * BESIDE),
      height: Math.max(60, height - ABOVE - BELOW),
    };
  }

  /**
   * Draw a graph anew.
   * @param {GraphFacts} graph @param {Shown} shown @param {Placed} placed
   */
  draw(graph, shown, placed) {
    const focused = this.root.contains(document.activeElement)
      ? document.activeElement?.getAttribute('data-key')
      : null;
    this.pulse.stop();
    this.graph = graph;
    this.shown = shown;
    this.placed = placed;
    for (const layer of Object.values(this.layers)) {
      clear(layer);
    }
    this.drawHulls(graph, shown, placed);
    this.wires = shown.links.flatMap((link) => {
      const route = placed.routes.get(link.key);
      return route ? [wireOf(link, route, placed.direction === 'LR')] : [];
    });
    this.layers.wires.append(...this.wires.map(({ group }) => group));
    this.boxes.clear();
    for (const box of shown.boxes) {
      const { x, y } = placed.boxes.get(box.key) ?? { x: 0, y: 0 };
      const element = boxOf(graph, box, this.handlers, (one, action) => this.press(one, action));
      element.setAttribute('transform', `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
      this.boxes.set(box.key, element);
    }
    this.layers.boxes.append(...this.boxes.values());
    if (focused) {
      this.boxes.get(focused)?.focus();
    }
  }

  /** @param {GraphFacts} graph @param {Shown} shown @param {Placed} placed */
  drawHulls(graph, shown, placed) {
    for (const { name, x, y, width, height } of hullsOf(graph, shown, placed)) {
      const sign = turnSign(x + 12, y + 11, false);
      sign.setAttribute('role', 'button');
      sign.setAttribute('tabindex', '0');
      sign.setAttribute('aria-label', this.services.t('graph.close', { name }));
      this.press(sign, () => this.handlers.onturn(name));
      const frame = svg('rect', { x, y, width, height, rx: 12 });
      const heading = svg('text', { x: x + 24, y: y + 14.5 }, name);
      this.layers.hulls.append(svg('g', { class: 'hull' }, frame, heading, sign));
    }
  }

  /** Let an element react to clicks, Enter and Space. @param {Element} element @param {() => void} action */
  press(element, action) {
    element.addEventListener('click', (event) => {
      event.stopPropagation();
      if (!this.camera.dragged) {
        action();
      }
    });
    element.addEventListener('keydown', (event) => {
      const { key } = /** @type {KeyboardEvent} */ (event);
      // Space belongs to a box that was reached by keys; after a click it goes on playing.
      if (key === 'Enter' || (key === ' ' && element.matches(':focus-visible'))) {
        event.preventDefault();
        event.stopPropagation();
        action();
      }
    });
  }

  /** Write the numbers of a graph of the same form, whose boxes stay where they are. @param {GraphFacts} graph */
  rewrite(graph) {
    this.graph = graph;
    for (const wire of this.wires) {
      rewriteWire(wire, graph);
    }
  }

  /** Show how far the walk has come. @param {Progress} progress @param {number} position */
  mark(progress, position) {
    const { graph, shown, selected } = this;
    if (!graph || !shown) {
      return;
    }
    for (const box of shown.boxes) {
      const element = this.boxes.get(box.key);
      if (element) {
        markBox(element, box, { graph, shown, progress, position, selected });
        element.setAttribute('aria-label', this.handlers.describe(box.node));
      }
    }
    for (const wire of this.wires) {
      markWire(wire, progress, position);
    }
  }

  /** A ball runs along each line of the step of now, against its direction when it goes back. */
  animate() {
    const active = this.wires.filter(({ group }) => group.classList.contains('active'));
    const back = active.some(({ group }) => group.classList.contains('back'));
    if (active.length && !this.services.reduced()) {
      this.pulse.run(
        active.map(({ line }) => line),
        back,
      );
    } else {
      this.pulse.stop();
    }
  }

  /** Move just so far that a node is seen. @param {number} node @param {boolean} still without a flight */
  reveal(node, still) {
    const key = this.shown?.at.get(node) ?? '';
    const middle = this.placed?.boxes.get(key);
    const box = this.shown?.boxes.find((one) => one.key === key);
    if (middle && box) {
      this.camera.reveal({ ...middle, width: box.width, height: box.height }, this.room, still);
    }
  }

  fit() {
    if (this.placed) {
      this.camera.fit(this.placed, this.room);
    }
  }
}
