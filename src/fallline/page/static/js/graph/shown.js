// @ts-check
/** What is to be drawn of a graph: boxes and links, with some layers closed and parameters as badges. */
import { fitted, grid, heat, numeric, shapeText, sizeOf } from 'fallline/graph/numbers';

/** @typedef {import('fallline/graph/numbers').ArrayFacts} ArrayFacts */
/**
 * @typedef {Object} NodeFacts
 * @property {number} id
 * @property {string} kind input, parameter, constant, operation or output
 * @property {string} label
 * @property {string} title
 * @property {number[]} written constants that stand in the title
 * @property {string} operation
 * @property {string | null} layer
 * @property {number[]} inputs
 * @property {number[]} users
 * @property {number | null} on the operation whose badge it is
 * @property {ArrayFacts} value
 * @property {ArrayFacts | null} derivative
 */
/**
 * @typedef {{source: number, target: number, position: number, derivative: ArrayFacts | null,
 *   local: string}} EdgeFacts
 * @typedef {{name: string, members: number[], result: number,
 *   entering: {source: number, derivative: ArrayFacts | null}[]}} GroupFacts
 * @typedef {{back: boolean, node: number, input: number | null, edge: number | null, sentence: string,
 *   total: ArrayFacts | null}} StepFacts
 * @typedef {{name: string, value: number, low: number, high: number}} VariableFacts
 */
/**
 * @typedef {Object} GraphFacts a graph as the server sends it
 * @property {'expression' | 'network'} source
 * @property {string} name
 * @property {string} formula
 * @property {ArrayFacts} value
 * @property {string} precision
 * @property {number} deviation
 * @property {NodeFacts[]} nodes
 * @property {EdgeFacts[]} edges
 * @property {GroupFacts[]} groups
 * @property {StepFacts[]} steps
 * @property {VariableFacts[]} variables
 * @property {{formula: string, bounds: number[]} | null} terrain
 * @property {string | null} note
 */
/**
 * @typedef {Object} Badge
 * @property {number} node
 * @property {string} text
 * @property {boolean} constant
 */
/**
 * @typedef {Object} Box
 * @property {string} key
 * @property {string} kind a node's, or group
 * @property {number} node whose value it stands for
 * @property {string} title
 * @property {string} name
 * @property {Badge[]} badges
 * @property {number} sum how many paths its derivative is the sum of
 * @property {GroupFacts | null} group
 * @property {string | null} layer
 * @property {number} width
 * @property {number} height
 */
/**
 * @typedef {Object} Link
 * @property {string} key
 * @property {string} from the key of a box
 * @property {string} to
 * @property {number} source the node whose value it carries
 * @property {number[]} edges
 * @property {ArrayFacts | null} derivative
 * @property {string} port the letter of the operand, where the order counts
 * @property {string} local
 */
/**
 * @typedef {{values: boolean, derivatives: boolean, formulas: boolean}} Options what is written on links
 * @typedef {{boxes: Box[], links: Link[], at: Map<number, string>}} Shown `at`: the box of each node
 */

/** The widths of letters, in pixels: of the title, of a name, of numbers. */
const TITLE = 8.4;
const NAME = 6.4;
const DIGIT = 6.3;
const SMALL = 5.5;

/** Between value and derivative where they stand side by side. */
export const GAP = 8;

/** Numbers on links have room for so many letters, so that live changes move nothing. */
const LETTERS = 8;
const GRID_LETTERS = 6;

/** Whose operands may be exchanged. */
const COMMUTING = new Set(['add', 'add_any', 'mul', 'max', 'min']);

/** A closed layer of fewer operations would hide more than it helps. */
const LARGE_LAYER = 6;
/** Above so many nodes all layers are closed. */
const MANY_NODES = 100;

/**
 * The layers that are closed.
 * @param {GraphFacts} graph
 * @param {string} mode auto, closed or open
 * @param {Set<string>} turned layers that the user opened or closed against the mode
 * @returns {Set<string>}
 */
export function closedLayers(graph, mode, turned) {
  const many = graph.nodes.length > MANY_NODES;
  const closed = graph.groups.filter((group) => {
    const operations = group.members.filter((id) => graph.nodes[id].kind === 'operation').length;
    const usual = mode === 'closed' || (mode === 'auto' && (many || operations > LARGE_LAYER));
    return usual !== turned.has(group.name);
  });
  return new Set(closed.map((group) => group.name));
}

/**
 * @param {GraphFacts} graph
 * @param {Set<string>} closed names of layers
 * @param {Options} options
 * @returns {Shown}
 */
export function arrange(graph, closed, options) {
  /** @type {Map<number, GroupFacts>} */
  const inside = new Map();
  for (const group of graph.groups) {
    if (closed.has(group.name)) {
      group.members.forEach((id) => inside.set(id, group));
    }
  }
  /** @type {Map<number, string>} */
  const at = new Map();
  /** @type {Box[]} */
  const boxes = [];
  for (const node of graph.nodes) {
    const group = inside.get(node.id);
    if (group) {
      at.set(node.id, `g${group.name}`);
      if (group.members[group.members.length - 1] === node.id) {
        boxes.push(groupBox(graph, group));
      }
    } else if (node.on !== null) {
      const layer = inside.get(node.on);
      at.set(node.id, layer ? `g${layer.name}` : `n${node.on}`);
    } else if (node.kind !== 'constant') {
      at.set(node.id, `n${node.id}`);
      boxes.push(nodeBox(graph, node, options));
    }
  }
  return { boxes, links: linksOf(graph, inside, at, closed), at };
}

/** @param {GraphFacts} graph @param {GroupFacts} group @returns {Box} */
function groupBox(graph, group) {
  const badges = group.members
    .map((id) => graph.nodes[id])
    .filter((node) => node.kind === 'parameter')
    .map((node) => ({ node: node.id, text: node.label, constant: false }));
  const width = Math.max(96, group.name.length * 7.4 + 44, badges.length * 34 + 20);
  return {
    key: `g${group.name}`,
    kind: 'group',
    node: group.result,
    title: group.name,
    name: graph.nodes[group.result].label,
    badges,
    sum: 0,
    group,
    layer: group.name,
    width,
    height: badges.length ? 66 : 46,
  };
}

/** @param {GraphFacts} graph @param {NodeFacts} node @param {Options} options @returns {Box} */
function nodeBox(graph, node, options) {
  /** @type {Badge[]} */
  const badges = [];
  for (const id of node.inputs) {
    const input = graph.nodes[id];
    if (input.on === node.id) {
      badges.push({ node: id, text: `${input.label}  ${shapeText(input.value.shape)}`, constant: false });
    } else if (input.kind === 'constant' && !node.written.includes(id)) {
      badges.push({ node: id, text: sizeOf(input.value) > 1 ? '1…' : input.label, constant: true });
    }
  }
  const users = node.users.length;
  const operation = node.kind === 'operation';
  const summed = operation && users > 1 && options.derivatives;
  let width = Math.max(operation ? 54 : 62, node.title.length * (operation ? TITLE : 7.2) + 22);
  let height = operation ? 42 : 34;
  if (!operation) {
    const lines = Number(options.values) + Number(options.derivatives);
    height += 13 * Math.max(0, lines - 0.4);
    width = Math.max(width, LETTERS * DIGIT + 26);
  }
  if (summed) {
    height += 14;
    width = Math.max(width, (LETTERS + 2) * DIGIT + 12);
  }
  for (const badge of badges) {
    height += 21;
    width = Math.max(width, badge.text.length * NAME + 56);
  }
  return {
    key: `n${node.id}`,
    kind: node.kind,
    node: node.id,
    title: node.title,
    name: operation ? node.label : '',
    badges,
    sum: summed ? users : 0,
    group: null,
    layer: node.layer,
    width: Math.ceil(width),
    height: Math.ceil(height),
  };
}

/**
 * @param {GraphFacts} graph
 * @param {Map<number, GroupFacts>} inside
 * @param {Map<number, string>} at
 * @param {Set<string>} closed
 * @returns {Link[]}
 */
function linksOf(graph, inside, at, closed) {
  /** @type {Map<string, Link>} */
  const links = new Map();
  graph.edges.forEach((edge, index) => {
    const from = at.get(edge.source);
    const to = at.get(edge.target);
    const source = graph.nodes[edge.source];
    if (!from || !to || from === to || source.kind === 'constant') {
      return;
    }
    const group = inside.get(edge.target);
    // A value enters a closed layer once, however often it is used in there.
    const key = group ? `${from}:${edge.source}>${to}` : `e${index}`;
    const known = links.get(key);
    if (known) {
      known.edges.push(index);
      return;
    }
    const entering = group?.entering.find((one) => one.source === edge.source);
    const target = graph.nodes[edge.target];
    const ordered =
      !group && target.inputs.length > 1 && !COMMUTING.has(target.operation) && !target.written.length;
    links.set(key, {
      key,
      from,
      to,
      source: edge.source,
      edges: [index],
      derivative: entering ? entering.derivative : edge.derivative,
      port: ordered ? ('abc'[edge.position] ?? '') : '',
      local: group ? '' : edge.local,
    });
  });
  return [...links.values()];
}

/** Two digits are enough where six numbers stand side by side. @param {unknown} x */
const rounded = (x) => (typeof x === 'boolean' ? x : Number(numeric(x).toPrecision(3)));

/**
 * @typedef {{kind: 'text' | 'grid' | 'heat', lines: string[][], width: number, height: number,
 *   image: string | null}} Ink
 */

/**
 * How an array is written on a link: a number, a few numbers, or colours under their shape.
 * @param {ArrayFacts} facts
 * @returns {Ink}
 */
export function inked(facts) {
  const size = sizeOf(facts);
  const { rows, columns } = grid(facts.shape);
  const elements = facts.elements ?? [];
  if (facts.shape.length === 0) {
    const lines = [[fitted(elements[0], LETTERS)]];
    return { kind: 'text', lines, width: LETTERS * DIGIT, height: 13, image: null };
  }
  if (size <= 6 && elements.length) {
    const lines = Array.from({ length: rows }, (_, row) =>
      elements.slice(row * columns, (row + 1) * columns).map((x) => fitted(rounded(x), GRID_LETTERS)),
    );
    return {
      kind: 'grid',
      lines,
      width: columns * (GRID_LETTERS + 1) * SMALL,
      height: rows * 11 + 3,
      image: null,
    };
  }
  const image = heat(facts);
  const cell = Math.max(3, Math.min(9, 54 / columns, 40 / rows));
  const lines = [[shapeText(facts.shape)]];
  const wide = lines[0][0].length * DIGIT;
  if (!image) {
    return { kind: 'text', lines, width: wide, height: 13, image };
  }
  return {
    kind: 'heat',
    lines,
    width: Math.max(cell * columns, wide),
    height: cell * rows + 14,
    image,
  };
}

/**
 * The room that a link's numbers need: above and below a line across, beside one another right of a line down.
 * @param {GraphFacts} graph @param {Link} link @param {Options} options @param {boolean} across
 */
export function labelSize(graph, link, options, across) {
  const above = options.values ? inked(graph.nodes[link.source].value) : null;
  const below = options.derivatives && link.derivative ? inked(link.derivative) : null;
  const local = options.formulas ? link.local : '';
  const [first, second] = [above?.width ?? 0, below?.width ?? 0];
  const room = { above, below, local };
  if (across) {
    const width = Math.max(first, second, local.length * SMALL, 10);
    return {
      ...room,
      width,
      over: (above?.height ?? 0) + 3,
      under: (below?.height ?? 0) + (local ? 12 : 0) + 3,
    };
  }
  const width = Math.max(first + second + (first && second ? GAP : 0), local.length * SMALL, 4);
  const height = Math.max(above?.height ?? 0, below?.height ?? 0, 4);
  return { ...room, width, over: height / 2, under: height / 2 + (local ? 12 : 0) };
}
