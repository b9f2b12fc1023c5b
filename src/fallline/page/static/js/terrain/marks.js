// @ts-check
/** How a racer is told apart: by its colour, and by the mark that its balls bear. */
import { svg } from 'fallline/dom';
import { MARKS, coloursOf, marksOf } from 'fallline/palette';

/**
 * @typedef {object} Face
 * @property {string} name
 * @property {string} colour of its balls, on the terrain, which is the same in both themes
 * @property {string} line of its curve, on the page
 * @property {number} mark place in the list of marks
 */

/**
 * @param {string[]} optimizers
 * @param {string[]} names
 * @param {'dark'|'light'} theme
 * @returns {Face[]}
 */
export function facesOf(optimizers, names, theme) {
  const colours = coloursOf(optimizers, 'dark');
  const lines = coloursOf(optimizers, theme);
  const marks = marksOf(optimizers);
  return names.map((name, index) => ({
    name,
    colour: colours[index],
    line: lines[index],
    mark: marks[index],
  }));
}

/**
 * A ball as it lies on the terrain, for a key.
 * @param {Face} face
 */
export function swatch(face) {
  return svg(
    'svg',
    { class: 'swatch', viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    svg('circle', { cx: 8, cy: 8, r: 7, fill: face.colour }),
    MARKS[face.mark].path
      ? svg('path', { d: MARKS[face.mark].path, fill: inkOn(face.colour), 'fill-rule': 'evenodd' })
      : null,
  );
}

/** Black or white, whichever is seen on a colour. @param {string} colour "#rrggbb" */
export function inkOn(colour) {
  const number = Number.parseInt(colour.slice(1), 16);
  const light = 0.3 * (number >> 16) + 0.59 * ((number >> 8) & 255) + 0.11 * (number & 255);
  return light > 130 ? '#0b0e14' : '#ffffff';
}
