// @ts-check
/** The way of a descent over a map: from pale to bright, a ring where it starts, a dot where it ends. */
import { lut } from 'fallline/palette';

/** @typedef {import('fallline/maps/ink').Ink} Ink */

const STOPS = ['#fff4dc', '#ffc56b', '#ff7a3d', '#ff4326'];
const CASING = '#05080ea6';
/** Words stand on it, as light ground would not carry them. */
const PLATE = '#070b13a8';
/** Of a path with fewer places each is a dot. */
const DOTTED = 70;

/**
 * A path in pixels; a slice without one still has the end of the run in its middle.
 * @param {{x: (number | null)[], y: (number | null)[]} | null} path
 * @param {import('fallline/maps/axes').Scale} x @param {import('fallline/maps/axes').Scale} y
 * @param {import('fallline/maps/axes').Area} area
 * @returns {(number[] | null)[]}
 */
export function placesOf(path, x, y, [left, top, right, bottom]) {
  // Canvases lose lines that go on for millions of pixels.
  const held = (/** @type {number} */ share) => Math.max(-8, Math.min(9, share));
  const place = (/** @type {number} */ px, /** @type {number} */ py) => [
    left + held(x.share(px)) * (right - left),
    bottom - held(y.share(py)) * (bottom - top),
  ];
  if (!path?.x.length) return [place(0, 0)];
  return path.x.map((px, i) => {
    const py = path.y[i];
    return px === null || py === null ? null : place(px, py);
  });
}

/**
 * @param {CanvasRenderingContext2D} context @param {Ink} ink
 * @param {(number[] | null)[]} places in pixels; null where the path is unknown
 * @param {{start: string, end: string, area: import('fallline/maps/axes').Area}} words
 */
export function drawTrail(context, ink, places, { start, end, area }) {
  const known = places.flatMap((place, i) => (place ? [{ place, share: i / Math.max(1, places.length - 1) }] : []));
  if (!known.length) return;
  const table = lut(STOPS);
  const colour = (/** @type {number} */ share) => {
    const at = 4 * Math.round(255 * share);
    return `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
  };
  context.lineJoin = 'round';
  context.lineCap = 'round';
  context.strokeStyle = CASING;
  context.lineWidth = 5;
  context.beginPath();
  known.forEach(({ place: [x, y] }, i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
  for (let i = 1; i < known.length; i += 1) {
    context.strokeStyle = colour(known[i].share);
    context.lineWidth = 2.4;
    context.beginPath();
    context.moveTo(known[i - 1].place[0], known[i - 1].place[1]);
    context.lineTo(known[i].place[0], known[i].place[1]);
    context.stroke();
  }
  if (known.length <= DOTTED) {
    for (const { place, share } of known.slice(1, -1)) {
      context.beginPath();
      context.arc(place[0], place[1], 2.6, 0, 7);
      context.fillStyle = colour(share);
      context.fill();
      context.strokeStyle = CASING;
      context.lineWidth = 0.8;
      context.stroke();
    }
  }
  const [first, last] = [known[0].place, known[known.length - 1].place];
  ring(context, first, 6, CASING, 5);
  ring(context, first, 6, '#ffffff', 2.2);
  context.beginPath();
  context.arc(last[0], last[1], 6.5, 0, 7);
  context.fillStyle = colour(1);
  context.fill();
  ring(context, last, 6.5, CASING, 4);
  ring(context, last, 6.5, '#ffffff', 1.8);
  context.font = ink.letters(11.5, 600);
  context.textBaseline = 'middle';
  // Both words beside each other, or one above the other where start and end are near.
  const near = Math.hypot(first[0] - last[0], first[1] - last[1]) < 26;
  const level = Math.abs(first[1] - last[1]) < 20 && !near;
  label(context, start, first, { shift: near ? -1 : 0, after: !level || first[0] > last[0], aside: -1, area });
  label(context, end, last, { shift: near ? 1 : 0, after: !level || first[0] <= last[0], aside: level ? 1 : 0, area });
}

/** @param {CanvasRenderingContext2D} context @param {number[]} at @param {number} radius @param {string} colour @param {number} width */
function ring(context, [x, y], radius, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.stroke();
}

/**
 * A word beside a place, on the side where there is room.
 * @param {CanvasRenderingContext2D} context @param {string} text @param {number[]} at
 * @param {{shift: number, after: boolean, aside: number, area: import('fallline/maps/axes').Area}} where lines down; aside: those
 * where there is no room on the side wished for
 */
function label(context, text, [x, y], { shift, after, aside, area: [left, top, right, bottom] }) {
  if (!text || x < left || x > right || y < top || y > bottom) return;
  const wide = context.measureText(text).width + 12;
  const room = wide + 13;
  const rightwards = after ? x + room < right : x - room < left;
  // On the other side than wished it would cover the other end: then at the edge, on another line.
  const crowded = !shift && aside !== 0 && rightwards !== after;
  const beside = rightwards ? x + 11 : x - 11 - wide;
  const from = crowded ? (after ? right - 5 - wide : left + 5) : beside;
  const down = Math.min(bottom - 13, Math.max(top + 13, y + 20 * (crowded ? aside : shift)));
  context.fillStyle = PLATE;
  context.beginPath();
  context.roundRect(from, down - 9.5, wide, 19, 5);
  context.fill();
  context.fillStyle = '#ffffff';
  context.textAlign = 'left';
  context.fillText(text, from + 6, down + 0.5);
}
