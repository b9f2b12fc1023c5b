// @ts-check
/** One box of the drawing: an input, an operation with its parameters as badges, a closed layer, the result. */
import { svg } from 'fallline/dom';
import { fitted, sizeOf } from 'fallline/graph/numbers';
import { inked } from 'fallline/graph/shown';
import { strip } from 'fallline/graph/wires';

/** @typedef {import('fallline/graph/shown').Badge} Badge */
/** @typedef {import('fallline/graph/shown').Box} Box */
/** @typedef {import('fallline/graph/shown').Shown} Shown */
/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */
/** @typedef {import('fallline/graph/progress').Progress} Progress */
/** @typedef {(element: Element, action: () => void) => void} Press makes an element react to clicks and keys */
/** @typedef {import('fallline/graph/drawing').Handlers} Handlers */

const ROUND = 9;
const BADGE = 21;
/** Of an operation, without what is below its name. */
const HEAD = 42;

/**
 * @param {GraphFacts} graph
 * @param {Box} box
 * @param {Handlers} handlers
 * @param {Press} press
 * @returns {SVGElement} around (0, 0)
 */
export function boxOf(graph, box, handlers, press) {
  const [w, h] = [box.width, box.height];
  const oval = box.kind === 'input' || box.kind === 'output' || box.kind === 'parameter';
  const shape = { x: -w / 2, y: -h / 2, width: w, height: h, rx: oval ? Math.min(h / 2, 24) : ROUND };
  const parts = [svg('rect', { ...shape, class: 'shape' }), ...inscription(box, handlers)];
  if (box.kind === 'group') {
    // A second sheet below says that there is more inside.
    parts.unshift(svg('rect', { ...shape, class: 'sheet', x: shape.x + 5, y: shape.y + 5 }));
  }
  for (const [index, badge] of box.badges.entries()) {
    const element = badgeOf(graph, box, badge, index);
    press(element, () => handlers.onpick(badge.node));
    parts.push(element);
  }
  const facts = { tabindex: 0, role: 'button', 'data-key': box.key, 'data-node': box.node };
  const element = svg('g', { class: `box ${box.kind}`, ...facts }, ...parts);
  press(element, () => (box.group ? handlers.onturn(box.group.name) : handlers.onpick(box.node)));
  return element;
}

/** @param {Box} box @param {Handlers} handlers @returns {SVGElement[]} */
function inscription(box, handlers) {
  const top = -box.height / 2;
  const text = (/** @type {string} */ kind, /** @type {number} */ x, /** @type {number} */ y, content = '') =>
    svg('text', { class: kind, x, y: top + y }, content);
  if (box.kind === 'operation') {
    const sum = text('number derivative', 0, box.height - BADGE * box.badges.length - 6);
    const lines = [text('title', 0, HEAD / 2 + 1.5, box.title), text('name', 0, HEAD / 2 + 15, box.name)];
    return box.sum ? [...lines, sum] : lines;
  }
  if (box.kind === 'group') {
    const sign = turnSign(-box.width / 2 + 15, top + 16, true);
    return [text('title', 8, 21, box.title), text('name', 8, 35, handlers.inside(box)), sign];
  }
  return [
    text('title', 0, box.height > HEAD ? 16 : 18, box.title),
    text('number value', 0, 30),
    text('number derivative', 0, 43),
  ];
}

/** The sign that opens a layer, or closes it. @param {number} x @param {number} y @param {boolean} open */
export function turnSign(x, y, open) {
  return svg(
    'g',
    { class: 'turn', transform: `translate(${x} ${y})` },
    svg('rect', { x: -7, y: -7, width: 14, height: 14, rx: 4 }),
    svg('path', { d: open ? 'M-3.5 0H3.5M0 -3.5V3.5' : 'M-3.5 0H3.5' }),
  );
}

/** @param {GraphFacts} graph @param {Box} box @param {Badge} badge @param {number} index */
function badgeOf(graph, box, badge, index) {
  const facts = graph.nodes[badge.node];
  const small = box.kind === 'group';
  const width = small ? 30 : box.width - 10;
  const x = small ? -(box.badges.length * 34 - 4) / 2 + 34 * index : -width / 2;
  const y = small ? box.height / 2 - 23 : box.height / 2 - BADGE * (box.badges.length - index) + 1;
  const image = badge.constant || small ? null : inked(facts.value).image;
  const kind = badge.constant ? 'badge constant' : 'badge';
  const place = image ? { x: x + 7, class: 'left' } : { x: x + width / 2 };
  const element = svg(
    'g',
    { class: kind, 'data-node': badge.node },
    svg('rect', { x, y, width, height: 17, rx: 5 }),
    svg('text', { ...place, y: y + 12 }, badge.text),
  );
  if (image) {
    element.append(strip(image, x + width - 38, y + 3, 33, 11));
  }
  return element;
}

/**
 * Show how far the walk has come.
 * @param {SVGElement} element
 * @param {Box} box
 * @param {{graph: GraphFacts, shown: Shown, progress: Progress, position: number, selected: number}} state
 */
export function markBox(element, box, { graph, shown, progress, position, selected }) {
  const step = progress.current(position);
  const mine = (/** @type {number | null | undefined} */ id) =>
    id !== null && id !== undefined && shown.at.get(id) === box.key;
  const active = step !== null && mine(step.node);
  const derivative = progress.derivative(position, box.node);
  const classes = {
    dim: !progress.hasValue(position, box.node),
    active,
    back: active && step.back,
    reached: step !== null && step.back && mine(step.input) && !active,
    selected: selected === box.node || box.badges.some((badge) => badge.node === selected),
  };
  for (const [name, on] of Object.entries(classes)) {
    element.classList.toggle(name, on);
  }
  const value = element.querySelector(':scope > .number.value');
  if (value) {
    value.textContent = short(graph.nodes[box.node].value);
  }
  const below = element.querySelector(':scope > .number.derivative');
  if (below) {
    below.textContent = derivative ? `${box.sum ? 'Σ ' : '∂ '}${short(derivative)}` : '';
  }
  for (const badge of element.querySelectorAll('.badge')) {
    const node = Number(badge.getAttribute('data-node'));
    badge.classList.toggle('done', progress.complete(position, node));
    badge.classList.toggle('reached', step?.input === node);
  }
}

/** @param {import('fallline/graph/numbers').ArrayFacts} facts */
const short = (facts) =>
  sizeOf(facts) === 1 && facts.elements ? fitted(facts.elements[0], 8) : facts.shape.join('×');
