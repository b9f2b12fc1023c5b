// @ts-check
/** What is drawn, in words, for those who listen to the page. */

/** @typedef {import('fallline/services').Services['t']} Say */
/** @typedef {import('fallline/graph/progress').Progress} Progress */
/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */

/**
 * A node as far as it is known by now.
 * @param {Progress} progress @param {number} position @param {number} id @param {Say} t
 * @returns {string}
 */
export function describe(progress, position, id, t) {
  const { graph } = progress;
  const node = graph.nodes[id];
  const derivative = progress.derivative(position, id);
  const known = progress.hasValue(position, id);
  const step = graph.steps.find((one) => !one.back && one.node === id);
  const value = known ? (step?.sentence ?? `${node.label} = ${node.value.text}`) : node.label;
  const key = derivative ? 'graph.describeBoth' : known ? 'graph.describeValue' : 'graph.describeNone';
  return t(key, { value, derivative: derivative?.text ?? '', output: graph.name, name: node.label });
}

/**
 * What a closed layer holds.
 * @param {GraphFacts | null} graph @param {import('fallline/graph/shown').Box} box @param {Say} t
 */
export function inside(graph, box, t) {
  const members = box.group?.members ?? [];
  return t('graph.inside', { n: members.filter((id) => graph?.nodes[id].kind === 'operation').length });
}
