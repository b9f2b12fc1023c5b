// @ts-check
/** What the terrain view is set to: plain data, from which messages to the engine and links are made. */

/**
 * @typedef {object} Racer an optimizer in the race
 * @property {string} optimizer
 * @property {number|null} rate null for its own honest best, which the engine searches
 * @property {Record<string, number|boolean>} settings those that differ from the optimizer's own
 * @property {number|null} decay of the weights; null for the optimizer's own
 * @property {boolean} visible
 */
/** @typedef {[number, number, number, number, number]} Drop x, y, count, radius, step */
/**
 * @typedef {object} Setup
 * @property {string|null} surface a listed terrain; null for the formula
 * @property {string} formula
 * @property {number[]|null} bounds of the formula: x from, to, y from, to
 * @property {number} balls
 * @property {number} seed
 * @property {Racer[]} racers
 * @property {number} noise added to each component of a gradient, its standard deviation
 * @property {number} steps a frame
 * @property {number} frames a second
 * @property {'scatter'|'point'} spread
 * @property {number[]|null} at the one start
 * @property {Drop[]} drops balls dropped by hand
 */

export const MOST_RACERS = 8;
export const MOST_BALLS = 20_000;
export const MOST_DROPS = 40;

/**
 * Formulas to start from, in places whose names are texts `terrain.example_...`.
 * @type {Record<string, {formula: string, bounds: number[]}>}
 */
export const EXAMPLES = {
  canyon: {
    formula:
      '0.12*(x^2+y^2) + 0.9*sin(1.3*x)*cos(1.1*y) + 0.55*cos(2.1*x+0.8*y) + 0.35*sin(2.7*y-0.6*x) ' +
      '- 1.6*exp(-((x-1.1)^2+(y+1.4)^2)) - 0.9*exp(-0.8*((x+1.9)^2+(y-1.6)^2))',
    bounds: [-4, 4, -4, 4],
  },
  ring: { formula: '(x^2+y^2-4)^2/8 + 0.5*x', bounds: [-3, 3, -3, 3] },
  eggs: { formula: 'sin(2*x)*sin(2*y) + 0.06*(x^2+y^2)', bounds: [-4, 4, -4, 4] },
  crossing: { formula: 'x^2 - y^2 + 0.08*(x^4+y^4)', bounds: [-3.2, 3.2, -3.2, 3.2] },
};

/**
 * @param {string} optimizer
 * @returns {Racer}
 */
export function racerOf(optimizer) {
  return { optimizer, rate: null, settings: {}, decay: null, visible: true };
}

/** @returns {Setup} */
export function firstSetup() {
  return {
    surface: null,
    formula: EXAMPLES.canyon.formula,
    bounds: EXAMPLES.canyon.bounds,
    balls: 400,
    seed: 3,
    racers: ['sgd', 'momentum', 'rmsprop', 'adam'].map(racerOf),
    noise: 0,
    steps: 1,
    frames: 30,
    spread: 'scatter',
    at: null,
    drops: [],
  };
}

/**
 * The name of the example whose formula this is, or null.
 * @param {string} formula
 */
export function exampleOf(formula) {
  const bare = (/** @type {string} */ text) => text.replace(/\s+/g, '');
  const found = Object.entries(EXAMPLES).find(([, example]) => bare(example.formula) === bare(formula));
  return found ? found[0] : null;
}

/**
 * The fields of the message that starts a run.
 * @param {Setup} setup
 */
export function startMessage(setup) {
  const own = setup.surface === null;
  return {
    surface: setup.surface,
    formula: own ? setup.formula : null,
    bounds: own ? setup.bounds : null,
    balls: setup.balls,
    seed: setup.seed,
    racers: setup.racers.map(({ optimizer, rate, settings, decay }) => ({
      optimizer,
      rate,
      settings,
      decay,
    })),
    noise: setup.noise,
    spread: setup.spread,
    at: setup.spread === 'point' ? setup.at : null,
    drops: setup.drops,
  };
}

/**
 * As a link has it.
 * @param {Setup} setup
 * @returns {Record<string, any>}
 */
export function packed(setup) {
  return {
    ...(setup.surface === null
      ? { formula: setup.formula, bounds: setup.bounds }
      : { surface: setup.surface }),
    balls: setup.balls,
    seed: setup.seed,
    racers: setup.racers.map((racer) => ({
      o: racer.optimizer,
      ...(racer.rate === null ? {} : { r: racer.rate }),
      ...(Object.keys(racer.settings).length ? { s: racer.settings } : {}),
      ...(racer.decay === null ? {} : { d: racer.decay }),
      ...(racer.visible ? {} : { v: 0 }),
    })),
    ...(setup.noise ? { noise: setup.noise } : {}),
    pace: [setup.steps, setup.frames],
    ...(setup.spread === 'point' ? { spread: 'point', ...(setup.at ? { at: setup.at } : {}) } : {}),
    ...(setup.drops.length ? { drops: setup.drops } : {}),
  };
}

/**
 * What a link says, over what was; whatever does not fit is left as it was.
 * @param {Record<string, any>} state
 * @param {Setup} before
 * @returns {Setup}
 */
export function unpacked(state, before) {
  const setup = { ...before };
  if (typeof state.formula === 'string' && state.formula) {
    setup.surface = null;
    setup.formula = state.formula.slice(0, 400);
    setup.bounds = boundsOf(state.bounds) ?? [-4, 4, -4, 4];
  } else if (typeof state.surface === 'string' && /^\w{1,40}$/.test(state.surface)) {
    setup.surface = state.surface;
  }
  setup.balls = Math.round(numberIn(state.balls, 1, MOST_BALLS, before.balls));
  setup.seed = Math.round(numberIn(state.seed, 0, 2 ** 31 - 1, before.seed));
  setup.noise = numberIn(state.noise, 0, 1e6, 0);
  setup.steps = Math.round(numberIn(state.pace?.[0], 1, 200, before.steps));
  setup.frames = Math.round(numberIn(state.pace?.[1], 1, 60, before.frames));
  setup.spread = state.spread === 'point' ? 'point' : 'scatter';
  setup.at = numbersOf(state.at, 2);
  if (Array.isArray(state.racers)) {
    const racers = state.racers
      .slice(0, MOST_RACERS)
      .map(racerFrom)
      .filter((racer) => racer !== null);
    setup.racers = racers.length ? /** @type {Racer[]} */ (racers) : before.racers;
  }
  if (Array.isArray(state.drops)) {
    const drops = state.drops.map((drop) => numbersOf(drop, 5)).filter((drop) => drop !== null);
    setup.drops = /** @type {any} */ (drops.slice(0, MOST_DROPS));
  } else {
    setup.drops = [];
  }
  return setup;
}

/**
 * @param {any} packed
 * @returns {Racer|null}
 */
function racerFrom(packed) {
  if (typeof packed?.o !== 'string' || !/^\w{1,40}$/.test(packed.o)) {
    return null;
  }
  const settings = Object.entries(packed.s ?? {}).filter(
    ([name, value]) => /^\w{1,40}$/.test(name) && (typeof value === 'boolean' || Number.isFinite(value)),
  );
  return {
    optimizer: packed.o,
    rate: typeof packed.r === 'number' && packed.r > 0 && Number.isFinite(packed.r) ? packed.r : null,
    settings: Object.fromEntries(/** @type {[string, number|boolean][]} */ (settings)),
    decay: typeof packed.d === 'number' && packed.d >= 0 && packed.d <= 1 ? packed.d : null,
    visible: packed.v !== 0,
  };
}

/**
 * @param {any} value
 * @param {number} low
 * @param {number} high
 * @param {number} fallback
 */
export function numberIn(value, low, high, fallback) {
  return typeof value === 'number' && value >= low && value <= high ? value : fallback;
}

/**
 * @param {any} value
 * @param {number} count
 * @returns {number[]|null}
 */
export function numbersOf(value, count) {
  const fits = Array.isArray(value) && value.length === count && value.every((one) => Number.isFinite(one));
  return fits ? value : null;
}

/**
 * Bounds that make sense, or null.
 * @param {any} value
 */
export function boundsOf(value) {
  const found = numbersOf(value, 4);
  return found && found[0] < found[1] && found[2] < found[3] ? found : null;
}
