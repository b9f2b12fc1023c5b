// @ts-check
/** The frames around layers that are open. */

/** @typedef {import('fallline/graph/shown').Box} Box */
/** @typedef {import('fallline/graph/shown').Shown} Shown */
/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */
/** @typedef {import('fallline/graph/layout').Placed} Placed */
/** @typedef {{name: string, x: number, y: number, width: number, height: number}} Hull */

const SIDE = 9;
const HEADING = 23;

/**
 * One frame for each row that a layer has boxes in; none where others stand among them.
 * @param {GraphFacts} graph @param {Shown} shown @param {Placed} placed
 * @returns {Hull[]}
 */
export function hullsOf(graph, shown, placed) {
  const rowOf = (/** @type {Box} */ box) => placed.rows.get(box.key) ?? 0;
  /** @type {Hull[]} */
  const hulls = [];
  for (const group of graph.groups) {
    const keys = new Set(group.members.map((id) => shown.at.get(id)));
    const inside = shown.boxes.filter((box) => !box.group && keys.has(box.key));
    for (const row of new Set(inside.map(rowOf))) {
      const here = inside.filter((box) => rowOf(box) === row);
      const sides = here.map((box) => sidesOf(box, placed));
      const left = Math.min(...sides.map((one) => one.left)) - SIDE;
      const top = Math.min(...sides.map((one) => one.top)) - HEADING;
      const right = Math.max(...sides.map((one) => one.right)) + SIDE;
      const bottom = Math.max(...sides.map((one) => one.bottom)) + SIDE;
      const foreign = shown.boxes.some((box) => {
        const one = sidesOf(box, placed);
        const meets = one.left < right && one.right > left && one.top < bottom && one.bottom > top;
        return meets && !here.includes(box);
      });
      if (!foreign) {
        hulls.push({ name: group.name, x: left, y: top, width: right - left, height: bottom - top });
      }
    }
  }
  return hulls;
}

/** @param {Box} box @param {Placed} placed */
function sidesOf(box, placed) {
  const { x, y } = placed.boxes.get(box.key) ?? { x: 0, y: 0 };
  const [w, h] = [box.width / 2, box.height / 2];
  return { left: x - w, top: y - h, right: x + w, bottom: y + h };
}
