// @ts-check
/** What the gallery is told, and small drawings that the wall and the patients share. */
import { svg } from 'fallline/dom';

/** @typedef {{line: (number | null)[], raw: (number | null)[]}} Thumb heights between 0 and 1: the average and the batches */
/**
 * @typedef {object} Patient
 * @property {string} name
 * @property {string[]} answers
 * @property {string} hint the instrument that tells
 * @property {{view: string, state: Record<string, any>} | null} link
 * @property {Thumb | null} thumb null before it was trained
 */
/** @typedef {Record<string, Record<string, string>>} Titles finding -> language -> its name */
/** @typedef {'waiting' | 'training' | 'ready' | 'failed'} Stage */
/** @typedef {{name: string, spread: number | null, mean: number | null, agreement: number | null}} Column */
/** @typedef {{columns: Column[], all: number, target: string}} Inputs */
/** @typedef {import('fallline/panels/reading').Values} Values */
/**
 * @typedef {object} Symptoms
 * @property {string} case
 * @property {any} trained of a card
 * @property {Record<string, Values>} curves
 * @property {Record<string, Values>} epochs
 * @property {any} instruments
 * @property {number | null} rows
 * @property {Inputs | null} inputs
 */
/** @typedef {{x: Values, y: Values, raw: Values | null}} Line */
/**
 * @typedef {object} Cure
 * @property {string} quantity
 * @property {boolean} held_out
 * @property {boolean | null} helped null where the loss should get worse
 * @property {number | null} before
 * @property {number | null} after
 * @property {{before: Line, after: Line}} curves
 * @property {string} advice
 */
/** @typedef {{x: Values, lines: {name: string, y: Values}[]}} Around a function along its variables, where a run rests */
/** @typedef {{case: string, lang: string, diagnosis: any, cure: Cure | null, around: Around | null}} Verdict */

const [WIDTH, HEIGHT, EDGE] = [240, 92, 6];

/** A loss curve in small. @param {Thumb} thumb */
export function drawThumb({ line, raw }) {
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' };
  const smooth = traced(line);
  return svg('svg', { ...box, class: 'thumb' },
    svg('path', { class: 'thumb-ground', d: `${smooth}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z` }),
    svg('path', { class: 'thumb-raw', d: traced(raw) }),
    svg('path', { class: 'thumb-line', d: smooth }));
}

/** @param {(number | null)[]} heights */
function traced(heights) {
  let [path, pen] = ['', 'M'];
  heights.forEach((height, i) => {
    if (height === null) pen = 'M';
    else {
      const x = (i / Math.max(1, heights.length - 1)) * WIDTH;
      path += `${pen}${x.toFixed(1)} ${(EDGE + (1 - height) * (HEIGHT - 2 * EDGE)).toFixed(1)}`;
      pen = 'L';
    }
  });
  return path;
}

/** A heart that beats while one waits. */
export function drawPulse() {
  const beat = 'M0 46H84l8-13 9 26 12-46 13 58 9-32 7 7H240';
  return svg('svg', { viewBox: '0 0 240 92', preserveAspectRatio: 'none', class: 'pulse', 'aria-hidden': 'true' },
    svg('path', { class: 'pulse-line', d: beat }), svg('path', { class: 'pulse-light', d: beat, pathLength: 1 }));
}

/** The same order for the same seed, another for another (mulberry32). @template T @param {T[]} list @param {number} seed */
export function shuffled(list, seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const found = [...list];
  for (let i = found.length - 1; i > 0; i -= 1) {
    const j = Math.floor(next() * (i + 1));
    [found[i], found[j]] = [found[j], found[i]];
  }
  return found;
}
