// @ts-check
/** Numbers as `fallline.show.squeeze` packs them: 16 bits each, differences along rows, gzip. */

/** Stands for no number. */
export const NONE = 65535;
/** The largest number. */
const MOST = 65534;
/** Places are kept from -2 to 2. */
const REACH = 2;

/**
 * @param {DataView | null | undefined} bytes as a notebook hands them over
 * @param {number} columns numbers in a row
 * @param {number} [times] how often differences were taken
 * @returns {Promise<Uint16Array>} row after row
 */
export async function opened(bytes, columns, times = 1) {
  if (!bytes?.byteLength) {
    return new Uint16Array(0);
  }
  const packed = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stream = new Blob([/** @type {any} */ (packed)]).stream().pipeThrough(new DecompressionStream('gzip'));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = planes.length / 2;
  const numbers = new Uint16Array(count);
  for (let i = 0; i < count; i += 1) {
    const folded = planes[i] | (planes[count + i] << 8);
    numbers[i] = (folded >> 1) ^ -(folded & 1);
  }
  for (let pass = 0; pass < times; pass += 1) {
    for (let i = 0; i < count; i += 1) {
      if (i % columns) {
        numbers[i] += numbers[i - 1];
      }
    }
  }
  return numbers;
}

/**
 * Heights of a surface, from shares of its scale.
 * @param {Uint16Array} numbers
 * @param {{low: number, high: number, bend: number | null}} scale
 */
export function heightsOf(numbers, { low, high, bend }) {
  const whole = bend === null ? 0 : Math.log1p((high - low) / bend);
  return Float32Array.from(numbers, (number) => {
    if (number === NONE) {
      return NaN;
    }
    const share = number / MOST;
    return bend === null ? low + share * (high - low) : low + bend * Math.expm1(share * whole);
  });
}

/**
 * Where balls were, moment by moment.
 * @param {Uint16Array} numbers a row for each coordinate of a ball, moments along it
 * @param {number} moments
 * @returns {Float32Array[]} two numbers a ball, in the window [-1, 1]²; NaN for one that is lost
 */
export function placesOf(numbers, moments) {
  const width = numbers.length / Math.max(1, moments);
  return Array.from({ length: moments }, (_, moment) =>
    Float32Array.from({ length: width }, (_, row) => {
      const number = numbers[row * moments + moment];
      return number === NONE ? NaN : (number / MOST) * 2 * REACH - REACH;
    }),
  );
}
