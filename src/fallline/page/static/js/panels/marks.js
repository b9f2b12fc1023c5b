// @ts-check
/** Places on a chart with a name: an upright line, its name at the top, a ring where a value belongs to it. */
import uPlot from 'uplot';

/** @typedef {{x: number, name: string, y?: number | null, colour?: string}} Mark `y`: where a ring is drawn */

const LONGEST = 28;

/**
 * @param {uPlot} plot
 * @param {Mark[]} marks
 * @param {{ink: string, panel: string, text: string, log: boolean}} look
 */
export function drawMarks(plot, marks, { ink, panel, text, log }) {
  const { ctx, bbox } = plot;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `500 ${10.5 * ratio}px Inter, system-ui, sans-serif`;
  ctx.textBaseline = 'top';
  ctx.textAlign = 'left';
  /** Right ends of the names of each row. @type {number[]} */
  const taken = [];
  for (const mark of [...marks].sort((one, other) => one.x - other.x)) {
    const left = Math.round(plot.valToPos(mark.x, 'x', true)) + 0.5;
    if (!Number.isFinite(left) || left < bbox.left - 1 || left > bbox.left + bbox.width + 1) continue;
    ctx.strokeStyle = mark.colour ?? ink;
    ctx.lineWidth = ratio;
    ctx.setLineDash([2 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
    ctx.stroke();
    const name = mark.name.length > LONGEST ? `${mark.name.slice(0, LONGEST - 1)}…` : mark.name;
    const width = ctx.measureText(name).width;
    const gap = 5 * ratio;
    const fits = left + gap + width <= bbox.left + bbox.width;
    const at = fits ? left + gap : left - gap - width;
    let row = taken.findIndex((end) => end < at);
    if (row < 0) row = taken.length;
    taken[row] = at + width + 2 * gap;
    const top = bbox.top + (2 + 14 * row) * ratio;
    ctx.globalAlpha = 0.75;
    ctx.fillStyle = panel;
    ctx.fillRect(at - 2 * ratio, top - ratio, width + 4 * ratio, 13 * ratio);
    ctx.globalAlpha = 1;
    ctx.fillStyle = text;
    ctx.fillText(name, at, top);
  }
  ctx.restore();
  for (const mark of marks) ring(plot, mark, { panel, text, log });
}

/** A ring where a mark has a value; at the edge of the chart it is whole. @param {uPlot} plot @param {Mark} mark @param {{panel: string, text: string, log: boolean}} look */
function ring(plot, { x, y, colour }, { panel, text, log }) {
  if (typeof y !== 'number' || !Number.isFinite(y) || (y <= 0 && log)) return;
  const { ctx, bbox } = plot;
  const ratio = uPlot.pxRatio;
  const [left, top] = [plot.valToPos(x, 'x', true), plot.valToPos(y, 'y', true)];
  const inside =
    left >= bbox.left - 1 &&
    left <= bbox.left + bbox.width + 1 &&
    top >= bbox.top - 1 &&
    top <= bbox.top + bbox.height + 1;
  if (!inside) return;
  ctx.save();
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.arc(left, top, 4.5 * ratio, 0, 7);
  ctx.fillStyle = panel;
  ctx.fill();
  ctx.strokeStyle = colour ?? text;
  ctx.lineWidth = 2 * ratio;
  ctx.stroke();
  ctx.restore();
}
