// @ts-check
/** Lines of equal value through a grid of numbers, by marching squares. */

/**
 * @typedef {object} Grid
 * @property {number} columns @property {number} rows
 * @property {ArrayLike<number>} values a row after the other; what is not finite has no line through it
 */

/**
 * The line of a level, as pieces that are joined where they meet.
 * @param {Grid} grid @param {number} level
 * @returns {number[][]} lines of x, y by turns, in cells from the first column and row
 */
export function contour({ columns, rows, values }, level) {
  /** Where a line goes on: the name of an edge of the grid -> the other end of its piece. @type {Map<number, number[]>} */
  const ends = new Map();
  const across = (/** @type {number} */ i, /** @type {number} */ j) => 2 * (j * columns + i);
  const along = (/** @type {number} */ i, /** @type {number} */ j) => 2 * (j * columns + i) + 1;
  const join = (/** @type {number} */ a, /** @type {number} */ b) => {
    ends.set(a, [...(ends.get(a) ?? []), b]);
    ends.set(b, [...(ends.get(b) ?? []), a]);
  };
  for (let j = 0; j < rows - 1; j += 1) {
    for (let i = 0; i < columns - 1; i += 1) {
      const at = j * columns + i;
      const a = values[at];
      const b = values[at + 1];
      const c = values[at + columns + 1];
      const d = values[at + columns];
      if (!(Number.isFinite(a) && Number.isFinite(b) && Number.isFinite(c) && Number.isFinite(d))) continue;
      const kind = (a >= level ? 1 : 0) | (b >= level ? 2 : 0) | (c >= level ? 4 : 0) | (d >= level ? 8 : 0);
      if (kind === 0 || kind === 15) continue;
      const [low, right, up, left] = [across(i, j), along(i + 1, j), across(i, j + 1), along(i, j)];
      const middle = (a + b + c + d) / 4 >= level;
      if (kind === 1 || kind === 14) join(left, low);
      else if (kind === 2 || kind === 13) join(low, right);
      else if (kind === 4 || kind === 11) join(right, up);
      else if (kind === 8 || kind === 7) join(up, left);
      else if (kind === 3 || kind === 12) join(left, right);
      else if (kind === 6 || kind === 9) join(low, up);
      else if ((kind === 5) === middle) {
        join(left, up);
        join(low, right);
      } else {
        join(left, low);
        join(right, up);
      }
    }
  }
  const place = (/** @type {number} */ edge) => {
    const at = edge >> 1;
    const [i, j] = [at % columns, Math.floor(at / columns)];
    const first = values[at];
    const second = edge % 2 ? values[at + columns] : values[at + 1];
    const share = second === first ? 0.5 : (level - first) / (second - first);
    return edge % 2 ? [i, j + share] : [i + share, j];
  };
  const lines = [];
  // Open lines first, from their ends; what is left runs in rings.
  const starts = [...ends.keys()].sort((a, b) => (ends.get(a)?.length ?? 0) - (ends.get(b)?.length ?? 0));
  for (const start of starts) {
    if (!ends.get(start)?.length) continue;
    const line = place(start);
    let here = start;
    for (;;) {
      const next = ends.get(here)?.pop();
      if (next === undefined) break;
      const back = ends.get(next);
      back?.splice(back.indexOf(here), 1);
      line.push(...place(next));
      here = next;
    }
    lines.push(line);
  }
  return lines;
}

/**
 * Put lines on a canvas as one path.
 * @param {CanvasRenderingContext2D} context @param {number[][]} lines
 * @param {(i: number) => number} x @param {(j: number) => number} y
 */
export function trace(context, lines, x, y) {
  context.beginPath();
  for (const line of lines) {
    for (let at = 0; at < line.length; at += 2) {
      if (at) context.lineTo(x(line[at]), y(line[at + 1]));
      else context.moveTo(x(line[at]), y(line[at + 1]));
    }
  }
}
