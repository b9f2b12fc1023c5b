// @ts-check
/** How far the walk through a graph has come: what has a value by now, and what a derivative. */

/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */
/** @typedef {import('fallline/graph/numbers').ArrayFacts} ArrayFacts */

export class Progress {
  /** @param {GraphFacts} graph */
  constructor(graph) {
    this.graph = graph;
    this.last = graph.steps.length;
    this.forward = graph.steps.filter((step) => !step.back).length;
    /** The step after which a node has its value; 0 from the start. @type {number[]} */
    this.valued = graph.nodes.map(() => 0);
    /** The step after which an edge has brought its derivative back. @type {Map<number, number>} */
    this.returned = new Map();
    /** The steps that add to a node's derivative. @type {Map<number, number[]>} */
    this.sums = new Map();
    graph.steps.forEach((step, index) => {
      if (!step.back) {
        this.valued[step.node] = index + 1;
      } else if (step.input !== null) {
        this.returned.set(step.edge ?? -1, index + 1);
        this.sums.set(step.input, [...(this.sums.get(step.input) ?? []), index]);
      }
    });
    for (const node of graph.nodes) {
      if (node.kind === 'output') {
        this.valued[node.id] = this.valued[node.inputs[0]];
      }
    }
  }

  /** @param {number} position @param {number} node */
  hasValue(position, node) {
    return this.valued[node] <= position;
  }

  /**
   * Have all of these edges, or those among them that bring anything, brought it?
   * @param {number} position @param {number[]} edges
   */
  hasReturned(position, edges) {
    const steps = edges.map((edge) => this.returned.get(edge)).filter((step) => step !== undefined);
    return steps.length > 0 && steps.every((step) => (step ?? 0) <= position);
  }

  /** A node's derivative by now. @param {number} position @param {number} node @returns {ArrayFacts | null} */
  derivative(position, node) {
    if (this.graph.nodes[node].kind === 'output') {
      return position > this.forward ? this.graph.nodes[node].derivative : null;
    }
    const steps = (this.sums.get(node) ?? []).filter((index) => index < position);
    return steps.length ? this.graph.steps[steps[steps.length - 1]].total : null;
  }

  /** Is a node's derivative complete? @param {number} position @param {number} node */
  complete(position, node) {
    const steps = this.sums.get(node) ?? [];
    return steps.length > 0 && steps[steps.length - 1] < position;
  }

  /** The step that was done last; null before the first. @param {number} position */
  current(position) {
    return position > 0 ? this.graph.steps[position - 1] : null;
  }
}
