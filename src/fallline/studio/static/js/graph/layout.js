// @ts-check
/** Where boxes and lines go: dagre finds the places, the lines become curves with room for their numbers. */
import { Graph, layout as arrangeWithDagre } from 'dagre';
import { labelSize } from 'fallline/graph/shown';

/** @typedef {import('fallline/graph/shown').Shown} Shown */
/** @typedef {import('fallline/graph/shown').Options} Options */
/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */
/** @typedef {ReturnType<typeof labelSize>} Label */
/** @typedef {{x: number, y: number}} Point */
/**
 * @typedef {Object} Route
 * @property {string} path of the whole line, as SVG writes it
 * @property {Point} end where it enters
 * @property {Point} label the middle of its numbers
 * @property {Label} room
 */
/**
 * @typedef {Object} Placed
 * @property {'LR' | 'TB'} direction
 * @property {number} width
 * @property {number} height
 * @property {Map<string, {x: number, y: number}>} boxes the middle of each
 * @property {Map<string, Route>} routes
 */

/** Above so many boxes only one direction is tried. */
const MANY_BOXES = 60;
const LEAD = 9;

/**
 * @param {GraphFacts} graph
 * @param {Shown} shown
 * @param {Options} options
 * @param {'auto' | 'LR' | 'TB'} direction
 * @param {{width: number, height: number}} room of the stage: "auto" takes what is larger on it
 * @returns {Placed}
 */
export function place(graph, shown, options, direction, room) {
  if (direction !== 'auto') {
    return placed(graph, shown, options, direction);
  }
  const across = placed(graph, shown, options, 'LR');
  if (shown.boxes.length > MANY_BOXES) {
    return across;
  }
  const down = placed(graph, shown, options, 'TB');
  const scale = (/** @type {Placed} */ p) => Math.min(room.width / p.width, room.height / p.height, 1.25);
  // From left to right is how one reads: it wins where the other is not clearly larger.
  return scale(down) > 1.12 * scale(across) ? down : across;
}

/**
 * @param {GraphFacts} graph
 * @param {Shown} shown
 * @param {Options} options
 * @param {'LR' | 'TB'} direction
 * @returns {Placed}
 */
function placed(graph, shown, options, direction) {
  const across = direction === 'LR';
  const plan = new Graph({ multigraph: true });
  plan.setGraph({
    rankdir: direction, nodesep: across ? 18 : 22, edgesep: 10, ranksep: across ? 22 : 20, marginx: 12, marginy: 12,
  });
  for (const box of shown.boxes) {
    plan.setNode(box.key, { width: box.width, height: box.height });
  }
  /** @type {Map<string, Label>} */
  const rooms = new Map();
  for (const link of shown.links) {
    const room = labelSize(graph, link, options);
    rooms.set(link.key, room);
    // The line runs through the middle of its label, and not everything written is as high above as below.
    const label = across
      ? { width: room.width + 8, height: 2 * Math.max(room.over, room.under), labelpos: /** @type {const} */ ('c') }
      : { width: room.width + 4, height: room.over + room.under - 6, labelpos: /** @type {const} */ ('r'), labeloffset: 6 };
    plan.setEdge(link.from, link.to, label, link.key);
  }
  arrangeWithDagre(plan);

  /** @type {Map<string, Point>} */
  const boxes = new Map();
  const sizes = new Map(shown.boxes.map((box) => [box.key, box]));
  for (const key of plan.nodes()) {
    const { x, y } = plan.node(key);
    boxes.set(key, { x, y });
  }
  /** @type {Map<string, Point[]>} */
  const ways = new Map();
  for (const edge of plan.edges()) {
    ways.set(edge.name ?? '', plan.edge(edge).points.slice(1, -1));
  }
  const ports = portsOf(shown, ways, boxes, across);
  /** @type {Map<string, Route>} */
  const routes = new Map();
  for (const edge of plan.edges()) {
    const key = edge.name ?? '';
    const label = plan.edge(edge);
    const room = /** @type {Label} */ (rooms.get(key));
    const from = /** @type {any} */ (sizes.get(edge.v));
    const to = /** @type {any} */ (sizes.get(edge.w));
    const start = boxes.get(edge.v) ?? { x: 0, y: 0 };
    const target = boxes.get(edge.w) ?? { x: 0, y: 0 };
    const shift = ports.get(key) ?? 0;
    const begin = across ? { x: start.x + from.width / 2, y: start.y } : { x: start.x, y: start.y + from.height / 2 };
    const end = across
      ? { x: target.x - to.width / 2, y: target.y + shift } : { x: target.x + shift, y: target.y - to.height / 2 };
    const middle = { x: label.x ?? 0, y: label.y ?? 0 };
    const points = [begin, lead(begin, LEAD, across)];
    for (const point of ways.get(key) ?? []) {
      const own = across && Math.abs(point.x - middle.x) < 1 && Math.abs(point.y - middle.y) < 1;
      if (own) {
        // A level stretch, above and below which the numbers stand.
        points.push({ x: middle.x - room.width / 2, y: middle.y }, { x: middle.x + room.width / 2, y: middle.y });
      } else {
        points.push(point);
      }
    }
    points.push(lead(end, -LEAD - 4, across), end);
    routes.set(key, { path: curve(points, across), end, label: middle, room });
  }
  const { width = 1, height = 1 } = plan.graph();
  return { direction, width, height, boxes, routes };
}

/** @param {Point} point @param {number} by @param {boolean} across */
const lead = (point, by, across) => (across ? { x: point.x + by, y: point.y } : { x: point.x, y: point.y + by });

/**
 * Where the lines that enter a box arrive, in the order in which they come: so that they do not cross.
 * @param {Shown} shown
 * @param {Map<string, Point[]>} ways
 * @param {Map<string, Point>} boxes
 * @param {boolean} across
 * @returns {Map<string, number>} how far from the middle
 */
function portsOf(shown, ways, boxes, across) {
  /** @type {Map<string, {key: string, from: number}[]>} */
  const entering = new Map();
  for (const link of shown.links) {
    const last = ways.get(link.key)?.at(-1) ?? boxes.get(link.from) ?? { x: 0, y: 0 };
    const list = entering.get(link.to) ?? [];
    list.push({ key: link.key, from: across ? last.y : last.x });
    entering.set(link.to, list);
  }
  const found = new Map();
  for (const box of shown.boxes) {
    const list = (entering.get(box.key) ?? []).sort((a, b) => a.from - b.from);
    const side = across ? box.height : box.width;
    const gap = Math.min(16, (side - 14) / Math.max(1, list.length - 1));
    list.forEach((one, i) => found.set(one.key, gap * (i - (list.length - 1) / 2)));
  }
  return found;
}

/**
 * A smooth line through points that never turns back (Fritsch & Carlson's monotone cubic).
 * @param {Point[]} points
 * @param {boolean} across along x or along y?
 */
function curve(points, across) {
  const along = points.map((p) => (across ? p.x : p.y));
  const aside = points.map((p) => (across ? p.y : p.x));
  // Points that do not go forward are left out.
  const kept = along.map((_, i) => i).filter((i) => i === 0 || along[i] > along[i - 1] + 0.01);
  const t = kept.map((i) => along[i]);
  const v = kept.map((i) => aside[i]);
  const slopes = t.slice(1).map((_, i) => (v[i + 1] - v[i]) / (t[i + 1] - t[i]));
  const tangents = t.map((_, i) => {
    if (i === 0 || i === t.length - 1) {
      return 0;
    }
    const [a, b] = [slopes[i - 1], slopes[i]];
    return a * b <= 0 ? 0 : Math.sign(a) * Math.min(Math.abs(a + b) / 2, 3 * Math.min(Math.abs(a), Math.abs(b)));
  });
  const at = (/** @type {number} */ p, /** @type {number} */ q) => {
    const [x, y] = across ? [p, q] : [q, p];
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  };
  let path = `M${at(t[0], v[0])}`;
  for (let i = 0; i < t.length - 1; i += 1) {
    const third = (t[i + 1] - t[i]) / 3;
    path += `C${at(t[i] + third, v[i] + third * tangents[i])} ${
      at(t[i + 1] - third, v[i + 1] - third * tangents[i + 1])} ${at(t[i + 1], v[i + 1])}`;
  }
  return path;
}
