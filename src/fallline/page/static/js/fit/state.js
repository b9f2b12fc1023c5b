// @ts-check
/** What the page knows of a run: its frames taken apart, its settings, its points in the address. */

/**
 * What the server tells at every start and change.
 * @typedef {object} Facts
 * @property {number} run
 * @property {number} n
 * @property {number[]} window x from, to, y from, to
 * @property {string[]} names of the axes
 * @property {string | null} source of a table; null for painted points
 * @property {number[] | null} points of a table
 * @property {number} rows @property {number} missing
 * @property {boolean} flat all x are the same
 * @property {string} model @property {boolean} two @property {string} loss @property {string} optimizer
 * @property {[string, number[]][]} parameters leaf and index of each
 * @property {{center: number, scale: number, target_center: number, target_scale: number}} scaling
 * @property {{size: number, steps: number, last: number, full: boolean}} batches
 * @property {number[]} cloud the points whose own gradients are sent
 * @property {boolean} edited @property {boolean} standardised @property {boolean} running
 * @property {number[] | null} best @property {number[] | null} best_curve @property {number | null} floor
 * @property {number | null} rate @property {number | null} honest @property {number | null} limit
 */

/**
 * A frame taken apart.
 * @typedef {object} State
 * @property {number} step
 * @property {number} loss @property {number} norm @property {number} epoch @property {number} batch
 * @property {number} batches @property {number} rate @property {boolean} blewUp
 * @property {Float32Array} curve @property {Float32Array} parameters @property {Float32Array} update
 * @property {Float32Array} gradient @property {Float32Array} batchGradient
 * @property {Float32Array} rows the next batch; none where it is all points
 * @property {Float32Array} cloud w, b by turns
 * @property {Float32Array} along the loss along the next step: all points, then the batch
 */

/** Numbers in a row of metrics: step, epoch, batch loss, full loss, rate, gradient norm; at times w, b. */
export const ROW = 8;

/** From where to where the loss along the next step is sent, in steps. */
export const ALONG = [-1, 3];

/** Points that still fit into an address. */
export const MOST_IN_ADDRESS = 400;

/**
 * @param {import('fallline/wire').Frame} frame
 * @returns {State}
 */
export function takeApart(frame) {
  const { data } = frame;
  const [loss, norm, epoch, batch, batches, rate, blewUp] = data;
  /** @type {Float32Array[]} */
  const parts = [];
  let at = 8;
  while (at < data.length) {
    const count = data[at];
    parts.push(data.subarray(at + 1, at + 1 + count));
    at += 1 + count;
  }
  const [curve, parameters, update, gradient, batchGradient, rows, cloud, along] = parts;
  return {
    step: frame.step,
    loss,
    norm,
    epoch,
    batch,
    batches,
    rate,
    blewUp: blewUp === 1,
    curve,
    parameters,
    update,
    gradient,
    batchGradient,
    rows,
    cloud,
    along,
  };
}

/** What the page asks for at the start, and what a link to it need not say. */
export const DEFAULTS = {
  model: 'line',
  degree: 3,
  hidden: [8, 8],
  activation: 'tanh',
  loss: 'squared_error',
  optimizer: 'sgd',
  settings: /** @type {Record<string, number>} */ ({}),
  rate: /** @type {number | null} */ (null),
  batch: 0,
  l2: 0,
  seed: 0,
  standardise: /** @type {boolean | null} */ (null),
  place: /** @type {number[] | null} */ (null),
};

/** @typedef {typeof DEFAULTS} Settings */

export const MODELS = ['line', 'polynomial', 'network'];
export const LOSSES = ['squared_error', 'half_squared_error', 'absolute_error', 'huber'];
export const ACTIVATIONS = ['tanh', 'relu', 'sigmoid', 'leaky_relu', 'elu', 'gelu', 'softplus', 'identity'];
export const PRESETS = ['line', 'quadratic', 'sine', 'outlier', 'clusters'];

/** @param {unknown} value @param {number} low @param {number} high @returns {value is number} */
export const isNumber = (value, low, high) => typeof value === 'number' && value >= low && value <= high;

/** @param {unknown} value @param {number} most @returns {value is number[]} */
export const areNumbers = (value, most) =>
  Array.isArray(value) && value.length <= most && value.every((one) => isNumber(one, -1e6, 1e6));

/**
 * The settings of an address; what does not fit is left as it is by default.
 * @param {Record<string, any>} given
 * @returns {Settings}
 */
export function settingsOf(given) {
  const made = structuredClone(DEFAULTS);
  const choose = (/** @type {'model' | 'loss' | 'activation'} */ name, /** @type {string[]} */ known) => {
    if (known.includes(given[name])) made[name] = given[name];
  };
  choose('model', MODELS);
  choose('loss', LOSSES);
  choose('activation', ACTIVATIONS);
  if (typeof given.optimizer === 'string' && /^[a-z]{1,20}$/.test(given.optimizer))
    made.optimizer = given.optimizer;
  if (isNumber(given.degree, 2, 9)) made.degree = Math.round(given.degree);
  const units = Array.isArray(given.hidden) ? given.hidden : [];
  if (units.length && units.length <= 4 && units.every((one) => isNumber(one, 1, 64)))
    made.hidden = units.map(Math.round);
  if (isNumber(given.rate, 0, 1e6)) made.rate = given.rate;
  if (isNumber(given.batch, 0, 2000)) made.batch = Math.round(given.batch);
  if (isNumber(given.l2, 0, 1e6)) made.l2 = given.l2;
  if (isNumber(given.seed, 0, 2 ** 31)) made.seed = Math.round(given.seed);
  if (typeof given.standardise === 'boolean') made.standardise = given.standardise;
  if (areNumbers(given.place, 2) && given.place.length === 2 && made.model === 'line')
    made.place = given.place;
  if (given.settings && typeof given.settings === 'object') {
    for (const [name, value] of Object.entries(given.settings)) {
      if (/^[a-z0-9_]{1,20}$/.test(name) && isNumber(value, 0, 1e6)) made.settings[name] = value;
    }
  }
  return made;
}

/**
 * What of the settings an address has to say.
 * @param {Settings} settings
 * @returns {Record<string, any>}
 */
export function spoken(settings) {
  /** @type {Record<string, any>} */
  const said = {};
  for (const [name, value] of Object.entries(settings)) {
    const usual = /** @type {any} */ (DEFAULTS)[name];
    if (JSON.stringify(value) !== JSON.stringify(usual)) said[name] = value;
  }
  if (settings.model !== 'polynomial') delete said.degree;
  if (settings.model !== 'network') {
    delete said.hidden;
    delete said.activation;
  }
  return said;
}

/** Points on their raster of a hundredth, as whole numbers. @param {number[]} points */
export const packed = (points) => points.map((value) => Math.round(100 * value));

/** @param {number[]} whole */
export const unpacked = (whole) => whole.map((value) => Math.round(value) / 100);

/** A number in a few digits, with a true minus. @param {number} value @param {number} [digits] */
export function few(value, digits = 4) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '–' : value > 0 ? '∞' : '−∞';
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text =
    size < 1e-4 || size >= 1e6 ? value.toExponential(Math.max(0, digits - 2)) : value.toPrecision(digits);
  // A plain number keeps its zeros, so that digits do not dance while a run goes on.
  return text.replace(/e\+?/, 'e').replace(/-/g, '−');
}

/** @param {string} text @returns {number[] | null} units of hidden layers; null if it is no list of them */
export function unitsOf(text) {
  const parts = text.split(',').map((part) => part.trim());
  const fits =
    parts.length <= 4 &&
    parts.every((part) => /^\d{1,2}$/.test(part) && Number(part) >= 1 && Number(part) <= 64);
  return fits ? parts.map(Number) : null;
}

/**
 * The name of a parameter as it is written in a formula.
 * @param {Facts} facts
 * @param {number} index
 */
export function parameterName(facts, index) {
  const [leaf, place] = facts.parameters[index] ?? ['', []];
  const weight = leaf.endsWith('weights');
  if (facts.model !== 'network') return weight ? (facts.two ? 'w' : `w${place[0] + 1}`) : 'b';
  const layer = /(\d+)\//.exec(leaf)?.[1] ?? '';
  const inner = weight ? `${place[0] + 1},${place[1] + 1}` : String(place[0] + 1);
  return `${weight ? 'W' : 'b'}${layer}[${inner}]`;
}
