// @ts-check
/** The frames around layers that are open. */

/** @typedef {import('fallline/graph/shown').Box} Box */
/** @typedef {import('fallline/graph/shown').Link} Link */
/** @typedef {import('fallline/graph/shown').Shown} Shown */
/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */
/** @typedef {import('fallline/graph/layout').Placed} Placed */
/** @typedef {{name: string, x: number, y: number, width: number, height: number}} Hull */
/** @typedef {{left: number, top: number, right: number, bottom: number}} Sides */

const SIDE = 9;
const HEADING = 23;
const LETTER = 6.5;

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
    const own = new Set(inside.map((box) => box.key));
    const links = shown.links.filter((link) => own.has(link.from) && own.has(link.to));
    for (const row of new Set(inside.map(rowOf))) {
      const here = inside.filter((box) => rowOf(box) === row);
      const written = links.filter((link) => placed.routes.get(link.key)?.row === row);
      const hull = frame(group.name, [
        ...here.map((box) => sidesOf(box, placed)),
        ...written.flatMap((link) => numbersOf(link, placed)),
      ]);
      if (!meetsOthers(hull, here, written, shown, placed)) {
        hulls.push(hull);
      }
    }
  }
  return hulls;
}

/** @param {string} name @param {Sides[]} sides @returns {Hull} */
function frame(name, sides) {
  const x = Math.min(...sides.map((one) => one.left)) - SIDE;
  const y = Math.min(...sides.map((one) => one.top)) - HEADING;
  const right = Math.max(...sides.map((one) => one.right)) + SIDE;
  const bottom = Math.max(...sides.map((one) => one.bottom)) + SIDE;
  return { name, x, y, width: right - x, height: bottom - y };
}

/**
 * Are there boxes of others in a frame, or numbers of others where its name stands?
 * @param {Hull} hull @param {Box[]} boxes its own @param {Link[]} links its own @param {Shown} shown
 * @param {Placed} placed
 */
function meetsOthers(hull, boxes, links, shown, placed) {
  const { x, y, width, height, name } = hull;
  const meets = (/** @type {Sides} */ one, /** @type {number} */ w, /** @type {number} */ h) =>
    one.left < x + w && one.right > x && one.top < y + h && one.bottom > y;
  return (
    shown.boxes.some((box) => !boxes.includes(box) && meets(sidesOf(box, placed), width, height)) ||
    shown.links.some(
      (link) =>
        !links.includes(link) &&
        numbersOf(link, placed).some((one) => meets(one, name.length * LETTER + 30, HEADING)),
    )
  );
}

/** @param {Box} box @param {Placed} placed @returns {Sides} */
function sidesOf(box, placed) {
  const { x, y } = placed.boxes.get(box.key) ?? { x: 0, y: 0 };
  const [w, h] = [box.width / 2, box.height / 2];
  return { left: x - w, top: y - h, right: x + w, bottom: y + h };
}

/** Where the numbers of a line stand. @param {Link} link @param {Placed} placed @returns {Sides[]} */
function numbersOf(link, placed) {
  const route = placed.routes.get(link.key);
  if (!route) {
    return [];
  }
  const { label, room } = route;
  const w = room.width / 2;
  return [{ left: label.x - w, top: label.y - room.over, right: label.x + w, bottom: label.y + room.under }];
}
