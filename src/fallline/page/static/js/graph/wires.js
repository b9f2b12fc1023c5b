// @ts-check
/** One line of the drawing, with the value that goes along it and the derivative that comes back. */
import { svg } from 'fallline/dom';
import { GAP, inked } from 'fallline/graph/shown';

/** @typedef {import('fallline/graph/shown').Ink} Ink */
/** @typedef {import('fallline/graph/shown').Link} Link */
/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */
/** @typedef {import('fallline/graph/layout').Route} Route */
/** @typedef {import('fallline/graph/progress').Progress} Progress */
/** @typedef {{group: SVGElement, line: SVGPathElement, link: Link}} Wire */

/**
 * @param {Link} link
 * @param {Route} route
 * @param {boolean} across from left to right, or down?
 * @returns {Wire}
 */
export function wireOf(link, route, across) {
  const { x, y } = route.end;
  const line = /** @type {SVGPathElement} */ (svg('path', { class: 'line', d: route.path }));
  const tip = across ? `M${x} ${y}l-7.5 -3.6v7.2z` : `M${x} ${y}l-3.6 -7.5h7.2z`;
  const group = svg(
    'g',
    { class: 'wire', 'data-key': link.key },
    svg('path', { class: 'halo', d: route.path }),
    line,
    svg('path', { class: 'tip', d: tip }),
    ...(across ? aroundLine(route) : besideLine(route)),
  );
  if (link.port) {
    group.append(svg('text', { class: 'port', x: x + 8, y: across ? y + 3.2 : y - 7 }, link.port));
  }
  return { group, line, link };
}

/** The value above the line, the derivative below. @param {Route} route */
function aroundLine({ label: { x, y }, room: { above, below, local, over } }) {
  return present(
    above && numbers(above, 'value', x, y - over, true),
    below && numbers(below, 'derivative', x, y + 3, true),
    local && svg('text', { class: 'local', x, y: y + (below?.height ?? 0) + 11.5 }, local),
  );
}

/** Right of the line, the derivative after the value. @param {Route} route */
function besideLine({ label: { x, y }, room: { above, below, local, over, under, width } }) {
  const left = x - width / 2;
  const top = y - (over + under) / 2;
  return present(
    above && numbers(above, 'value', left, top, false),
    below && numbers(below, 'derivative', left + (above ? above.width + GAP : 0), top, false),
    local && svg('text', { class: 'local left', x: left, y: y + (over + under) / 2 - 2 }, local),
  );
}

/** @param {...(SVGElement | null | '')} parts */
const present = (...parts) => parts.filter((part) => part instanceof SVGElement);

/**
 * @param {Ink} ink
 * @param {'value' | 'derivative'} name
 * @param {number} x its middle, or where it begins
 * @param {number} top
 * @param {boolean} centred
 */
function numbers(ink, name, x, top, centred) {
  const group = svg('g', { class: `number ${name}` });
  const side = centred ? '' : 'left';
  if (ink.kind === 'grid') {
    const step = ink.width / (ink.lines[0]?.length ?? 1);
    const from = centred ? x - ink.width / 2 : x;
    for (const [row, line] of ink.lines.entries()) {
      for (const [column, text] of line.entries()) {
        const place = { x: (from + step * (column + 0.5)).toFixed(1), y: top + 9 + 11 * row };
        group.append(svg('text', { class: 'small', ...place }, text));
      }
    }
    return group;
  }
  group.append(
    svg('text', { x, y: top + 10.5, class: `${ink.image ? 'small ' : ''}${side}` }, ink.lines[0][0]),
  );
  if (ink.image) {
    const width = Math.min(54, ink.width);
    group.append(strip(ink.image, centred ? x - width / 2 : x, top + 13, width, ink.height - 14));
  }
  return group;
}

/**
 * An array as colours.
 * @param {string} address @param {number} x @param {number} y @param {number} width @param {number} height
 */
export const strip = (address, x, y, width, height) =>
  svg(
    'g',
    { class: 'strip' },
    svg('rect', { x, y, width, height }),
    svg('image', { href: address, x, y, width, height, preserveAspectRatio: 'none' }),
  );

/** Write the numbers of another graph of the same form. @param {Wire} wire @param {GraphFacts} graph */
export function rewriteWire({ group, link }, graph) {
  const derivative = link.derivative && graph.edges[link.edges[0]].derivative;
  const both = { value: graph.nodes[link.source].value, derivative };
  for (const [name, facts] of Object.entries(both)) {
    const texts = [...group.querySelectorAll(`.number.${name} text`)];
    const lines = facts ? inked(facts).lines.flat() : [];
    texts.forEach((text, i) => {
      text.textContent = lines[i] ?? '';
    });
  }
}

/** Show how far the walk has come. @param {Wire} wire @param {Progress} progress @param {number} position */
export function markWire({ group, link }, progress, position) {
  const { edges } = progress.graph;
  const step = progress.current(position);
  const used = (/** @type {number} */ edge) =>
    step?.back ? edge === step.edge : edges[edge].target === step?.node;
  const active = step !== null && link.edges.some(used);
  group.classList.toggle('dim', !progress.hasValue(position, link.source));
  group.classList.toggle('returned', progress.hasReturned(position, link.edges));
  group.classList.toggle('active', active);
  group.classList.toggle('back', active && Boolean(step?.back));
}
