// @ts-check
/** The parts of the left column, each with its controls; `setup.js` puts them together. */
import { button, number, section, segmented, select, slider, toggle } from 'fallline/controls';
import { h, say } from 'fallline/dom';
import { ACTIVATIONS, LOSSES, MODELS, PRESETS, few, unitsOf } from 'fallline/fit/state';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/fit/setup').Told} Told */
/** @typedef {(change: Record<string, any>) => void} Change */

const L2_LOWEST = -5;
const L2_PLACES = 25;

/** From the place of the penalty's slider: 0 is none, then four values a decade. @param {number} place */
const l2At = (place) => (place <= 0 ? 0 : Number((10 ** (L2_LOWEST + (place - 1) / 4)).toPrecision(2)));

/** @param {number} value */
export const placeOfL2 = (value) => (value <= 0 ? 0 : Math.round(4 * (Math.log10(value) - L2_LOWEST)) + 1);

/** @param {Services} services @param {Told} told */
export function pointsPart(services, told) {
  const source = segmented(services, {
    label: 'fit.source',
    value: 'paint',
    options: [
      { value: 'paint', t: 'fit.paint' },
      { value: 'table', t: 'fit.table' },
    ],
    onchange: (value) => told.source(value),
  });
  const presets = PRESETS.map((name) =>
    button(services, {
      t: `fit.preset.${name}`,
      pressed: false,
      class: 'small',
      onclick: () => told.preset(name),
    }),
  );
  const clear = button(services, { t: 'fit.clear', class: 'small', onclick: told.clear });
  const painted = h('div', { class: 'presets' }, ...presets.map((one) => one.element), clear.element);
  const table = select(services, { label: 'fit.tableName', options: [], value: '', onchange: told.columns });
  const pick = () => told.table({ name: table.value, x: x.value, y: y.value });
  const x = select(services, { label: 'fit.x', options: [], value: '', onchange: pick });
  const y = select(services, { label: 'fit.y', options: [], value: '', onchange: pick });
  const tabled = h(
    'div',
    { class: 'tabled', hidden: true },
    table.element,
    h('div', { class: 'pair' }, x.element, y.element),
  );
  const note = h('p', { class: 'note' });
  const element = section('fit.points', source.element, painted, tabled, note);
  return { element, source, presets, painted, table, x, y, tabled, note };
}

/** @param {Services} services @param {Change} change */
export function modelPart(services, change) {
  const model = segmented(services, {
    label: 'fit.model',
    value: 'line',
    options: MODELS.map((value) => ({ value, t: `fit.model.${value}` })),
    onchange: (value) => change({ model: value, place: null }),
  });
  const degree = slider(services, {
    label: 'fit.degree',
    low: 2,
    high: 9,
    step: 1,
    value: 3,
    format: String,
    onchange: (value) => change({ degree: value }),
  });
  const hidden = h('input', {
    type: 'text',
    class: 'code',
    id: 'fit-hidden',
    value: '8,8',
    spellcheck: 'false',
    autocomplete: 'off',
    'aria-describedby': 'fit-hidden-trouble',
  });
  const trouble = h('p', {
    class: 'complaint',
    id: 'fit-hidden-trouble',
    hidden: true,
    t: 'fit.hiddenTrouble',
  });
  hidden.addEventListener('change', () => {
    const units = unitsOf(hidden.value);
    hidden.setAttribute('aria-invalid', String(!units));
    trouble.hidden = units !== null;
    if (units) {
      change({ hidden: units });
      services.touched();
    }
  });
  const activation = select(services, {
    label: 'fit.activation',
    value: 'tanh',
    onchange: (value) => change({ activation: value }),
    options: ACTIVATIONS.map((value) => ({ value, text: value.replace('_', ' ') })),
  });
  const network = h(
    'div',
    { class: 'pair', hidden: true },
    h('div', { class: 'field' }, h('label', { for: 'fit-hidden', t: 'fit.hidden' }), hidden),
    activation.element,
  );
  const loss = select(services, {
    label: 'fit.loss',
    options: LOSSES.map((value) => ({ value, t: `fit.loss.${value}` })),
    value: 'squared_error',
    onchange: (value) => change({ loss: value }),
  });
  const l2 = slider(services, {
    label: 'fit.l2',
    low: 0,
    high: L2_PLACES,
    step: 1,
    value: 0,
    onchange: (place) => change({ l2: l2At(place) }),
    format: (place) => (place <= 0 ? '0' : few(l2At(place), 2)),
  });
  const standardise = toggle(services, {
    label: 'fit.standardise',
    value: false,
    onchange: (value) => change({ standardise: value }),
  });
  const element = section(
    'fit.modelAndLoss',
    model.element,
    degree.element,
    network,
    trouble,
    loss.element,
    l2.element,
    standardise.element,
  );
  return { element, model, degree, hidden, activation, network, loss, l2, standardise };
}

/** @param {Services} services @param {Change} change @param {(i: number, value: number) => void} start */
export function descentPart(services, change, start) {
  const optimizer = select(services, {
    label: 'fit.optimizer',
    options: [],
    value: 'sgd',
    // A rate of the one means nothing to the other.
    onchange: (value) => change({ optimizer: value, settings: {}, rate: null }),
  });
  const rate = slider(services, {
    label: 'fit.rate',
    low: 1e-5,
    high: 10,
    log: true,
    value: 0.1,
    oninput: (value) => change({ rate: value }),
  });
  const own = button(services, {
    t: 'fit.own',
    label: 'fit.ownAbout',
    class: 'small',
    pressed: true,
    onclick: () => {
      change({ rate: null });
      services.touched();
    },
  });
  const limit = h('span', { class: 'number limit' });
  const numbers = h('div', { class: 'numbers-of' });
  const batch = segmented(services, {
    label: 'fit.batches',
    value: 'all',
    options: ['all', 'one', 'mini'].map((value) => ({ value, t: `fit.batch.${value}` })),
    onchange: (value) => change({ batch: { all: 0, one: 1 }[value] ?? size.value }),
  });
  const size = slider(services, {
    label: 'fit.size',
    low: 2,
    high: 64,
    step: 1,
    value: 8,
    format: String,
    onchange: (value) => change({ batch: value }),
  });
  const seed = number(services, {
    label: 'fit.seed',
    low: 0,
    high: 2 ** 31,
    value: 0,
    step: 1,
    onchange: (value) => change({ seed: Math.round(value) }),
  });
  const place = ['w', 'b'].map((name, i) =>
    number(services, {
      label: `fit.start.${name}`,
      low: -1e6,
      high: 1e6,
      value: 0,
      onchange: (value) => start(i, value),
    }),
  );
  const from = h('div', { class: 'pair' }, ...place.map((one) => one.element));
  const element = section(
    'fit.descent',
    optimizer.element,
    rate.element,
    h('div', { class: 'own' }, own.element, limit),
    numbers,
    batch.element,
    size.element,
    seed.element,
    from,
  );
  return { element, optimizer, rate, own, limit, numbers, batch, size, seed, place, from };
}

/** @param {Services} services @param {Told} told */
export function pacePart(services, told) {
  const steps = slider(services, {
    label: 'fit.steps',
    low: 1,
    high: 200,
    log: true,
    value: 1,
    format: (v) => String(Math.round(v)),
    oninput: told.pace,
  });
  const slow = toggle(services, { label: 'fit.slow', value: false, onchange: told.pace });
  const terrain = h('button', { type: 'button', class: 'link', t: 'fit.toTerrain', onclick: told.terrain });
  const graph = h('button', { type: 'button', class: 'link', t: 'fit.toGraph', onclick: told.graph });
  const element = section(
    'fit.pace',
    steps.element,
    slow.element,
    h('div', { class: 'links' }, terrain, graph),
  );
  return { element, steps, slow, terrain, graph };
}

/**
 * A text that follows the language, or none.
 * @param {HTMLElement} element @param {string | null} key @param {Record<string, string | number>} [values]
 */
export function sayOrNot(element, key, values) {
  if (key) {
    say(element, key, values);
  } else {
    element.removeAttribute('data-t');
    element.textContent = '';
  }
}
