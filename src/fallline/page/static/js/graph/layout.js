// @ts-check
/** Where boxes and lines go: dagre finds the places, the lines become curves with room for their numbers. */
import { Graph, layout as arrangeWithDagre } from 'dagre';
import { fold } from 'fallline/graph/fold';
import { smooth } from 'fallline/graph/routes';
import { labelSize } from 'fallline/graph/shown';

/** @typedef {import('fallline/graph/routes').Point} Point */
/** @typedef {import('fallline/graph/shown').Shown} Shown */
/** @typedef {import('fallline/graph/shown').Options} Options */
/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */
/** @typedef {ReturnType<typeof labelSize>} Label */
/** @typedef {'LR' | 'TB'} Direction */
/**
 * @typedef {{key: string, from: string, to: string, points: Point[], end: Point, label: Point,
 *   room: Label}} Line
 */
/**
 * @typedef {Object} Plan what dagre has found, in its own coordinates
 * @property {Direction} direction
 * @property {number} width
 * @property {number} height
 * @property {(Point & {key: string, layer: string | null, width: number, height: number})[]} boxes by their middles
 * @property {Line[]} lines
 */
/**
 * @typedef {Object} Route
 * @property {string} path of the whole line, as SVG writes it
 * @property {Point} end where it enters
 * @property {Point} label the middle of its numbers
 * @property {Label} room
 * @property {number} row in which its numbers stand
 */
/**
 * @typedef {Object} Placed
 * @property {Direction} direction
 * @property {number} width
 * @property {number} height
 * @property {Map<string, Point>} boxes the middle of each
 * @property {Map<string, number>} rows in which row each box stands
 * @property {Map<string, Route>} routes
 * @property {number} lanes how many lines at most go from one row to the next
 */

/** Above so many boxes, from top to bottom is not tried. */
const MANY_BOXES = 60;
/** Nothing is drawn larger than this to fill the stage. */
const LARGEST = 1.2;
const MOST_ROWS = 24;
/** What a form is worth where all come out alike: from left to right is how one reads, turns are in the way. */
const WORTH = { LR: 1, TB: 0.95, rows: 0.8, turn: 0.96 };

/**
 * @param {GraphFacts} graph
 * @param {Shown} shown
 * @param {Options} options
 * @param {string} direction LR, TB, rows, or auto for the one that can be read best
 * @param {{width: number, height: number}} room of the stage
 * @returns {Placed}
 */
export function place(graph, shown, options, direction, room) {
  const scale = (/** @type {{width: number, height: number}} */ p) =>
    Math.min(room.width / p.width, room.height / p.height, LARGEST);
  if (direction === 'TB') {
    return straight(planned(graph, shown, options, 'TB'));
  }
  const plan = planned(graph, shown, options, 'LR');
  let best = straight(plan);
  if (direction === 'LR') {
    return best;
  }
  let worth = direction === 'rows' ? 0 : scale(best) * WORTH.LR;
  const offer = (/** @type {Placed} */ placed, /** @type {number} */ factor) => {
    if (scale(placed) * factor > worth) {
      best = placed;
      worth = scale(placed) * factor;
    }
  };
  if (direction === 'auto' && shown.boxes.length <= MANY_BOXES) {
    offer(straight(planned(graph, shown, options, 'TB')), WORTH.TB);
  }
  for (let rows = 2; rows <= MOST_ROWS && plan.boxes.length >= 2 * rows; rows += 1) {
    const folded = fold(plan, rows);
    offer(folded, WORTH.rows * WORTH.turn ** folded.lanes);
    // The more rows, the higher: from here on they only get smaller.
    if (room.height / folded.height < Math.min(room.width / folded.width, worth)) {
      break;
    }
  }
  return best;
}

/** @param {Plan} plan @returns {Placed} */
function straight(plan) {
  const across = plan.direction === 'LR';
  return {
    direction: plan.direction,
    width: plan.width,
    height: plan.height,
    rows: new Map(),
    lanes: 0,
    boxes: new Map(plan.boxes.map(({ key, x, y }) => [key, { x, y }])),
    routes: new Map(
      plan.lines.map(({ key, points, end, label, room }) => [
        key,
        { path: smooth(points, across), end, label, room, row: 0 },
      ]),
    ),
  };
}

/**
 * @param {GraphFacts} graph
 * @param {Shown} shown
 * @param {Options} options
 * @param {Direction} direction
 * @returns {Plan}
 */
function planned(graph, shown, options, direction) {
  const across = direction === 'LR';
  const dagre = new Graph({ multigraph: true });
  dagre.setGraph({
    rankdir: direction,
    nodesep: across ? 18 : 24,
    edgesep: 10,
    ranksep: across ? 46 : 52,
    marginx: 14,
    marginy: 26,
  });
  const sizes = new Map(shown.boxes.map((box) => [box.key, box]));
  for (const { key, width, height } of shown.boxes) {
    dagre.setNode(key, { width, height });
  }
  /** @type {Map<string, Label>} */
  const rooms = new Map();
  for (const link of shown.links) {
    const room = labelSize(graph, link, options, across);
    rooms.set(link.key, room);
    // A line from left to right runs through its label, and what is written above may be higher than below.
    dagre.setEdge(
      link.from,
      link.to,
      across
        ? { width: room.width + 8, height: 2 * Math.max(room.over, room.under), labelpos: 'c' }
        : { width: room.width + 4, height: room.over + room.under, labelpos: 'r', labeloffset: 7 },
      link.key,
    );
  }
  arrangeWithDagre(dagre);

  const boxes = shown.boxes.map(({ key, layer, width, height }) => ({
    key,
    layer,
    width,
    height,
    ...pick(dagre.node(key)),
  }));
  const middles = new Map(boxes.map((box) => [box.key, { x: box.x, y: box.y }]));
  const found = dagre.edges().map((edge) => ({ key: edge.name ?? '', edge, facts: dagre.edge(edge) }));
  const ways = new Map(found.map(({ key, facts }) => [key, facts.points.slice(1, -1)]));
  const halves = halvesOf(boxes, found, across);
  const ports = portsOf(shown, ways, middles, across);
  const lines = found.map(({ key, edge, facts }) => {
    const room = /** @type {Label} */ (rooms.get(key));
    const [from, to] = [sizes.get(edge.v), sizes.get(edge.w)].map((box) => box ?? { width: 0, height: 0 });
    const [start, target] = [middles.get(edge.v), middles.get(edge.w)].map(
      (point) => point ?? { x: 0, y: 0 },
    );
    const shift = ports.get(key) ?? 0;
    const begin = across
      ? { x: start.x + from.width / 2, y: start.y }
      : { x: start.x, y: start.y + from.height / 2 };
    const end = across
      ? { x: target.x - to.width / 2, y: target.y + shift }
      : { x: target.x + shift, y: target.y - to.height / 2 };
    const label = { x: facts.x ?? 0, y: facts.y ?? 0 };
    const points = (ways.get(key) ?? []).flatMap((point) => {
      const here = Math.round(across ? point.x : point.y);
      // Level through a whole rank, so that a line touches neither its boxes nor its numbers.
      const half = halves.get(here) ?? 0;
      return across
        ? [
            { x: point.x - half, y: point.y },
            { x: point.x + half, y: point.y },
          ]
        : [
            { x: point.x, y: point.y - half },
            { x: point.x, y: point.y + half },
          ];
    });
    return { key, from: edge.v, to: edge.w, points: [begin, ...points, end], end, label, room };
  });
  const { width = 1, height = 1 } = dagre.graph();
  return { direction, width, height, boxes, lines };
}

/**
 * How far each rank reaches, by the place of its middle.
 * @param {Plan['boxes']} boxes
 * @param {{facts: import('dagre').EdgeLabel}[]} edges whose labels stand in ranks of their own
 * @param {boolean} across
 * @returns {Map<number, number>}
 */
function halvesOf(boxes, edges, across) {
  /** @type {Map<number, number>} */
  const halves = new Map();
  for (const one of [...boxes, ...edges.map(({ facts }) => facts)]) {
    const middle = Math.round((across ? one.x : one.y) ?? 0);
    const half = ((across ? one.width : one.height) ?? 0) / 2;
    halves.set(middle, Math.max(halves.get(middle) ?? 0, half));
  }
  return halves;
}

/** @param {Point} point @returns {Point} */
const pick = ({ x, y }) => ({ x, y });

/**
 * Where the lines that enter a box arrive, in the order in which they come, so that they do not cross.
 * @param {Shown} shown
 * @param {Map<string, Point[]>} ways
 * @param {Map<string, Point>} middles of boxes
 * @param {boolean} across
 * @returns {Map<string, number>} how far from the middle of the side
 */
function portsOf(shown, ways, middles, across) {
  /** @type {Map<string, {key: string, from: number}[]>} */
  const entering = new Map();
  for (const link of shown.links) {
    const last = ways.get(link.key)?.at(-1) ?? middles.get(link.from) ?? { x: 0, y: 0 };
    const list = entering.get(link.to) ?? [];
    list.push({ key: link.key, from: across ? last.y : last.x });
    entering.set(link.to, list);
  }
  const found = new Map();
  for (const box of shown.boxes) {
    const list = (entering.get(box.key) ?? []).sort((a, b) => a.from - b.from);
    const side = across ? box.height : box.width;
    const gap = Math.min(18, (side - 14) / Math.max(1, list.length - 1));
    list.forEach((one, i) => found.set(one.key, gap * (i - (list.length - 1) / 2)));
  }
  return found;
}
