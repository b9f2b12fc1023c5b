// @ts-check
/** Eight colours and strokes that tell lines apart, also for eyes that see fewer colours. */

/**
 * The hues of Okabe and Ito ("Color universal design", 2008), lightened or darkened until each has a contrast
 * of 3:1 and more with the panels of its theme.
 */
export const COLOURS = {
  dark: ['#5ab4ec', '#f0a53a', '#2fc29a', '#e07fb4', '#f2e35c', '#ee7a3c', '#8f9bff', '#cfd6e0'],
  light: ['#0a6fb4', '#b26a00', '#00805d', '#a8447f', '#7d7300', '#c24a00', '#4b46b8', '#3f4855'],
};

/** Strokes and gaps in CSS pixels, the first whole. @type {(number[] | undefined)[]} */
export const DASHES = [
  undefined,
  [7, 4],
  [2, 3],
  [9, 3, 2, 3],
  [13, 4],
  [5, 3, 1, 3, 1, 3],
  [4, 6],
  [16, 3, 4, 3],
];

/** @param {number} index @param {'dark' | 'light'} theme */
export const colourOf = (index, theme) => (COLOURS[theme] ?? COLOURS.dark)[index % 8];

/** @param {number} index */
export const dashOf = (index) => DASHES[index % 8];

/** @type {CanvasRenderingContext2D | null} */
let ink = null;

/** The same colour, fainter. @param {string} colour as CSS has it @param {number} alpha */
export function faded(colour, alpha) {
  ink ??= document.createElement('canvas').getContext('2d');
  if (!ink) return colour;
  ink.fillStyle = '#888888';
  ink.fillStyle = colour;
  const found = ink.fillStyle;
  if (!found.startsWith('#')) return colour;
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(found.slice(at, at + 2), 16));
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}
