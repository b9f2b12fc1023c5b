// @ts-check
/** The graph as SVG: boxes, lines with their numbers, and how far the walk has come. */
import { clear, svg } from 'fallline/dom';
import { Camera } from 'fallline/graph/camera';
import { fitted, sizeOf } from 'fallline/graph/numbers';
import { GAP, inked } from 'fallline/graph/shown';

/** @typedef {import('fallline/graph/shown').Box} Box */
/** @typedef {import('fallline/graph/shown').Link} Link */
/** @typedef {import('fallline/graph/shown').Shown} Shown */
/** @typedef {import('fallline/graph/shown').Ink} Ink */
/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */
/** @typedef {import('fallline/graph/layout').Placed} Placed */
/** @typedef {import('fallline/graph/layout').Route} Route */
/** @typedef {import('fallline/graph/progress').Progress} Progress */
/** @typedef {import('fallline/services').Services} Services */
/**
 * @typedef {Object} Handlers
 * @property {(node: number) => void} onpick a box was clicked
 * @property {(layer: string) => void} onturn a layer is to be opened or closed
 * @property {(node: number) => string} describe a node, for those who listen
 */

/** Below this scale letters are too small to be read, and are left out. */
const FAR = 0.3;
const ROUND = 9;
const PULSE = 520;

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
    this.hulls = svg('g', { class: 'hulls' });
    this.lines = svg('g', { class: 'wires' });
    this.places = svg('g', { class: 'boxes' });
    this.ball = svg('circle', { class: 'pulse', r: 5.5, cx: -99, cy: -99 });
    this.world = svg('g', {}, this.hulls, this.lines, this.places, this.ball);
    this.root = /** @type {SVGSVGElement} */ (svg('svg', { class: 'drawing', role: 'group', label: 'graph.drawing' }, this.world));
    stage.append(this.root);
    this.camera = new Camera(this.root, this.world, () => {
      this.root.classList.toggle('far', this.camera.scale < FAR);
    });
    /** @type {Map<string, SVGElement>} */
    this.boxes = new Map();
    /** @type {Map<string, {group: SVGElement, line: SVGPathElement, link: Link}>} */
    this.links = new Map();
    /** @type {Placed | null} */
    this.placed = null;
    /** @type {Shown | null} */
    this.shown = null;
    this.selected = -1;
    this.beat = 0;
  }

  /** The part of the stage that is free of captions. */
  get room() {
    const { width, height } = this.stage.getBoundingClientRect();
    return { left: 22, top: 74, width: Math.max(60, width - 44), height: Math.max(60, height - 74 - 78) };
  }

  /**
   * Draw a graph anew.
   * @param {GraphFacts} graph @param {Shown} shown @param {Placed} placed
   */
  draw(graph, shown, placed) {
    const focused = document.activeElement?.getAttribute('data-key');
    this.still();
    this.graph = graph;
    this.shown = shown;
    this.placed = placed;
    this.boxes.clear();
    this.links.clear();
    for (const part of [this.hulls, this.lines, this.places]) {
      clear(part);
    }
    this.drawHulls(graph, shown, placed);
    for (const link of shown.links) {
      const route = placed.routes.get(link.key);
      if (route) {
        this.drawLink(graph, link, route, placed.direction);
      }
    }
    for (const box of shown.boxes) {
      const middle = placed.boxes.get(box.key);
      if (middle) {
        const element = this.drawBox(graph, box);
        element.setAttribute('transform', `translate(${middle.x.toFixed(1)} ${middle.y.toFixed(1)})`);
        this.places.append(element);
        this.boxes.set(box.key, element);
      }
    }
    if (focused) {
      /** @type {any} */ (this.boxes.get(focused))?.focus();
    }
  }

  /** Behind each open layer, a frame; where its boxes do not stand together there is none. */
  drawHulls(/** @type {GraphFacts} */ graph, /** @type {Shown} */ shown, /** @type {Placed} */ placed) {
    for (const group of graph.groups) {
      const keys = new Set(group.members.map((id) => shown.at.get(id)).filter((key) => key && !key.startsWith('g')));
      const rows = new Set([...keys].map((key) => placed.rows.get(key ?? '') ?? 0));
      for (const row of rows) {
        const inside = shown.boxes.filter((box) => keys.has(box.key) && (placed.rows.get(box.key) ?? 0) === row);
        this.drawHull(group.name, inside, shown, placed);
      }
    }
  }

  /** @param {string} name @param {Box[]} inside @param {Shown} shown @param {Placed} placed */
  drawHull(name, inside, shown, placed) {
    const edges = (/** @type {Box} */ box) => {
      const { x, y } = placed.boxes.get(box.key) ?? { x: 0, y: 0 };
      return [x - box.width / 2, y - box.height / 2, x + box.width / 2, y + box.height / 2];
    };
    const sides = inside.map(edges);
    const left = Math.min(...sides.map((s) => s[0])) - 9;
    const top = Math.min(...sides.map((s) => s[1])) - 23;
    const right = Math.max(...sides.map((s) => s[2])) + 9;
    const bottom = Math.max(...sides.map((s) => s[3])) + 9;
    const keys = new Set(inside.map((box) => box.key));
    const foreign = shown.boxes.some((box) => {
      const [a, b, c, d] = edges(box);
      return !keys.has(box.key) && a < right && c > left && b < bottom && d > top;
    });
    if (foreign || !inside.length) {
      return;
    }
    const close = svg('g', {
      class: 'turn', role: 'button', tabindex: 0, 'aria-label': this.services.t('graph.close', { name }),
      transform: `translate(${left + 12} ${top + 11})`,
    }, svg('rect', { x: -7, y: -7, width: 14, height: 14, rx: 4 }), svg('path', { d: 'M-3.5 0H3.5' }));
    this.pressable(close, () => this.handlers.onturn(name));
    this.hulls.append(svg('g', { class: 'hull' },
      svg('rect', { x: left, y: top, width: right - left, height: bottom - top, rx: 12 }),
      svg('text', { x: left + 24, y: top + 14.5 }, name), close));
  }

  /** @param {GraphFacts} graph @param {Box} box @returns {SVGElement} */
  drawBox(graph, box) {
    const [w, h] = [box.width, box.height];
    const round = box.kind === 'input' || box.kind === 'output' || box.kind === 'parameter';
    const parts = [];
    const shape = { x: -w / 2, y: -h / 2, width: w, height: h, rx: round ? Math.min(h / 2, 24) : ROUND };
    if (box.kind === 'group') {
      // Two sheets below say that there is more inside.
      parts.push(svg('rect', { ...shape, class: 'sheet', x: shape.x + 5, y: shape.y + 5 }));
    }
    parts.push(svg('rect', { ...shape, class: 'shape' }));
    if (box.kind === 'operation') {
      const y = -h / 2 + (42 / 2);
      parts.push(svg('text', { class: 'title', y: y + 1.5 }, box.title), svg('text', { class: 'name', y: y + 15 }, box.name));
      if (box.sum) {
        parts.push(svg('text', { class: 'number derivative sum', y: h / 2 - 21 * box.badges.length - 6 }));
      }
    } else if (box.kind === 'group') {
      parts.push(svg('text', { class: 'title', x: 8, y: -h / 2 + 21 }, box.title),
        svg('text', { class: 'name', x: 8, y: -h / 2 + 35 }, this.services.t('graph.inside', { n: (box.group?.members ?? [])
          .filter((id) => graph.nodes[id].kind === 'operation').length })));
      const turn = svg('g', { class: 'turn', transform: `translate(${-w / 2 + 15} ${-h / 2 + 16})` },
        svg('rect', { x: -7, y: -7, width: 14, height: 14, rx: 4 }), svg('path', { d: 'M-3.5 0H3.5M0 -3.5V3.5' }));
      parts.push(turn);
    } else {
      parts.push(svg('text', { class: 'title', y: -h / 2 + (h > 40 ? 16 : 18) }, box.title),
        svg('text', { class: 'number value', y: -h / 2 + 30 }), svg('text', { class: 'number derivative', y: -h / 2 + 43 }));
    }
    box.badges.forEach((badge, i) => parts.push(this.drawBadge(graph, box, badge, i)));
    const element = svg('g', {
      class: `box ${box.kind}`, tabindex: 0, role: 'button', 'data-key': box.key, 'data-node': box.node,
    }, ...parts);
    this.pressable(element, () => (box.group ? this.handlers.onturn(box.group.name) : this.handlers.onpick(box.node)));
    return element;
  }

  /** @param {GraphFacts} graph @param {Box} box @param {import('fallline/graph/shown').Badge} badge @param {number} index */
  drawBadge(graph, box, badge, index) {
    const facts = graph.nodes[badge.node];
    const grouped = box.kind === 'group';
    const width = grouped ? 30 : box.width - 10;
    const x = grouped ? -(box.badges.length * 34 - 4) / 2 + 34 * index : -width / 2;
    const y = grouped ? box.height / 2 - 23 : box.height / 2 - 21 * (box.badges.length - index) + 1;
    const ink = !badge.constant && !grouped ? inked(facts.value) : null;
    const parts = [
      svg('rect', { x, y, width, height: 17, rx: 5 }),
      svg('text', { x: ink?.image ? x + 7 : x + width / 2, y: y + 12, class: ink?.image ? 'left' : '' }, badge.text),
    ];
    if (ink?.image) {
      parts.push(strip(ink.image, x + width - 38, y + 3, 33, 11));
    }
    const element = svg('g', { class: badge.constant ? 'badge constant' : 'badge', 'data-node': badge.node }, ...parts);
    this.pressable(element, () => this.handlers.onpick(badge.node));
    return element;
  }

  /** @param {GraphFacts} graph @param {Link} link @param {Route} route @param {'LR' | 'TB'} direction */
  drawLink(graph, link, route, direction) {
    const { x, y } = route.end;
    const across = direction === 'LR';
    const line = /** @type {SVGPathElement} */ (svg('path', { class: 'line', d: route.path }));
    const tip = svg('path', {
      class: 'tip', d: across ? `M${x} ${y}l-7.5 -3.6v7.2z` : `M${x} ${y}l-3.6 -7.5h7.2z`,
    });
    const { above, below, local } = route.room;
    const parts = [svg('path', { class: 'halo', d: route.path }), line, tip];
    const { x: mx, y: my } = route.label;
    if (across) {
      append(parts, above && written(above, 'value', mx, my - route.room.over, null),
        below && written(below, 'derivative', mx, my + 3, null),
        local && svg('text', { class: 'local', x: mx, y: my + (below?.height ?? 0) + 11.5 }, local));
    } else {
      const left = mx - route.room.width / 2;
      const top = my - (route.room.over + route.room.under) / 2;
      append(parts, above && written(above, 'value', mx, top, left),
        below && written(below, 'derivative', mx, top, left + (above ? above.width + GAP : 0)),
        local && svg('text', { class: 'local left', x: left, y: my + (route.room.over + route.room.under) / 2 - 2 }, local));
    }
    if (link.port) {
      parts.push(svg('text', { class: 'port', x: across ? x - 11 : x + 8, y: across ? y - 5 : y - 7 }, link.port));
    }
    const group = svg('g', { class: 'wire', 'data-key': link.key }, ...parts);
    this.lines.append(group);
    this.links.set(link.key, { group, line, link });
  }

  /** Click, Enter or Space. @param {Element} element @param {() => void} action */
  pressable(element, action) {
    element.addEventListener('click', (event) => {
      event.stopPropagation();
      if (!this.camera.dragged) {
        action();
      }
    });
    element.addEventListener('keydown', (event) => {
      const { key } = /** @type {KeyboardEvent} */ (event);
      if (key === 'Enter') {
        event.preventDefault();
        event.stopPropagation();
        action();
      }
    });
  }

  /** Write the numbers of a graph of the same form, whose boxes stay where they are. @param {GraphFacts} graph */
  rewrite(graph) {
    this.graph = graph;
    for (const { group, link } of this.links.values()) {
      const derivative = link.derivative && graph.edges[link.edges[0]].derivative;
      for (const [name, facts] of /** @type {const} */ ([['value', graph.nodes[link.source].value], ['derivative', derivative]])) {
        const texts = group.querySelectorAll(`.number.${name} text`);
        if (facts && texts.length) {
          inked(facts).lines.flat().forEach((text, i) => {
            texts[i].textContent = text;
          });
        }
      }
    }
  }

  /**
   * Show how far the walk has come.
   * @param {Progress} progress @param {number} position
   */
  mark(progress, position) {
    const { graph, shown } = this;
    if (!graph || !shown) {
      return;
    }
    const step = progress.current(position);
    for (const box of shown.boxes) {
      const element = this.boxes.get(box.key);
      if (!element) {
        continue;
      }
      const mine = (/** @type {number | null | undefined} */ id) => id !== null && id !== undefined && shown.at.get(id) === box.key;
      const active = step !== null && mine(step.node);
      const derivative = progress.derivative(position, box.node);
      element.classList.toggle('dim', !progress.hasValue(position, box.node));
      element.classList.toggle('active', active);
      element.classList.toggle('back', active && Boolean(step?.back));
      element.classList.toggle('reached', step !== null && step.back && mine(step.input) && !active);
      element.classList.toggle('selected', this.selected === box.node || box.badges.some((b) => b.node === this.selected));
      element.setAttribute('aria-label', this.handlers.describe(box.node));
      const value = element.querySelector(':scope > .number.value');
      if (value) {
        value.textContent = short(graph.nodes[box.node].value);
      }
      const written = element.querySelector(':scope > .number.derivative');
      if (written) {
        written.textContent = derivative ? `${box.sum ? 'Σ ' : '∂ '}${short(derivative)}` : '';
      }
      for (const badge of element.querySelectorAll('.badge')) {
        const node = Number(badge.getAttribute('data-node'));
        badge.classList.toggle('done', progress.complete(position, node));
        badge.classList.toggle('reached', step?.input === node);
      }
    }
    for (const { group, link } of this.links.values()) {
      const active = step !== null && (step.back
        ? step.edge !== null && link.edges.includes(step.edge) : link.edges.some((edge) => graph.edges[edge].target === step.node));
      group.classList.toggle('dim', !progress.hasValue(position, link.source));
      group.classList.toggle('returned', progress.hasReturned(position, link.edges));
      group.classList.toggle('active', active);
      group.classList.toggle('back', active && Boolean(step?.back));
    }
  }

  /** A ball runs along the lines of a step, against their direction when it goes back. */
  pulse() {
    this.still();
    const active = [...this.links.values()].filter(({ group }) => group.classList.contains('active'));
    if (!active.length || this.services.reduced()) {
      return;
    }
    const back = active[0].group.classList.contains('back');
    const line = active[0].line;
    const length = line.getTotalLength();
    const start = performance.now();
    this.ball.classList.toggle('back', back);
    const frame = (/** @type {number} */ now) => {
      const share = Math.min(1, Math.max(0, (now - start) / PULSE));
      const eased = 1 - (1 - share) ** 2;
      const { x, y } = line.getPointAtLength(length * (back ? 1 - eased : eased));
      this.ball.setAttribute('cx', x.toFixed(1));
      this.ball.setAttribute('cy', y.toFixed(1));
      this.ball.setAttribute('opacity', (1 - share ** 4).toFixed(3));
      if (share < 1) {
        this.beat = requestAnimationFrame(frame);
      } else {
        this.ball.setAttribute('cx', '-99');
      }
    };
    this.beat = requestAnimationFrame(frame);
  }

  still() {
    cancelAnimationFrame(this.beat);
    this.ball.setAttribute('cx', '-9999');
  }

  /** @param {number} node @param {boolean} still */
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

/** @param {Node[]} parts @param {...(Node | null | '')} more */
const append = (parts, ...more) => parts.push(...more.filter((one) => one instanceof Node));

/** @param {import('fallline/graph/numbers').ArrayFacts} facts */
function short(facts) {
  const size = sizeOf(facts);
  return size === 1 && facts.elements ? fitted(facts.elements[0], 8) : facts.shape.join('×');
}

/** @param {string} address @param {number} x @param {number} y @param {number} width @param {number} height */
const strip = (address, x, y, width, height) => svg('g', { class: 'strip' },
  svg('rect', { x, y, width, height }),
  svg('image', { href: address, x, y, width, height, preserveAspectRatio: 'none' }));

/**
 * @param {Ink} ink @param {string} name value or derivative
 * @param {number} middle @param {number} top @param {number | null} left where it begins, if not in the middle
 */
function written(ink, name, middle, top, left) {
  const group = svg('g', { class: `number ${name}` });
  if (ink.kind === 'grid') {
    const columns = ink.lines[0]?.length ?? 1;
    const step = ink.width / columns;
    const from = left ?? middle - ink.width / 2;
    ink.lines.forEach((row, r) => row.forEach((text, c) => group.append(
      svg('text', { class: 'small', x: (from + step * (c + 0.5)).toFixed(1), y: top + 9 + 11 * r }, text))));
    return group;
  }
  const x = left ?? middle;
  const text = svg('text', { x, y: top + 10.5, class: left === null ? '' : 'left' }, ink.lines[0][0]);
  group.append(text);
  if (ink.image) {
    text.setAttribute('class', left === null ? 'small' : 'small left');
    const height = ink.height - 14;
    const width = Math.min(54, ink.width);
    group.append(strip(ink.image, left ?? middle - width / 2, top + 13, width, height));
  }
  return group;
}
