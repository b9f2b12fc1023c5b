// @ts-check
/**
 * What is worked out once for a surface: heights between 0 and 1, normals, how much of the sky each place
 * sees, and the shadow of the sun. Plain loops over typed arrays, some tens of milliseconds for 257 x 257.
 */

/** The height of the block in units of the scene, where the window is [-1, 1] wide. */
export const RAISE = 0.54;

/** Towards the sun; north-west, as on maps. */
export const SUN = normalised([-0.62, 0.66, -0.42]);

const DIRECTIONS = 12;
const RADII = [1, 2, 3, 5, 8, 12, 18, 27, 40];
/**
 * Where the height that a tenth of the places lie below is to come at least; the scale bends until it does.
 */
const LOW_SHARE = 0.1;
const LOW_HEIGHT = 0.14;

/**
 * @typedef {object} Relief
 * @property {number} grid points a side
 * @property {Float32Array} heights 0 to 1, row = y
 * @property {Uint8Array} shade RGBA: normal x, normal z, sky (0 where the surface has no value), sun
 * @property {number} low the value at height 0
 * @property {number} high the value at height 1
 * @property {number} bend how the scale bends: value = low + bend * expm1(height * log1p((high - low) /
 *   bend)); infinite where it is straight
 */

/**
 * @param {number[]} vector
 * @returns {[number, number, number]}
 */
function normalised(vector) {
  const length = Math.hypot(...vector);
  return [vector[0] / length, vector[1] / length, vector[2] / length];
}

/**
 * The value of the surface at a height.
 * @param {{low: number, high: number, bend: number}} scale
 * @param {number} height 0 to 1
 */
export function valueAt({ low, high, bend }, height) {
  const range = high - low;
  return Number.isFinite(bend)
    ? low + bend * Math.expm1(height * Math.log1p(range / bend))
    : low + height * range;
}

/**
 * The height of a value of the surface.
 * @param {{low: number, high: number, bend: number}} scale
 * @param {number} value
 */
export function heightOf({ low, high, bend }, value) {
  const range = high - low;
  if (!(range > 0)) return 0;
  const over = Math.min(Math.max(value - low, 0), range);
  return Number.isFinite(bend) ? Math.log1p(over / bend) / Math.log1p(range / bend) : over / range;
}

/**
 * Find the scale: straight where that shows the valleys, else bent like a logarithm as far as it takes.
 *
 * A straight scale leaves the valley of Rosenbrock's function, or a function with a pole, without any relief:
 * nine tenths of the places lie in the lowest hundredth.
 *
 * @param {Float32Array} values
 * @returns {{low: number, high: number, bend: number}}
 */
export function scaleOf(values) {
  const stride = Math.max(1, Math.floor(values.length / 16384)) | 1;
  const sample = new Float32Array(Math.ceil(values.length / stride));
  let count = 0;
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
    if (i % stride === 0) sample[count++] = value;
  }
  if (!(high > low)) return { low: Number.isFinite(low) ? low : 0, high: low, bend: Infinity };
  const sorted = sample.subarray(0, count).sort();
  const quantile = (/** @type {number} */ share) => sorted[Math.min(count - 1, Math.floor(share * count))];
  // A pole that goes both ways, as of 1/x, would push all the rest to the middle: its lower arm is cut off.
  const [first, third] = [quantile(0.25), quantile(0.75)];
  const spread = third - first;
  if (low < first - 20 * spread && high > third + 20 * spread) low = first - 6 * spread;
  const range = high - low;
  const valley = quantile(LOW_SHARE) - low;
  if (!(valley > 0) || valley / range >= LOW_HEIGHT) return { low, high, bend: Infinity };
  // The height of the valley falls from 1 to valley / range as the bend grows: halve the interval of its
  // logarithm.
  let least = Math.log(valley * 1e-6);
  let most = Math.log(range * 1e6);
  for (let i = 0; i < 60; i++) {
    const middle = (least + most) / 2;
    if (heightOf({ low, high, bend: Math.exp(middle) }, low + valley) > LOW_HEIGHT) least = middle;
    else most = middle;
  }
  return { low, high, bend: Math.exp((least + most) / 2) };
}

/** What was worked out already: block and map show the same surface. @type {WeakMap<Float32Array, Relief>} */
const known = new WeakMap();

/**
 * Heights, normals and light of a surface; worked out once for each array, which must not change afterwards.
 * @param {Float32Array} values grid x grid, row = y; what is not finite becomes a flat top of its own tone
 * @param {number} grid points a side, at least 2
 * @returns {Relief}
 */
export function relief(values, grid) {
  const before = known.get(values);
  if (before?.grid === grid) return before;
  const scale = scaleOf(values);
  const heights = new Float32Array(grid * grid);
  const shade = new Uint8Array(4 * grid * grid);
  const range = scale.high - scale.low;
  const bent = Number.isFinite(scale.bend);
  const factor = bent ? 1 / Math.log1p(range / scale.bend) : 1 / (range || 1);
  for (let i = 0; i < heights.length; i++) {
    const value = values[i];
    const over = Math.min(Math.max(value - scale.low, 0), range);
    // Minus infinity has no place of its own; it is a floor, everything else without a value a top.
    if (Number.isFinite(value)) heights[i] = bent ? Math.log1p(over / scale.bend) * factor : over * factor;
    else heights[i] = value === -Infinity ? 0 : 1;
  }
  normals(heights, grid, shade);
  sky(heights, grid, shade);
  sun(heights, grid, shade);
  for (let i = 0; i < heights.length; i++) if (!Number.isFinite(values[i])) shade[4 * i + 2] = 0;
  const result = { grid, heights, shade, ...scale };
  known.set(values, result);
  return result;
}

/**
 * Normals by central differences; one-sided at the edges.
 * @param {Float32Array} heights
 * @param {number} grid
 * @param {Uint8Array} shade
 */
function normals(heights, grid, shade) {
  const cell = 2 / (grid - 1);
  for (let row = 0; row < grid; row++) {
    const above = Math.min(grid - 1, row + 1);
    const below = Math.max(0, row - 1);
    for (let column = 0; column < grid; column++) {
      const right = Math.min(grid - 1, column + 1);
      const left = Math.max(0, column - 1);
      const across = heights[row * grid + right] - heights[row * grid + left];
      const along = heights[above * grid + column] - heights[below * grid + column];
      const dx = (across * RAISE) / ((right - left) * cell);
      const dy = (along * RAISE) / ((above - below) * cell);
      const length = Math.sqrt(dx * dx + dy * dy + 1);
      const at = 4 * (row * grid + column);
      // The scene's third axis points against y.
      shade[at] = Math.round(127.5 - (127.5 * dx) / length);
      shade[at + 1] = Math.round(127.5 + (127.5 * dy) / length);
    }
  }
}

/**
 * The share of the sky that each place sees: the mean over directions of cos² of the angle to the horizon.
 * @param {Float32Array} heights
 * @param {number} grid
 * @param {Uint8Array} shade
 */
function sky(heights, grid, shade) {
  const cell = 2 / (grid - 1);
  const steps = RADII.length;
  const across = new Int32Array(DIRECTIONS * steps);
  const along = new Int32Array(DIRECTIONS * steps);
  const offset = new Int32Array(DIRECTIONS * steps);
  const rise = new Float32Array(DIRECTIONS * steps);
  // Radii are in cells of a grid of 257, so that a coarser grid looks the same.
  const finer = (grid - 1) / 256;
  for (let direction = 0; direction < DIRECTIONS; direction++) {
    const angle = (direction / DIRECTIONS) * 2 * Math.PI;
    for (let step = 0; step < steps; step++) {
      const at = direction * steps + step;
      const radius = Math.max(RADII[step] * finer, 1);
      across[at] = Math.round(Math.cos(angle) * radius);
      along[at] = Math.round(Math.sin(angle) * radius);
      offset[at] = along[at] * grid + across[at];
      rise[at] = RAISE / (Math.hypot(across[at], along[at]) * cell);
    }
  }
  // At every second point of every second row; it is smooth enough to fill in between.
  const half = (grid >> 1) + 1;
  const coarse = new Float32Array(half * half);
  for (let j = 0; j < half; j++) {
    const row = Math.min(2 * j, grid - 1);
    for (let i = 0; i < half; i++) {
      const column = Math.min(2 * i, grid - 1);
      const place = row * grid + column;
      const here = heights[place];
      let seen = 0;
      for (let direction = 0; direction < DIRECTIONS; direction++) {
        let steepest = 0;
        const end = (direction + 1) * steps;
        for (let at = direction * steps; at < end; at++) {
          const x = column + across[at];
          const y = row + along[at];
          if (x < 0 || y < 0 || x >= grid || y >= grid) break;
          const slope = (heights[place + offset[at]] - here) * rise[at];
          if (slope > steepest) steepest = slope;
        }
        seen += 1 / (1 + steepest * steepest);
      }
      // From 64 on: 0 says that there is no value.
      coarse[j * half + i] = 64 + (191 * seen) / DIRECTIONS;
    }
  }
  for (let row = 0; row < grid; row++) {
    const below = (row >> 1) * half;
    const above = ((row + 1) >> 1) * half;
    for (let column = 0; column < grid; column++) {
      const left = column >> 1;
      const right = (column + 1) >> 1;
      const sum = coarse[below + left] + coarse[below + right] + coarse[above + left] + coarse[above + right];
      shade[4 * (row * grid + column) + 2] = Math.round(sum / 4);
    }
  }
}

/**
 * How much of the sun each place sees, with a soft edge.
 * @param {Float32Array} heights
 * @param {number} grid
 * @param {Uint8Array} shade
 */
function sun(heights, grid, shade) {
  const cell = 2 / (grid - 1);
  const flat = Math.hypot(SUN[0], SUN[2]);
  const dx = SUN[0] / flat;
  const dy = -SUN[2] / flat;
  const slope = SUN[1] / flat;
  const soft = 0.1;
  for (let row = 0; row < grid; row++) {
    for (let column = 0; column < grid; column++) {
      const place = row * grid + column;
      const here = heights[place];
      // Beyond this many cells nothing is high enough to reach into the sun's disc.
      const far = ((1 - here) * RAISE) / ((slope - soft) * cell);
      let steepest = 0;
      for (let radius = 1; radius < far; radius += radius < 24 ? 1 : 2) {
        const x = column + dx * radius;
        const y = row + dy * radius;
        if (x < 0 || y < 0 || x >= grid - 1 || y >= grid - 1) break;
        const rise = (heights[(y | 0) * grid + (x | 0)] - here) / radius;
        if (rise > steepest) steepest = rise;
      }
      const over = Math.min(1, Math.max(0, (slope + soft - (steepest * RAISE) / cell) / (2 * soft)));
      shade[4 * place + 3] = Math.round(255 * over * over * (3 - 2 * over));
    }
  }
}

/**
 * The height of the surface anywhere, as the shaders have it.
 * @param {Relief} surface
 * @param {number} x -1 to 1
 * @param {number} y -1 to 1
 * @returns {number} in units of the scene
 */
export function heightAt({ heights, grid }, x, y) {
  const last = grid - 1.001;
  const column = Math.min(Math.max((x * 0.5 + 0.5) * (grid - 1), 0), last);
  const row = Math.min(Math.max((y * 0.5 + 0.5) * (grid - 1), 0), last);
  const left = Math.floor(column);
  const below = Math.floor(row);
  const u = column - left;
  const v = row - below;
  const at = below * grid + left;
  const lower = heights[at] * (1 - u) + heights[at + 1] * u;
  const upper = heights[at + grid] * (1 - u) + heights[at + grid + 1] * u;
  return (lower * (1 - v) + upper * v) * RAISE;
}
