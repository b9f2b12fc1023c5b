// @ts-check
/** The cells of a heat map, the mark of the best, and what the marks mean. */
import { hatch } from 'fallline/maps/axes';
import { fitted } from 'fallline/maps/ink';
import { figure } from 'fallline/maps/numbers';
import { Ramp, solid } from 'fallline/maps/ramps';
import { inkOn } from 'fallline/terrain/marks';

/** @typedef {import('fallline/maps/heat').HeatMap} HeatMap */

/** All cells: coloured by rank, hatched where the run diverged, bare where there is none. @param {HeatMap} map */
export function drawCells(map) {
  const { context: pen, ink, data } = map;
  if (!data) return;
  const { x0, y0, wide, tall } = map.cells;
  const ramp = new Ramp();
  const stripes = hatch(pen, ink.danger, map.services.pixelRatio);
  const gap = Math.min(wide, tall) > 22 ? 2 : Math.min(wide, tall) > 7 ? 1 : 0;
  const digits = Math.min(12, wide * 0.2, tall * 0.42);
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  for (let row = 0; row < data.y.length; row += 1) {
    for (let i = 0; i < data.x.length; i += 1) {
      const j = map.upward(row);
      const value = map.value(i, j);
      const diverged = map.diverged(i, j);
      const box = [x0 + i * wide + gap / 2, y0 + row * tall + gap / 2, wide - gap, tall - gap];
      pen.beginPath();
      pen.roundRect(box[0], box[1], box[2], box[3], Math.min(5, wide / 8, tall / 8));
      const colour = value === null || diverged ? solid(pen, ink.raise) : ramp.hex(map.ranks.share(value));
      pen.fillStyle = colour;
      pen.fill();
      if (diverged) {
        pen.save();
        pen.globalAlpha = 0.55;
        pen.fillStyle = stripes;
        pen.fill();
        pen.restore();
      } else if (value !== null && digits >= 8.5) {
        const text = figure(value, 3);
        pen.font = ink.digits(digits, 500);
        if (pen.measureText(text).width > wide - 8) continue;
        pen.fillStyle = inkOn(colour);
        pen.fillText(text, box[0] + box[2] / 2, box[1] + box[3] / 2 + 0.5);
      }
    }
  }
}

/** The best cell: ringed, and a star in its corner. @param {HeatMap} map @param {number} column @param {number} row */
export function drawBest(map, column, row) {
  const { context: pen } = map;
  const { x0, y0, wide, tall } = map.cells;
  const [x, y] = [x0 + column * wide, y0 + row * tall];
  for (const [colour, thick] of /** @type {[string, number][]} */ ([
    ['#05080ec0', 4.4],
    ['#ffb454', 2.4],
  ])) {
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.beginPath();
    pen.roundRect(x + 0.5, y + 0.5, wide - 1, tall - 1, Math.min(5, wide / 8, tall / 8));
    pen.stroke();
  }
  const size = Math.min(7.5, wide * 0.3, tall * 0.3);
  if (size > 2.4) star(pen, x + wide - size - 3.5, y + size + 3.5, size, '#ffb454', '#05080e');
}

/** What hatching and ring mean. @param {HeatMap} map @param {number} left @param {number} y @param {number} room */
export function drawMeaning(map, left, y, room) {
  const { context: pen, ink, data, services } = map;
  if (!data) return;
  pen.font = ink.letters(11);
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  let x = left;
  const word = (/** @type {string} */ text) => {
    pen.fillStyle = ink.muted;
    pen.fillText(fitted(pen, text, room - x - 20), x + 18, y + 0.5);
    x += 18 + pen.measureText(text).width + 16;
  };
  if ((data.diverged ?? []).flat().some(Boolean)) {
    pen.beginPath();
    pen.roundRect(x, y - 6, 12, 12, 2.5);
    pen.fillStyle = ink.raise;
    pen.fill();
    pen.save();
    pen.globalAlpha = 0.55;
    pen.fillStyle = hatch(pen, ink.danger, map.services.pixelRatio);
    pen.fill();
    pen.restore();
    word(services.t('maps.heat.diverged'));
  }
  if (data.best) {
    star(pen, x + 6, y, 6.5, '#ffb454', ink.dark ? '#05080e' : '#05080ec0');
    word(services.t('maps.heat.best'));
  }
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {number} size @param {string} colour @param {string} rim */
function star(pen, x, y, size, colour, rim) {
  pen.beginPath();
  for (let k = 0; k < 10; k += 1) {
    const radius = k % 2 ? 0.45 * size : size;
    const angle = (k * Math.PI) / 5 - Math.PI / 2;
    pen.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
  }
  pen.closePath();
  pen.lineJoin = 'round';
  pen.strokeStyle = rim;
  pen.lineWidth = 2.4;
  pen.stroke();
  pen.fillStyle = colour;
  pen.fill();
}
