// @ts-check
/**
 * Colours and marks: the terrain's ramp, one colour for each optimizer by theme (the same as in the figures
 * of `fallline.show`), and the marks that tell balls apart without colour.
 */

/** The terrain's ramp, from low to high; muted, so that the balls are what is seen first. */
export const TERRAIN = ['#232a5c', '#24507e', '#2b7689', '#55968a', '#98b48a', '#d9c896', '#f6ecd2'];

/**
 * Optimizer, as `fallline.optimizers` names it -> colour.
 * @type {{dark: Record<string, string>, light: Record<string, string>}}
 */
export const OPTIMIZER_COLOURS = {
  dark: {
    sgd: '#ff5d5d',
    momentum: '#ffc53d',
    nesterov: '#ff8c42',
    adagrad: '#58d68d',
    rmsprop: '#43c7ff',
    adadelta: '#2fa89c',
    adam: '#c78bff',
    amsgrad: '#ff8fc7',
    adamw: '#7d86ff',
    nadam: '#e3dcff',
    lion: '#c9e265',
  },
  light: {
    sgd: '#b3122a',
    momentum: '#bd7d0a',
    nesterov: '#e05a00',
    adagrad: '#2c8a3f',
    rmsprop: '#1a86cf',
    adadelta: '#0f6d74',
    adam: '#5a2aa8',
    amsgrad: '#d0409a',
    adamw: '#2f45d8',
    nadam: '#7d5a6b',
    lion: '#5f6b00',
  },
};

/** For racers beyond the optimizers' own colours, and for basins. */
export const SERIES = {
  dark: ['#43c7ff', '#ffc53d', '#c78bff', '#58d68d', '#ff5d5d', '#2fb5a8', '#ff8fc7', '#7d86ff', '#c9e265'],
  light: ['#1a86cf', '#bd7d0a', '#5a2aa8', '#2c8a3f', '#b3122a', '#0f6d74', '#d0409a', '#2f45d8', '#5f6b00'],
};

/**
 * Marks on the balls: the ball's shader draws them by their place in this list, and a key draws them from
 * `path`, an SVG path in a box of 16 by 16 around (8, 8), to be filled with the rule "evenodd".
 */
export const MARKS = [
  { name: 'plain', path: '' },
  { name: 'bar', path: 'M3 6.9h10v2.2h-10z' },
  {
    name: 'ring',
    path: 'M8 3.6a4.4 4.4 0 1 0 0 8.8a4.4 4.4 0 0 0 0-8.8zM8 5.8a2.2 2.2 0 1 1 0 4.4a2.2 2.2 0 0 1 0-4.4z',
  },
  { name: 'cross', path: 'M6.9 3h2.2v3.9h3.9v2.2h-3.9v3.9h-2.2v-3.9h-3.9v-2.2h3.9z' },
  { name: 'pole', path: 'M6.9 3h2.2v10h-2.2z' },
  { name: 'dot', path: 'M8 5.4a2.6 2.6 0 1 0 0 5.2a2.6 2.6 0 0 0 0-5.2z' },
  {
    name: 'saltire',
    path: 'M4.9 3.4L8 6.5l3.1-3.1 1.5 1.5L9.5 8l3.1 3.1-1.5 1.5L8 9.5l-3.1 3.1-1.5-1.5L6.5 8 3.4 4.9z',
  },
  { name: 'square', path: 'M4.6 4.6h6.8v6.8h-6.8zM6.6 6.6v2.8h2.8v-2.8z' },
  { name: 'slash', path: 'M11 3.4l1.6 1.6-7.6 7.6-1.6-1.6z' },
  { name: 'diamond', path: 'M8 3.4L12.6 8 8 12.6 3.4 8z' },
  { name: 'rails', path: 'M3.4 5h9.2v1.9h-9.2zM3.4 9.1h9.2v1.9h-9.2z' },
  { name: 'backslash', path: 'M5 3.4L3.4 5l7.6 7.6 1.6-1.6z' },
];

/** Optimizer -> place in `MARKS`. */
export const OPTIMIZER_MARKS = /** @type {Record<string, number>} */ ({
  sgd: 0,
  momentum: 1,
  nesterov: 4,
  adagrad: 5,
  rmsprop: 2,
  adadelta: 7,
  adam: 3,
  amsgrad: 6,
  adamw: 9,
  nadam: 8,
  lion: 10,
});

/**
 * The colour of an optimizer; racers of one optimizer after the first take the next free colour.
 * @param {string[]} optimizers names, in the order of the racers
 * @param {'dark' | 'light'} theme
 * @returns {string[]}
 */
export function coloursOf(optimizers, theme) {
  const own = OPTIMIZER_COLOURS[theme] ?? OPTIMIZER_COLOURS.dark;
  /** @type {string[]} */
  const chosen = [];
  for (const name of optimizers) {
    const taken = new Set([...chosen, ...optimizers.map((other) => own[other])]);
    const spare = [...SERIES[theme], ...Object.values(own)].find((colour) => !taken.has(colour));
    const wanted = own[name];
    chosen.push(wanted && !chosen.includes(wanted) ? wanted : (spare ?? '#9aa5b5'));
  }
  return chosen;
}

/**
 * The marks of racers: an optimizer's own; racers of one optimizer after the first take the next free mark.
 * @param {string[]} optimizers names, in the order of the racers
 * @returns {number[]} places in `MARKS`
 */
export function marksOf(optimizers) {
  /** @type {number[]} */
  const chosen = [];
  for (const name of optimizers) {
    const taken = new Set([...chosen, ...optimizers.map((other) => OPTIMIZER_MARKS[other])]);
    const spare = MARKS.findIndex((_, place) => !taken.has(place));
    const wanted = OPTIMIZER_MARKS[name];
    chosen.push(wanted !== undefined && !chosen.includes(wanted) ? wanted : Math.max(0, spare));
  }
  return chosen;
}

/**
 * A colour's parts.
 * @param {string} colour "#rrggbb"
 * @returns {[number, number, number]} red, green, blue in sRGB, 0 to 1
 */
export function hex(colour) {
  const number = Number.parseInt(colour.slice(1, 7), 16);
  return [(number >> 16) / 255, ((number >> 8) & 255) / 255, (number & 255) / 255];
}

/** @param {string} colour "#rrggbb" @param {number} alpha */
export const faded = (colour, alpha) =>
  `${colour}${Math.round(255 * alpha)
    .toString(16)
    .padStart(2, '0')}`;

/** @param {number} value sRGB, 0 to 1 */
const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

/** @param {number} value linear light, 0 to 1 */
const gamma = (value) => (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055);

/**
 * sRGB to OKLab (Ottosson, "A perceptual color space for image processing", 2020).
 * @param {number[]} colour
 */
function toLab(colour) {
  const [r, g, b] = colour.map(linear);
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/**
 * OKLab to sRGB.
 * @param {number[]} lab
 */
function fromLab([lightness, a, b]) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const colour = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return colour.map((value) => gamma(Math.min(1, Math.max(0, value))));
}

/** Darker balls would be lost in the terrain's valleys. */
const LEAST_LIGHTNESS = 0.7;

/**
 * A colour as it is drawn on the terrain, which is the same in both themes: the same hue, light enough.
 * @param {string} colour "#rrggbb"
 * @returns {number[]} red, green, blue in sRGB, 0 to 1
 */
export function onTerrain(colour) {
  const [lightness, a, b] = toLab(hex(colour));
  return fromLab([Math.max(lightness, LEAST_LIGHTNESS), a, b]);
}

/**
 * A ramp of 256 colours through the stops, even to the eye between them.
 * @param {string[]} [stops] "#rrggbb", from low to high
 * @returns {Uint8Array} 256 x RGBA, sRGB
 */
export function lut(stops = TERRAIN) {
  const labs = stops.map((stop) => toLab(hex(stop)));
  const table = new Uint8Array(4 * 256);
  for (let place = 0; place < 256; place++) {
    const along = (place / 255) * (labs.length - 1);
    const first = Math.min(labs.length - 2, Math.floor(along));
    const mix = along - first;
    const [r, g, b] = fromLab(labs[first].map((value, i) => value + mix * (labs[first + 1][i] - value)));
    table.set([Math.round(255 * r), Math.round(255 * g), Math.round(255 * b), 255], 4 * place);
  }
  return table;
}

/**
 * The ramp as a CSS gradient, for the bar beside a terrain.
 * @param {string} [direction] as CSS says it
 * @param {string[]} [stops]
 */
export function gradient(direction = 'to top', stops = TERRAIN) {
  const table = lut(stops);
  const colours = [];
  for (let place = 0; place <= 16; place++) {
    const at = 4 * Math.round((place / 16) * 255);
    colours.push(`rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`);
  }
  return `linear-gradient(${direction}, ${colours.join(', ')})`;
}
