// @ts-check
/** The chart of lines: their strokes, bands, dots and marks, and what follows the pointer. */
import uPlot from 'uplot';
import { Chart } from 'fallline/chart';
import { faded } from 'fallline/panels/colours';
import { drawMarks } from 'fallline/panels/marks';
import { known, nearest } from 'fallline/panels/reading';

/** @typedef {import('fallline/panels/lines').Lines} Lines */
/** @typedef {import('fallline/panels/lines').LinesData} LinesData */
/** @typedef {import('fallline/panels/reading').Rows} Rows */
/** @typedef {import('fallline/panels/reading').Values} Values */

/** Dots are drawn while each has this many pixels. */
const ROOM = 7;
/** How much is left of a line while another is pointed at. */
const BEHIND = 0.22;
const FAINT = 0.42;

/** @param {Lines} panel @param {boolean[]} hidden @returns {Chart} */
export function chartOf(panel, hidden) {
  const data = /** @type {LinesData} */ (panel.data);
  const shine = (/** @type {number} */ i) => (panel.pointed < 0 || panel.pointed === i ? 1 : BEHIND);
  /** @type {import('fallline/chart').Line[]} */
  const series = data.lines.map((line, i) => {
    const { colour, dash, width } = panel.styleOf(i);
    return {
      colour: () => faded(colour, (line.faint ? FAINT : 1) * shine(i)),
      dash,
      width,
      hidden: hidden[i],
      connected: false,
    };
  });
  /** @type {uPlot.Band[]} */
  const bands = [];
  data.lines.forEach((line, i) => {
    if (!line.band) return;
    const from = series.length + 1;
    const none = { colour: 'transparent', width: 0, hidden: hidden[i] };
    series.push(none, none);
    bands.push({ series: [from + 1, from], fill: () => faded(panel.styleOf(i).colour, 0.16 * shine(i)) });
  });
  return new Chart(panel.box, panel.services, {
    lines: series,
    bands,
    logX: data.logX,
    logY: panel.log,
    ySize: 'fit',
    x: () => panel.across(),
    y: () => panel.up(),
    xValues: data.logX ? undefined : (values) => values.map(shortCount),
    above: (chart, plot) => {
      data.lines.forEach((_, i) => dots(panel, plot, i, shine(i)));
      drawMarks(plot, panel.data?.marks ?? [], {
        ink: chart.colour('--muted'),
        panel: chart.colour('--panel'),
        text: chart.colour('--text'),
        log: panel.log,
      });
    },
    cursor: {
      drag: { x: true, y: false, setScale: false, dist: 6 },
      points: {
        size: 7,
        width: 2,
        stroke: (_, i) => (data.lines[i - 1] ? panel.styleOf(i - 1).colour : 'transparent'),
        fill: () => getComputedStyle(panel.element).getPropertyValue('--panel').trim(),
      },
      dataIdx: (plot, i, index) => rowFor(panel.rows[i - 1], plot, index),
      bind: {
        dblclick: () => () => {
          panel.setZoom(null);
          return null;
        },
      },
    },
    hooks: {
      setCursor: [(plot) => panel.look(placeOf(plot))],
      setSelect: [(plot) => select(panel, plot)],
    },
  });
}

/** Where the pointer is, or null. @param {uPlot} plot */
function placeOf(plot) {
  const left = plot.cursor.left ?? -1;
  return left < 0 ? null : plot.posToVal(left, 'x');
}

/** The row with a value of its own that is nearest. @param {Rows | undefined} rows @param {uPlot} plot @param {number} index */
function rowFor(rows, plot, index) {
  const place = placeOf(plot);
  const found = rows && place !== null ? nearest(rows, place) : -1;
  if (!rows || found < 0) return index;
  const places = /** @type {number[]} */ (plot.data[0]);
  return nearest({ x: places, y: places }, rows.x[found]);
}

/** @param {Lines} panel @param {uPlot} plot */
function select(panel, plot) {
  const { left, width } = plot.select;
  if (!(width > 5)) return;
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  panel.setZoom([plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')]);
}

/** A line's values as dots, where there is room, or where there is but one. @param {Lines} panel @param {uPlot} plot @param {number} index @param {number} alpha */
function dots(panel, plot, index, alpha) {
  const line = panel.data?.lines[index];
  const rows = panel.rows[index];
  if (!line || !rows || panel.hidden.has(line.name)) return;
  const values = rows.y.filter(known).length;
  const room = line.points && values * ROOM < plot.bbox.width / uPlot.pxRatio;
  if (!room && values !== 1) return;
  const { ctx } = plot;
  const [low, high] = panel.across();
  ctx.save();
  ctx.fillStyle = faded(panel.styleOf(index).colour, alpha);
  rows.x.forEach((x, at) => {
    const y = rows.y[at];
    if (!known(y) || (panel.log && y <= 0) || x < low || x > high) return;
    ctx.beginPath();
    ctx.arc(plot.valToPos(x, 'x', true), plot.valToPos(y, 'y', true), 2.6 * uPlot.pxRatio, 0, 7);
    ctx.fill();
  });
  ctx.restore();
}

/**
 * One column of places for all lines, then the lines, then the edges of their bands; a line has no value where
 * only others have a place.
 * @param {Rows[]} all @param {boolean} log
 */
export function columnsOf(all, log) {
  const shown = (/** @type {Values} */ column) =>
    column.map((value) => (known(value) && (value > 0 || !log) ? value : null));
  const edges = all.flatMap(({ x, low, high }) =>
    low && high
      ? [
          [x, shown(low)],
          [x, shown(high)],
        ]
      : [],
  );
  return uPlot.join(/** @type {any} */ ([...all.map(({ x, y }) => [x, shown(y)]), ...edges]));
}

/** A step on an axis; none between two steps. @param {number} value */
function shortCount(value) {
  if (!Number.isInteger(value)) return '';
  if (Math.abs(value) < 1e4) return String(value).replace('-', '−');
  const [size, unit] = Math.abs(value) >= 1e6 ? [1e6, 'M'] : [1e3, 'k'];
  return `${Number((value / size).toPrecision(4))}${unit}`.replace('-', '−');
}
