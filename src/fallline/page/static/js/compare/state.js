// @ts-check
/** What is asked to be compared, as the address and the controls have it. */

/**
 * @typedef {object} Settings
 * @property {string} data
 * @property {string | null} target
 * @property {'linear' | 'network'} model
 * @property {number[]} hidden
 * @property {string[]} optimizers
 * @property {number} low @property {number} high @property {number} count of the learning rates
 * @property {string} second the second axis
 * @property {string} values of the second axis, as they are written
 * @property {'auto' | 'epochs' | 'steps'} unit of the budget
 * @property {number} budget
 * @property {number} seeds
 */

/** The second axis -> the values that are offered first. @type {Record<string, string>} */
export const SECONDS = {
  none: '',
  batch_size: '16, 64, full',
  momentum: '0, 0.5, 0.8, 0.9, 0.95',
  weight_decay: '0, 0.001, 0.01, 0.1',
  l2: '0, 0.0001, 0.001, 0.01',
};

export const UNITS = ['auto', 'epochs', 'steps'];

/** @type {Settings} */
export const DEFAULTS = {
  data: '',
  target: null,
  model: 'network',
  hidden: [32],
  optimizers: ['sgd', 'momentum', 'adam'],
  low: 1e-3,
  high: 3,
  count: 13,
  second: 'momentum',
  values: SECONDS.momentum,
  unit: 'epochs',
  budget: 50,
  seeds: 3,
};

/** Units from what was typed: "64, 32"; null if it is no such list. @param {string} text @returns {number[] | null} */
export function unitsOf(text) {
  const parts = text.split(/[,，·\s]+/).filter(Boolean).map(Number);
  return parts.length && parts.length <= 10 && parts.every((n) => Number.isInteger(n) && n >= 1 && n <= 4096) ? parts : null;
}

/** Settings from an address, which may hold anything. @param {Record<string, any>} given @returns {Settings} */
export function read(given) {
  const settings = structuredClone(DEFAULTS);
  const number = (/** @type {'low' | 'high' | 'count' | 'budget' | 'seeds'} */ name, /** @type {number} */ low, /** @type {number} */ high) => {
    const value = given[name];
    if (typeof value === 'number' && value >= low && value <= high) settings[name] = value;
  };
  number('low', 1e-12, 1e6);
  number('high', 1e-12, 1e6);
  number('count', 1, 60);
  number('budget', 1, 1e6);
  number('seeds', 1, 50);
  if (typeof given.data === 'string' || typeof given.data === 'number') settings.data = String(given.data);
  if (given.target !== undefined && given.target !== null) settings.target = String(given.target);
  if (['linear', 'network'].includes(given.model)) settings.model = given.model;
  // As the network view calls it.
  if (given.model === 'mlp') settings.model = 'network';
  if (Array.isArray(given.hidden)) settings.hidden = unitsOf(given.hidden.join(',')) ?? settings.hidden;
  if (Array.isArray(given.optimizers)) settings.optimizers = given.optimizers.map(String);
  if (given.second in SECONDS) {
    settings.second = given.second;
    settings.values = SECONDS[given.second];
  }
  if (given.values !== undefined) settings.values = String(given.values);
  if (UNITS.includes(given.unit)) settings.unit = given.unit;
  return settings;
}

/** What of the settings an address has to say. @param {Settings} settings */
export function written(settings) {
  const told = Object.entries(settings).filter(([name, value]) => {
    const usual = name === 'values' ? SECONDS[settings.second] : /** @type {any} */ (DEFAULTS)[name];
    return JSON.stringify(value) !== JSON.stringify(usual);
  });
  return Object.fromEntries(told);
}

/** The fields of the message that starts it. @param {Settings} settings */
export function asked(settings) {
  const { unit, budget, second, values, ...rest } = settings;
  return {
    ...rest, unit, second,
    ...(unit === 'auto' ? {} : { budget }),
    ...(second === 'none' ? {} : { values }),
  };
}
