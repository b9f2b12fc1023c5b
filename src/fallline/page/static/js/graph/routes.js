// @ts-check
/** Lines as SVG writes them: smooth between points, round at corners. */

/** @typedef {{x: number, y: number}} Point */

const CORNER = 12;

/** @param {Point} point */
const at = ({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`;

/**
 * A smooth line through points that never turns back (Fritsch & Carlson's monotone cubic), level at both ends.
 * @param {Point[]} points
 * @param {boolean} across along x, or along y?
 * @returns {string}
 */
export function smooth(points, across) {
  const along = (/** @type {Point} */ p) => (across ? p.x : p.y);
  const aside = (/** @type {Point} */ p) => (across ? p.y : p.x);
  /** @type {Point[]} */
  const kept = [];
  for (const point of points) {
    // A point that does not go forward is passed over, unless it is the end.
    while (
      kept.length > 1 &&
      point === points[points.length - 1] &&
      along(point) <= along(kept[kept.length - 1]) + 0.1
    ) {
      kept.pop();
    }
    if (!kept.length || along(point) > along(kept[kept.length - 1]) + 0.1) {
      kept.push(point);
    }
  }
  const t = kept.map(along);
  const v = kept.map(aside);
  const slopes = t.slice(1).map((_, i) => (v[i + 1] - v[i]) / (t[i + 1] - t[i]));
  const tangents = t.map((_, i) => {
    if (i === 0 || i === t.length - 1 || slopes[i - 1] * slopes[i] <= 0) {
      return 0;
    }
    const [a, b] = [slopes[i - 1], slopes[i]];
    return Math.sign(a) * Math.min(Math.abs(a + b) / 2, 3 * Math.min(Math.abs(a), Math.abs(b)));
  });
  const place = (/** @type {number} */ p, /** @type {number} */ q) =>
    at(across ? { x: p, y: q } : { x: q, y: p });
  let path = `M${place(t[0], v[0])}`;
  for (let i = 0; i < t.length - 1; i += 1) {
    // Longer handles where a line is level at both ends make a rounder S.
    const level = tangents[i] === 0 && tangents[i + 1] === 0;
    const reach = (t[i + 1] - t[i]) * (level ? 0.5 : 1 / 3);
    const first = place(t[i] + reach, v[i] + reach * tangents[i]);
    const second = place(t[i + 1] - reach, v[i + 1] - reach * tangents[i + 1]);
    path += `C${first} ${second} ${place(t[i + 1], v[i + 1])}`;
  }
  return path;
}

/**
 * Straight lines with round corners, to be put behind a path that ends in the first point.
 * @param {Point[]} points
 * @returns {string}
 */
export function rounded(points) {
  let path = '';
  for (let i = 1; i < points.length - 1; i += 1) {
    const [before, here, after] = [points[i - 1], points[i], points[i + 1]];
    const to = Math.hypot(here.x - before.x, here.y - before.y);
    const on = Math.hypot(after.x - here.x, after.y - here.y);
    const r = Math.min(CORNER, to / 2, on / 2);
    if (r > 0) {
      const enter = {
        x: here.x + ((before.x - here.x) * r) / to,
        y: here.y + ((before.y - here.y) * r) / to,
      };
      const leave = { x: here.x + ((after.x - here.x) * r) / on, y: here.y + ((after.y - here.y) * r) / on };
      path += `L${at(enter)}Q${at(here)} ${at(leave)}`;
    }
  }
  return `${path}L${at(points[points.length - 1])}`;
}
