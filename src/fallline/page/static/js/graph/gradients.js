// @ts-check
/** The derivative by each input: by the chain rule, as measured by differences, and against `jax.grad`. */
import { clear, h, say } from 'fallline/dom';
import { fitted, numeric, written } from 'fallline/graph/numbers';

/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */
/** @typedef {import('fallline/graph/numbers').ArrayFacts} ArrayFacts */

export class Gradients {
  /** @param {(node: number) => void} onpick */
  constructor(onpick) {
    this.onpick = onpick;
    /** What the server has checked; null until it has. @type {any} */
    this.check = null;
    this.element = h('div', { class: 'gradients' });
  }

  /** By the chain rule alone, until they have been checked. @param {GraphFacts} graph */
  showGraph(graph) {
    const rows = graph.nodes.filter(
      (node) => (node.kind === 'input' || node.kind === 'parameter') && node.derivative,
    );
    this.check = null;
    this.draw(
      rows.map((node) => ({
        node: node.id,
        label: node.label,
        chain: node.derivative,
        grad: graph.deviation,
      })),
      true,
    );
  }

  /** @param {any} check as the server tells it */
  showCheck(check) {
    this.check = check;
    this.draw(check.rows, check.all);
  }

  /** @param {any[]} rows @param {boolean} all were all numbers measured? */
  draw(rows, all) {
    clear(this.element);
    const body = rows.map((row) => {
      const good =
        row.apart !== undefined &&
        numeric(row.apart) <= Math.max(4 * numeric(row.error), 1e-6 * (1 + size(row.chain)));
      const verdict = row.apart === undefined ? (row.failed ? '–' : '…') : good ? '✓' : '✕';
      const cells = [
        h('td', { class: 'number backward' }, brief(row.chain)),
        h(
          'td',
          { class: 'number' },
          row.numeric ? brief(row.numeric) : row.measured ? `${row.measured}/${row.size}` : '',
        ),
        h('td', { class: 'number' }, row.apart === undefined ? '' : small(row.apart)),
        h('td', { class: good ? 'good' : row.apart === undefined ? '' : 'bad', title: row.failed }, verdict),
      ];
      const name = h(
        'button',
        { type: 'button', class: 'link', onclick: () => this.onpick(row.node) },
        row.label,
      );
      return h('tr', {}, h('th', { scope: 'row' }, name), ...cells);
    });
    const heads = ['graph.by', 'graph.chainRule', 'graph.differences', 'graph.apart'].map((key) =>
      h('th', { t: key, scope: 'col' }),
    );
    this.element.append(
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ...heads,
            h('th', { scope: 'col' }, h('span', { class: 'visually-hidden', t: 'graph.verdict' })),
          ),
        ),
        h('tbody', {}, ...body),
      ),
    );
    const failed = rows.find((row) => row.failed)?.failed;
    const note = h('p', { class: 'note' });
    if (failed) {
      note.textContent = failed;
    } else {
      const furthest = Math.max(0, ...rows.map((row) => numeric(row.grad ?? 0)));
      say(note, all ? 'graph.checkAbout' : 'graph.checkSome', { grad: small(furthest) });
    }
    this.element.append(note);
  }
}

/** @param {ArrayFacts} facts */
const brief = (facts) =>
  facts.shape.length === 0 ? written(facts.elements?.[0], 5) : `‖${fitted(facts.norm, 7)}‖`;

/** How far something is from something, in a few letters. @param {unknown} x */
const small = (x) => (numeric(x) === 0 ? '0' : fitted(numeric(x).toExponential(0), 6));

/** @param {ArrayFacts} facts */
const size = (facts) => Math.max(0, ...(facts.elements ?? []).map((x) => Math.abs(numeric(x)) || 0));
