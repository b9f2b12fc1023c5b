// @ts-check
/** Numbers in few letters, arrays as strips of colour: what the engine computed, made readable. */

/**
 * @typedef {Object} ArrayFacts an array as the server sends it
 * @property {number[]} shape
 * @property {string} text in a few letters
 * @property {(number | string | boolean)[]} [elements] row by row; none of a large one
 * @property {number | string} [norm]
 * @property {number | string} [low]
 * @property {number | string} [high]
 */

/** @param {unknown} x @returns {number} also of the texts "NaN" and "Infinity" */
export const numeric = (x) => (typeof x === 'boolean' ? Number(x) : Number(x ?? NaN));

/**
 * A number to so many significant digits: 0.7311, −2, 1.2e−5, ∞.
 * @param {unknown} x
 * @param {number} [digits]
 * @returns {string}
 */
export function written(x, digits = 4) {
  if (typeof x === 'boolean') {
    return x ? 'true' : 'false';
  }
  const value = numeric(x);
  if (Number.isNaN(value)) {
    return 'NaN';
  }
  if (!Number.isFinite(value)) {
    return value > 0 ? '∞' : '−∞';
  }
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) {
    const [mantissa, power] = value.toExponential(digits - 1).split('e');
    return `${Number(mantissa)}e${Number(power)}`.replaceAll('-', '−');
  }
  const text = size >= 10 ** digits ? value.toFixed(0) : String(Number(value.toPrecision(digits)));
  return (text === '-0' ? '0' : text).replace('-', '−');
}

/** A number in at most so many letters. @param {unknown} x @param {number} letters */
export function fitted(x, letters) {
  for (let digits = 4; digits > 1; digits -= 1) {
    const text = written(x, digits);
    if (text.length <= letters) {
      return text;
    }
  }
  return written(x, 2);
}

/** @param {number[]} shape */
export const shapeText = (shape) => shape.join('×');

/** How many elements there are. @param {ArrayFacts} facts */
export const sizeOf = (facts) => facts.shape.reduce((product, n) => product * n, 1);

/** Rows and columns to show an array in: leading axes one below the other. @param {number[]} shape */
export function grid(shape) {
  if (shape.length < 2) {
    return { rows: 1, columns: shape[0] ?? 1 };
  }
  const columns = shape[shape.length - 1];
  return { rows: shape.slice(0, -1).reduce((product, n) => product * n, 1), columns };
}

/** @type {Map<string, string>} */
const drawn = new Map();

/**
 * An array as a picture, a pixel an element: green above 0, violet below, the stronger the larger.
 * @param {ArrayFacts} facts
 * @returns {string | null} an address, or null where there are no elements to draw
 */
export function heat(facts) {
  const { elements, shape } = facts;
  if (!elements?.length) {
    return null;
  }
  const key = `${shape}|${elements}`;
  const known = drawn.get(key);
  if (known) {
    return known;
  }
  const { rows, columns } = grid(shape);
  const values = elements.map(numeric);
  const most = Math.max(...values.map((v) => (Number.isFinite(v) ? Math.abs(v) : 0))) || 1;
  const canvas = document.createElement('canvas');
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext('2d');
  if (!context) {
    return null;
  }
  const pixels = context.createImageData(columns, rows);
  values.forEach((value, i) => {
    const share = Number.isFinite(value) ? Math.min(1, Math.abs(value) / most) : 1;
    const colour = value < 0 ? [150, 104, 214] : [38, 158, 118];
    pixels.data.set(
      Number.isNaN(value) ? [200, 60, 60, 255] : [...colour, Math.round(255 * share ** 0.7)],
      4 * i,
    );
  });
  context.putImageData(pixels, 0, 0);
  const address = canvas.toDataURL();
  if (drawn.size > 2000) {
    drawn.clear();
  }
  drawn.set(key, address);
  return address;
}
