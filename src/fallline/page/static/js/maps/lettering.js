// @ts-check
/** What is written on a relief: its contours with their numbers, and a sentence where it covers least. */
import { trace } from 'fallline/maps/contours';
import { fitted, haloed } from 'fallline/maps/ink';
import { figure } from 'fallline/maps/numbers';

/** @typedef {import('fallline/maps/ink').Ink} Ink */
/** @typedef {import('fallline/maps/axes').Area} Area */

/**
 * Lines of equal loss, and numbers along the strong ones where these are long and level enough to carry one.
 * @param {CanvasRenderingContext2D} context @param {Ink} ink
 * @param {import('fallline/maps/ground').Contours} contours @param {Area} area
 * @param {number[][]} way places that no number is to cover
 */
export function drawContours(context, ink, { levels, columns, rows }, area, way) {
  const [left, top, right, bottom] = area;
  const x = (/** @type {number} */ i) => left + (i / (columns - 1)) * (right - left);
  const y = (/** @type {number} */ j) => bottom - (j / (rows - 1)) * (bottom - top);
  const fine = right - left > 240;
  context.lineJoin = 'round';
  for (const { lines, major } of levels) {
    if (!major && !fine) continue;
    trace(context, lines, x, y);
    context.strokeStyle = major ? '#060a1499' : '#060a1452';
    context.lineWidth = major ? 1.25 : 0.8;
    context.stroke();
  }
  if (!fine) return;
  context.font = ink.digits(10, 600);
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  // Words stand beside both ends of the way.
  const ends = way.length ? [way[0], way[way.length - 1]] : [];
  const words = ends.flatMap(([ex, ey]) => [-90, -60, -30, 30, 60, 90].map((aside) => [ex + aside, ey]));
  const taken = [...way, ...words];
  for (const { lines, major, value } of levels) {
    const spot = major ? carrier(lines, x, y, area, taken) : null;
    if (!spot) continue;
    taken.push(spot);
    context.save();
    context.translate(spot[0], spot[1]);
    context.rotate(spot[2]);
    haloed(context, figure(value, 2), 0, 0, { colour: '#ffffffe6', halo: '#0a1220b8', width: 2.6 });
    context.restore();
  }
}

/**
 * A sentence on a map, in the corner where it covers least of a way.
 * @param {CanvasRenderingContext2D} context @param {Ink} ink
 * @param {string} text @param {string} short in its place where there is no room
 * @param {Area} area @param {number[][]} way its ends must be seen, and the words beside them
 */
export function drawChip(context, ink, text, short, [left, top, right, bottom], way) {
  context.font = ink.letters(11.5, 500);
  const room = right - left - 32;
  const lines = wrapped(context, text, room);
  const shown = lines.length > 2 || bottom - top < 120 ? [fitted(context, short, room)] : lines;
  const wide = Math.max(...shown.map((line) => context.measureText(line).width)) + 18;
  const tall = 16 * shown.length + 8;
  const covered = (/** @type {number[]} */ [x, y]) =>
    way.reduce((sum, [px, py], i) => {
      const end = i === 0 || i === way.length - 1;
      const [beside, more] = end ? [70, 20] : [8, 8];
      const inside = px > x - beside && px < x + wide + beside && py > y - more && py < y + tall + more;
      return sum + (inside ? (end ? 1000 : 1) : 0);
    }, 0);
  const [x0, x1, y0, y1] = [left + 8, right - 8 - wide, top + 8, bottom - 8 - tall];
  const corners = [[x0, y1], [x0, y0], [x1, y1], [x1, y0]];
  const [x, y] = corners.reduce((one, other) => (covered(other) < covered(one) ? other : one));
  context.fillStyle = '#070b13c4';
  context.beginPath();
  context.roundRect(x, y, wide, tall, 7);
  context.fill();
  context.fillStyle = '#f3f6fa';
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  shown.forEach((line, i) => context.fillText(line, x + 9, y + 12.5 + 16 * i));
}

/** A text in lines no wider than there is room. @param {CanvasRenderingContext2D} context @param {string} text @param {number} room */
function wrapped(context, text, room) {
  const lines = [''];
  // Between words, and between any two Chinese characters.
  for (const piece of text.match(/[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+\s*|\s+/g) ?? []) {
    const longer = lines[lines.length - 1] + piece;
    if (lines[lines.length - 1] && context.measureText(longer.trimEnd()).width > room) lines.push(piece);
    else lines[lines.length - 1] = longer;
  }
  return lines.map((line) => fitted(context, line.trimEnd(), room));
}

/**
 * A place on the longest of some lines that a number may stand at: free of others, as level as there is.
 * @param {number[][]} lines @param {(i: number) => number} x @param {(j: number) => number} y
 * @param {import('fallline/maps/axes').Area} area @param {number[][]} taken
 * @returns {number[] | null} x, y, angle
 */
function carrier(lines, x, y, [left, top, right, bottom], taken) {
  const line = lines.reduce((one, other) => (other.length > one.length ? other : one), lines[0]);
  const count = line.length / 2;
  if (count < 24) return null;
  /** @type {number[] | null} */
  let best = null;
  let flattest = 1.25;
  for (let step = 2; step < 30; step += 1) {
    const k = Math.min(count - 5, Math.max(4, Math.round((step / 32) * count)));
    const [px, py] = [x(line[2 * k]), y(line[2 * k + 1])];
    const [ax, ay] = [x(line[2 * k - 8]), y(line[2 * k - 7])];
    const [bx, by] = [x(line[2 * k + 8]), y(line[2 * k + 9])];
    const inside = px > left + 26 && px < right - 26 && py > top + 16 && py < bottom - 44;
    if (!inside || taken.some(([tx, ty]) => Math.hypot(tx - px, ty - py) < 34)) continue;
    const angle = Math.atan2(by - ay, bx - ax);
    const upright = angle > Math.PI / 2 ? angle - Math.PI : angle < -Math.PI / 2 ? angle + Math.PI : angle;
    if (Math.abs(upright) < flattest) [best, flattest] = [[px, py, upright], Math.abs(upright)];
  }
  return best;
}
