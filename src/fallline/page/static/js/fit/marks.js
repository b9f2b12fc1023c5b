// @ts-check
/** What is drawn over the parameter space: the path, the ball, the gradients, the least squares. */
import { faded } from 'fallline/palette';

/** @typedef {import('fallline/fit/space').Space} Space */

/** Places of the path, its first and its last, that are drawn strongly. */
const BEGUN = 60;
const FRESH = 90;
/** Of a path with fewer numbers each step is a dot. */
const DOTTED = 160;

/**
 * Draw it all.
 * @param {Space} space
 * @param {CanvasRenderingContext2D} context in pixels of CSS, empty
 */
export function drawMarks(space, context) {
  drawBest(space, context);
  drawPath(space, context);
  if (space.showCloud) drawCloud(space, context);
  drawBall(space, context);
  drawPointed(space, context);
  if (space.mode === 'map') drawNames(space, context);
}

/** The names of the axes at their ends. @param {Space} space @param {CanvasRenderingContext2D} context */
function drawNames(space, context) {
  const { clientWidth: width, clientHeight: height } = space.element;
  context.font = 'italic 600 15px Georgia, serif';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.lineWidth = 3;
  context.strokeStyle = '#05080eb0';
  context.fillStyle = '#ffffff';
  for (const [name, x, y] of /** @type {[string, number, number][]} */ ([
    ['w', width - 12, height - 12],
    ['b', 14, 13],
  ])) {
    context.strokeText(name, x, y);
    context.fillText(name, x, y);
  }
}

/** @param {Space} space @param {CanvasRenderingContext2D} context */
function drawBest(space, context) {
  const at = space.best ? space.project(space.best[0], space.best[1]) : null;
  if (!at) return;
  const cross = (/** @type {string} */ colour, /** @type {number} */ width) => {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(at[0] - 5, at[1] - 5);
    context.lineTo(at[0] + 5, at[1] + 5);
    context.moveTo(at[0] - 5, at[1] + 5);
    context.lineTo(at[0] + 5, at[1] - 5);
    context.stroke();
  };
  cross('#05080ed0', 4);
  cross('#ffffff', 1.6);
}

/** @param {Space} space @param {CanvasRenderingContext2D} context */
function drawPath(space, context) {
  const path = space.state
    ? [...space.path, space.state.parameters[0], space.state.parameters[1]]
    : space.path;
  const trace = (
    /** @type {number} */ first,
    /** @type {number} */ last,
    /** @type {string} */ colour,
    /** @type {number} */ width,
  ) => {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.lineJoin = 'round';
    context.beginPath();
    let down = false;
    for (let i = first; i < last; i += 2) {
      const at = space.project(path[i], path[i + 1]);
      if (at && down) context.lineTo(at[0], at[1]);
      else if (at) context.moveTo(at[0], at[1]);
      down = at !== null;
    }
    context.stroke();
  };
  // The middle of a long way is thin, so that a noisy run is no blot.
  const [first, last] = [2 * Math.min(BEGUN, path.length / 2), Math.max(0, path.length - 2 * FRESH)];
  if (last > first) trace(first - 2, last + 2, faded(space.colour, 0.5), 1.1);
  for (const [colour, width] of /** @type {[string, number][]} */ ([
    ['#05080e90', 4],
    [space.colour, 2],
  ])) {
    trace(0, last > first ? first : path.length, colour, width);
    if (last > first) trace(last, path.length, colour, width);
  }
  // Where there are few steps, each is seen.
  if (path.length > DOTTED) return;
  context.fillStyle = space.colour;
  for (let i = 0; i < path.length; i += 2) {
    const at = space.project(path[i], path[i + 1]);
    if (!at) continue;
    context.beginPath();
    context.arc(at[0], at[1], 2.4, 0, 7);
    context.fill();
  }
}

/** @param {Space} space @param {CanvasRenderingContext2D} context */
function drawCloud(space, context) {
  const { state } = space;
  if (!state || !space.stretch) return;
  const chosen = space.full ? null : new Set(state.rows);
  const from = space.project(state.parameters[0], state.parameters[1]);
  if (!from) return;
  for (let i = 0; 2 * i < state.cloud.length; i += 1) {
    const end = space.arrow(state.cloud[2 * i], state.cloud[2 * i + 1]);
    if (!end) continue;
    const point = space.cloud[i];
    const mine = chosen?.has(point) ?? false;
    const alone = point === space.hovered;
    if (alone || mine) {
      context.strokeStyle = alone ? '#ffffff' : '#ffb454b0';
      context.lineWidth = alone ? 1.6 : 1;
      context.beginPath();
      context.moveTo(from[0], from[1]);
      context.lineTo(end[0], end[1]);
      context.stroke();
    }
    context.beginPath();
    context.arc(end[0], end[1], alone ? 4 : mine ? 3.2 : 2.1, 0, 7);
    context.fillStyle = alone ? '#ffffff' : mine ? '#ffb454' : '#f4f7fbb8';
    context.fill();
    context.strokeStyle = '#05080ea0';
    context.lineWidth = 0.8;
    context.stroke();
  }
  drawArrow(context, from, space.arrow(state.gradient[0], state.gradient[1]), '#ffffff');
  if (chosen)
    drawArrow(context, from, space.arrow(state.batchGradient[0], state.batchGradient[1]), '#ffb454');
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} from @param {number[] | null} to @param {string} colour
 */
function drawArrow(context, from, to, colour) {
  if (!to) return;
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = Math.hypot(dx, dy);
  if (length < 3) return;
  const [ux, uy] = [dx / length, dy / length];
  const head = Math.min(8, length);
  for (const [paint, width] of /** @type {[string, number][]} */ ([
    ['#05080ec0', 5],
    [colour, 2.4],
  ])) {
    context.strokeStyle = paint;
    context.lineWidth = width;
    context.lineCap = 'round';
    context.beginPath();
    context.moveTo(from[0], from[1]);
    context.lineTo(to[0], to[1]);
    context.moveTo(to[0] - head * (ux + 0.5 * uy), to[1] - head * (uy - 0.5 * ux));
    context.lineTo(to[0], to[1]);
    context.lineTo(to[0] - head * (ux - 0.5 * uy), to[1] - head * (uy + 0.5 * ux));
    context.stroke();
  }
}

/** @param {Space} space @param {CanvasRenderingContext2D} context */
function drawBall(space, context) {
  const { state } = space;
  const at = state ? space.project(state.parameters[0], state.parameters[1]) : null;
  if (!state || !at) return;
  const next = space.project(state.parameters[0] + state.update[0], state.parameters[1] + state.update[1]);
  if (next && Math.hypot(next[0] - at[0], next[1] - at[1]) > 3) {
    context.strokeStyle = '#ffffffd0';
    context.lineWidth = 1.4;
    context.beginPath();
    context.arc(next[0], next[1], 4.5, 0, 7);
    context.stroke();
  }
  const { clientWidth: width, clientHeight: height } = space.element;
  const edge = [Math.max(9, Math.min(width - 9, at[0])), Math.max(9, Math.min(height - 9, at[1]))];
  if (Math.hypot(edge[0] - at[0], edge[1] - at[1]) > 12) {
    // It has left the window: a hollow ball at the edge tells where to.
    context.beginPath();
    context.arc(edge[0], edge[1], 6, 0, 7);
    context.strokeStyle = '#05080e';
    context.lineWidth = 4.5;
    context.stroke();
    context.strokeStyle = space.colour;
    context.lineWidth = 2.2;
    context.stroke();
    return;
  }
  const glow = context.createRadialGradient(at[0] - 2, at[1] - 2.5, 0.5, at[0], at[1], 7.5);
  glow.addColorStop(0, '#ffffff');
  glow.addColorStop(0.45, space.colour);
  glow.addColorStop(1, space.colour);
  context.beginPath();
  context.arc(at[0], at[1], 7, 0, 7);
  context.fillStyle = glow;
  context.fill();
  context.strokeStyle = '#05080e';
  context.lineWidth = 1.6;
  context.stroke();
}

/** @param {Space} space @param {CanvasRenderingContext2D} context */
function drawPointed(space, context) {
  const at = space.pointed ? space.project(space.pointed[0], space.pointed[1]) : null;
  if (!at) return;
  context.strokeStyle = faded('#ffffff', 0.9);
  context.lineWidth = 1.4;
  context.setLineDash([3, 3]);
  context.beginPath();
  context.arc(at[0], at[1], 8, 0, 7);
  context.stroke();
  context.setLineDash([]);
}
