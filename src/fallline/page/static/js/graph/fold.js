// @ts-check
/** A long drawing from left to right, folded into rows like a text. */
import { rounded, smooth } from 'fallline/graph/routes';

/** @typedef {import('fallline/graph/routes').Point} Point */
/** @typedef {import('fallline/graph/layout').Plan} Plan */
/** @typedef {import('fallline/graph/layout').Placed} Placed */

const GUTTER = 26;
const LANE = 9;
const MARGIN = 14;
/** What a frame around an open layer needs above what is in it. */
const HEADING = 24;

/** By how much a row may be longer than it should, as a share. */
const LONG = 0.5;
/** What a line or a layer that is cut costs, where a row of double length costs 1. */
const CROSSING = 0.12;
const PARTED = 0.25;

/**
 * @param {Plan} plan from left to right
 * @param {number} rows how many there are to be, about
 * @returns {Placed}
 */
export function fold(plan, rows) {
  const cuts = cutsOf(plan, rows);
  const starts = [0, ...cuts];
  const ends = [...cuts, plan.width];
  const rowAt = (/** @type {number} */ x) => {
    const row = cuts.findIndex((cut) => x < cut);
    return row < 0 ? cuts.length : row;
  };
  /** @type {Map<string, number>} */
  const rowOf = new Map(plan.boxes.map((box) => [box.key, rowAt(box.x)]));
  const row = (/** @type {string} */ key) => rowOf.get(key) ?? 0;
  const bounds = boundsOf(plan, rowAt, starts.length);
  const leaving = starts.map((_, r) => plan.lines.filter((line) => row(line.from) === r && row(line.to) > r));
  /** @type {number[]} */
  const tops = [];
  let y = MARGIN;
  for (let r = 0; r < starts.length; r += 1) {
    tops.push(y);
    y += bounds[r].bottom - bounds[r].top + GUTTER + LANE * leaving[r].length;
  }
  const lanes = Math.max(...leaving.map((lines) => lines.length));
  const left = MARGIN + LANE * lanes + 8;
  const moved = (/** @type {Point} */ p, /** @type {number} */ r) => ({
    x: p.x - bounds[r].left + left,
    y: p.y - bounds[r].top + tops[r],
  });
  const right = left + Math.max(...bounds.map((one) => one.right - one.left)) + 8;

  /** @type {Placed['routes']} */
  const routes = new Map();
  for (const line of plan.lines) {
    const [from, to] = [row(line.from), row(line.to)];
    const own = rowAt(line.label.x) >= to ? to : from;
    const label = moved(line.label, own);
    const target = moved(line.end, to);
    if (from === to) {
      routes.set(line.key, {
        path: smooth(
          line.points.map((p) => moved(p, from)),
          true,
        ),
        end: target,
        label,
        room: line.room,
        row: own,
      });
      continue;
    }
    const lane = leaving[from].indexOf(line);
    const before = line.points.filter((p) => p.x < ends[from]).map((p) => moved(p, from));
    const after = line.points.filter((p) => p.x >= starts[to]).map((p) => moved(p, to));
    const last = before[before.length - 1];
    const first = after[0] ?? target;
    const gutter = tops[from] + bounds[from].bottom - bounds[from].top + GUTTER / 2 + LANE * (lane + 0.5) - 4;
    const outer = right + LANE * lane;
    const inner = left - 12 - LANE * lane;
    const enter = { x: Math.min(left - 6, first.x - 4), y: first.y };
    const corners = [
      last,
      { x: outer, y: last.y },
      { x: outer, y: gutter },
      { x: inner, y: gutter },
      { x: inner, y: first.y },
      enter,
    ];
    routes.set(line.key, {
      path: `${smooth(before, true)}${rounded(corners)}${smooth([enter, ...after], true).replace(/^M[^C]*/, '')}`,
      end: target,
      label,
      room: line.room,
      row: own,
    });
  }
  return {
    direction: 'LR',
    width: right + LANE * lanes + MARGIN,
    height: y - GUTTER + MARGIN,
    boxes: new Map(plan.boxes.map((box) => [box.key, moved(box, row(box.key))])),
    rows: rowOf,
    lanes,
    routes,
  };
}

/**
 * Where to cut: into rows of about the same length, through few lines, and between layers rather than in one.
 *
 * The cheapest way from the left end to the right one, over all places to cut.
 * @param {Plan} plan @param {number} rows
 * @returns {number[]}
 */
function cutsOf(plan, rows) {
  const wished = plan.width / rows;
  const gaps = [{ cut: 0, price: 0 }, ...gapsOf(plan), { cut: plan.width, price: 0 }];
  const last = gaps.length - 1;
  const best = gaps.map(() => ({ cost: Infinity, before: 0 }));
  best[0].cost = 0;
  for (let i = 1; i <= last; i += 1) {
    for (let j = i - 1; j >= 0; j -= 1) {
      const apart = (gaps[i].cut - gaps[j].cut - wished) / wished;
      if (apart > LONG && j < i - 1) {
        break;
      }
      // A last row may be short, though not empty but for one box.
      const cost = best[j].cost + (i === last && apart < 0 ? 0.5 : 1) * apart * apart + gaps[i].price;
      if (cost < best[i].cost) {
        best[i] = { cost, before: j };
      }
    }
  }
  /** @type {number[]} */
  const cuts = [];
  for (let i = best[last].before; i > 0; i = best[i].before) {
    cuts.unshift(gaps[i].cut);
  }
  return cuts;
}

/**
 * The places between two columns of boxes, and what it costs to cut there.
 * @param {Plan} plan
 * @returns {{cut: number, price: number}[]}
 */
function gapsOf(plan) {
  const columns = [...new Set(plan.boxes.map((box) => Math.round(box.x)))].sort((a, b) => a - b);
  const middles = new Map(plan.boxes.map((box) => [box.key, box.x]));
  const layers = [...new Set(plan.boxes.map((box) => box.layer))]
    .filter((name) => name !== null)
    .map((name) => plan.boxes.filter((box) => box.layer === name));
  return columns.slice(1).map((column) => {
    const here = plan.boxes.filter((box) => Math.round(box.x) === column);
    // Right before a column, so that the numbers of a line stay at the end of their row.
    const cut = Math.min(...here.map((box) => box.x - box.width / 2)) - 6;
    const crossing = plan.lines.filter(
      (line) => (middles.get(line.from) ?? 0) < cut && (middles.get(line.to) ?? 0) > cut,
    ).length;
    const parted = layers.filter(
      (boxes) => boxes.some((box) => box.x < cut) && boxes.some((box) => box.x > cut),
    ).length;
    return { cut, price: CROSSING * (crossing - 1) + PARTED * parted };
  });
}

/** The room that each row takes. @param {Plan} plan @param {(x: number) => number} rowAt @param {number} count */
function boundsOf(plan, rowAt, count) {
  const bounds = Array.from({ length: count }, () => ({
    left: Infinity,
    top: Infinity,
    right: -Infinity,
    bottom: -Infinity,
  }));
  const take = (
    /** @type {Point} */ p,
    /** @type {number} */ r,
    /** @type {number} */ w,
    /** @type {number} */ over,
    /** @type {number} */ under,
  ) => {
    const one = bounds[r];
    one.left = Math.min(one.left, p.x - w);
    one.right = Math.max(one.right, p.x + w);
    one.top = Math.min(one.top, p.y - over);
    one.bottom = Math.max(one.bottom, p.y + under);
  };
  for (const box of plan.boxes) {
    // A frame around an open layer has a heading.
    take(box, rowAt(box.x), box.width / 2 + 10, box.height / 2 + HEADING, box.height / 2 + 10);
  }
  const layers = new Map(plan.boxes.map((box) => [box.key, box.layer]));
  for (const { label, room, from, to } of plan.lines) {
    const inside = layers.get(from) !== null && layers.get(from) === layers.get(to);
    take(label, rowAt(label.x), room.width / 2 + 4, room.over + (inside ? HEADING : 0), room.under);
  }
  return bounds;
}
