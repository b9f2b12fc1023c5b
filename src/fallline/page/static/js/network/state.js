// @ts-check
/** What is asked for, by the names of `fallline.fit`; and how it stands in an address. */

/**
 * @typedef {object} Settings
 * @property {string | null} data the table; null for the first there is
 * @property {string | null} target
 * @property {[string, string] | null} features two columns, and no other
 * @property {'linear' | 'mlp'} model
 * @property {string} hidden such as "128, 64"
 * @property {string} activation
 * @property {boolean} batch_norm
 * @property {number} dropout
 * @property {string} init
 * @property {string} optimizer
 * @property {number | 'auto'} learning_rate
 * @property {number | 'auto' | 'full'} batch_size
 * @property {number | null} epochs
 * @property {number} seed
 * @property {number} l2
 * @property {Record<string, any>} more what has no control here: a clip, a schedule, numbers of the optimizer
 */

/** @type {Settings} */
export const DEFAULTS = {
  data: null, target: null, features: null, model: 'mlp', hidden: '128, 64', activation: 'relu', batch_norm: false,
  dropout: 0, init: 'auto', optimizer: 'adam', learning_rate: 'auto', batch_size: 'auto', epochs: null, seed: 0, l2: 0,
  more: {},
};

export const ACTIVATIONS = ['relu', 'leaky_relu', 'elu', 'gelu', 'softplus', 'tanh', 'sigmoid', 'identity'];
export const INITIALISERS = ['auto', 'he', 'glorot', 'lecun', 'normal', 'zeros'];

/** Fields of `fallline.fit` that a fix or a link may set although no control shows them. */
export const EXTRA = [
  'task', 'loss', 'schedule', 'validation', 'test', 'patience', 'l1', 'weight_decay', 'clip_norm', 'average', 'drop',
  'hyperparameters',
];

/** Fields and changes whose names there are words for. */
const NAMED = [
  'model', 'hidden', 'activation', 'batch_norm', 'dropout', 'init', 'optimizer', 'learning_rate', 'batch_size', 'epochs',
  'seed', 'l2', 'task', 'loss', 'schedule', 'validation', 'test', 'patience', 'l1', 'weight_decay', 'clip_norm', 'average',
  'drop', 'target', 'momentum', 'epsilon', 'beta1', 'beta2', 'standardize', 'decorrelate', 'params',
];

/** @param {any} value @param {number} low @param {number} high */
const isNumber = (value, low, high) => typeof value === 'number' && Number.isFinite(value) && value >= low && value <= high;
/** @param {any} value */
const isText = (value) => typeof value === 'string' && value.length > 0 && value.length <= 1000;

/** @param {string} text @returns {number[] | null} units of hidden layers; null if it is no list of them */
export function unitsOf(text) {
  const parts = text.split(',').map((part) => part.trim());
  const fits = parts.length <= 8 && parts.every((part) => /^\d{1,4}$/.test(part) && Number(part) >= 1 && Number(part) <= 2048);
  return fits ? parts.map(Number) : null;
}

/**
 * Take from an address, or from a run, what fits.
 * @param {Record<string, any>} given
 * @returns {Settings}
 */
export function settingsOf(given) {
  const made = structuredClone(DEFAULTS);
  if (isText(given.data)) made.data = given.data;
  if (isText(given.target)) made.target = given.target;
  const { features } = given;
  if (Array.isArray(features) && features.length === 2 && features.every(isText)) made.features = [features[0], features[1]];
  if (['linear', 'mlp'].includes(given.model)) made.model = given.model;
  const hidden = Array.isArray(given.hidden) ? given.hidden.join(', ') : String(given.hidden ?? '');
  if (unitsOf(hidden)) made.hidden = hidden;
  if (ACTIVATIONS.includes(given.activation)) made.activation = given.activation;
  if (typeof given.batch_norm === 'boolean') made.batch_norm = given.batch_norm;
  if (isNumber(given.dropout, 0, 0.95)) made.dropout = given.dropout;
  if (isText(given.init) && given.init.length <= 40) made.init = given.init;
  if (isText(given.optimizer) && given.optimizer.length <= 40) made.optimizer = given.optimizer;
  if (isNumber(given.learning_rate, 0, 1e6)) made.learning_rate = given.learning_rate;
  if (given.batch_size === 'full' || isNumber(given.batch_size, 1, 1e7)) made.batch_size = given.batch_size;
  if (isNumber(given.epochs, 1, 1e5)) made.epochs = Math.round(given.epochs);
  if (isNumber(given.seed, 0, 2 ** 31)) made.seed = Math.round(given.seed);
  if (isNumber(given.l2, 0, 1e6)) made.l2 = given.l2;
  for (const name of EXTRA) {
    if (given[name] !== undefined && given[name] !== null) made.more[name] = given[name];
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
  const said = { ...settings.more };
  for (const [name, value] of Object.entries(settings)) {
    const usual = /** @type {any} */ (DEFAULTS)[name];
    if (name !== 'more' && JSON.stringify(value) !== JSON.stringify(usual)) said[name] = value;
  }
  if (settings.model === 'linear') for (const name of ['hidden', 'activation', 'batch_norm', 'dropout']) delete said[name];
  return said;
}

/**
 * The settings as the server takes them.
 * @param {Settings} settings
 * @returns {Record<string, any>}
 */
export function message(settings) {
  const { more, ...rest } = settings;
  return { ...more, ...rest };
}

/** A value in few words. @param {any} value @returns {string} */
export function valueText(value) {
  if (typeof value === 'number') {
    const size = Math.abs(value);
    const text = size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential() : String(Number(value.toPrecision(4)));
    return text.replace('e+', 'e').replace(/-/g, '−');
  }
  if (Array.isArray(value)) return value.map(valueText).join(', ');
  if (value !== null && typeof value === 'object') {
    return Object.entries(value).map(([name, part]) => `${name} ${valueText(part)}`).join(', ');
  }
  return value === null ? 'auto' : String(value);
}

/**
 * A change in few words: "learning rate 0.01".
 * @param {{t: (key: string) => string}} services
 * @param {{name: string, value: any}} change
 */
export function changeText({ t }, { name, value }) {
  const word = NAMED.includes(name) ? t(`network.change.${name}`) : name;
  if (value === true) return word;
  if (name === 'model') return t(`network.model.${value === 'linear' ? 'linear' : 'mlp'}`);
  return `${word} ${valueText(value)}`;
}
