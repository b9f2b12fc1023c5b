// @ts-check
/** The left column: the table, the model, the descent; and the buttons at its foot. */
import { number, section, segmented, select, slider, toggle, transport } from 'fallline/controls';
import { h, say } from 'fallline/dom';
import { text, wordOrNumber } from 'fallline/network/fields';
import { ACTIVATIONS, DEFAULTS, INITIALISERS, changeText, unitsOf, valueText } from 'fallline/network/state';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/network/state').Settings} Settings */
/** @typedef {{name: string, kind: string}} Column */
/**
 * @typedef {object} Table
 * @property {string} data @property {string} source @property {number} rows
 * @property {Column[]} columns @property {number} more columns that are not listed
 * @property {string | null} target @property {string[] | null} features @property {string | null} task
 */

/** Characters of a column's name in a list. */
const LONGEST = 60;
/** @param {string} name */
const cut = (name) => (name.length > LONGEST ? `${name.slice(0, LONGEST)}…` : name);

export class Setup {
  /**
   * @param {Services} services
   * @param {{changed: () => void, table: () => void, run: () => void, step: () => void, reset: () => void}} told
   */
  constructor(services, told) {
    this.services = services;
    this.told = told;
    /** @type {Settings} */
    this.settings = structuredClone(DEFAULTS);
    /** @type {{name: string, title: string, kind: string}[]} */
    this.tables = [];
    /** @type {Table | null} */
    this.table = null;
    const change = (/** @type {Partial<Settings>} */ fields) => this.change(fields);
    this.data = this.dataPart(change);
    this.model = this.modelPart(change);
    this.descent = this.descentPart(change);
    this.transport = transport(services, { onrun: told.run, onstep: told.step, onreset: told.reset });
    this.element = h('div', { class: 'column left' },
      h('div', { class: 'scroll', tabindex: '-1' }, this.data.element, this.model.element, this.descent.element),
      this.transport.element);
    this.show(this.settings);
  }

  /** @param {(fields: Partial<Settings>) => void} change */
  dataPart(change) {
    const { services } = this;
    const table = select(services, { label: 'network.table', options: [], value: '', onchange: (data) => this.chooseTable(data) });
    const target = select(services, {
      label: 'network.target', options: [], value: '',
      onchange: (value) => change({ target: value, features: this.fitting(this.settings.features, value) }),
    });
    const two = toggle(services, {
      label: 'network.two', value: false,
      onchange: (on) => change({ features: on ? this.firstTwo() : null }),
    });
    const pair = [0, 1].map((i) =>
      select(services, {
        label: i ? 'network.second' : 'network.first', options: [], value: '', onchange: (name) => this.choosePair(i, name),
      }));
    const pairs = h('div', { class: 'pair' }, ...pair.map(({ element }) => element));
    const note = h('p', { class: 'note' });
    const element = section('network.data', table.element, target.element, two.element, pairs, note);
    return { element, table, target, two, pair, pairs, note };
  }

  /** @param {(fields: Partial<Settings>) => void} change */
  modelPart(change) {
    const { services } = this;
    const kind = segmented(services, {
      label: 'network.model', value: 'mlp',
      options: [{ value: 'linear', t: 'network.model.linear' }, { value: 'mlp', t: 'network.model.mlp' }],
      onchange: (value) => change({ model: value === 'linear' ? 'linear' : 'mlp' }),
    });
    const hidden = text(services, {
      label: 'network.hidden', value: DEFAULTS.hidden, trouble: 'network.hiddenTrouble',
      fits: (value) => unitsOf(value) !== null, onchange: (value) => change({ hidden: value }),
    });
    const activation = select(services, {
      label: 'network.activation', value: 'relu', options: ACTIVATIONS.map((name) => ({ value: name, t: `network.activation.${name}` })),
      onchange: (value) => change({ activation: value }),
    });
    const init = select(services, {
      label: 'network.init', value: 'auto', options: INITIALISERS.map((name) => ({ value: name, t: `network.init.${name}` })),
      onchange: (value) => change({ init: value }),
    });
    const norm = toggle(services, { label: 'network.batchNorm', value: false, onchange: (on) => change({ batch_norm: on }) });
    const dropout = slider(services, {
      label: 'network.dropout', low: 0, high: 0.8, step: 0.05, value: 0, onchange: (value) => change({ dropout: Number(value.toFixed(2)) }),
    });
    const layers = h('div', { class: 'layers' }, hidden.element, h('div', { class: 'pair' }, activation.element, init.element),
      norm.element, dropout.element);
    const element = section('network.model', kind.element, layers);
    return { element, kind, hidden, activation, init, norm, dropout, layers };
  }

  /** @param {(fields: Partial<Settings>) => void} change */
  descentPart(change) {
    const { services } = this;
    const optimizer = select(services, {
      label: 'network.optimizer', options: [], value: '',
      // Numbers of another optimizer mean nothing to this one.
      onchange: (value) => change({ optimizer: value, more: without(this.settings.more, 'hyperparameters') }),
    });
    const rate = wordOrNumber(services, {
      label: 'network.rateCurve', words: ['auto'], value: 'auto', low: 0, high: 1e6, trouble: 'network.rateTrouble',
      onchange: (value) => change({ learning_rate: value }),
    });
    const batch = wordOrNumber(services, {
      label: 'network.batch', words: ['auto', 'full'], value: 'auto', low: 1, high: 1e7, whole: true, trouble: 'network.wholeTrouble',
      onchange: (value) => change({ batch_size: value }),
    });
    const epochs = wordOrNumber(services, {
      label: 'network.epochs', words: ['auto'], value: 'auto', low: 1, high: 1e5, whole: true, trouble: 'network.wholeTrouble',
      onchange: (value) => change({ epochs: value === 'auto' ? null : value }),
    });
    const l2 = wordOrNumber(services, {
      label: 'network.l2', words: [], value: 0, low: 0, high: 1e6, trouble: 'network.numberTrouble',
      onchange: (value) => change({ l2: value }),
    });
    const seed = number(services, { label: 'network.seed', low: 0, high: 2 ** 31, step: 1, value: 0, onchange: (value) => change({ seed: Math.round(value) }) });
    const more = h('div', { class: 'more' });
    const element = section('network.descent', optimizer.element, rate.element, batch.element, epochs.element,
      h('div', { class: 'pair' }, l2.element, seed.element), more);
    seed.element.className = 'field';
    return { element, optimizer, rate, batch, epochs, l2, seed, more };
  }

  /** @param {Partial<Settings>} fields */
  change(fields) {
    Object.assign(this.settings, fields);
    this.arrange();
    this.told.changed();
  }

  /** @param {string} data */
  chooseTable(data) {
    Object.assign(this.settings, { data, target: null, features: null, more: {} });
    this.table = null;
    this.told.table();
  }

  /** @param {number} place @param {string} name */
  choosePair(place, name) {
    const [first, second] = this.settings.features ?? ['', ''];
    const other = place ? first : second;
    // The same one twice is no plane: the two change places.
    const swapped = name === other ? (place ? second : first) : other;
    this.change({ features: place ? [swapped, name] : [name, swapped] });
  }

  /** The settings as controls show them. @param {Settings} settings */
  show(settings) {
    this.settings = structuredClone(settings);
    const { model, descent } = this;
    model.kind.value = settings.model;
    model.hidden.value = settings.hidden;
    model.activation.value = settings.activation;
    model.init.offer(
      [...new Set([...INITIALISERS, settings.init])].map((name) =>
        INITIALISERS.includes(name) ? { value: name, t: `network.init.${name}` } : { value: name, text: name }), settings.init);
    model.norm.value = settings.batch_norm;
    model.dropout.value = settings.dropout;
    descent.rate.value = settings.learning_rate;
    descent.batch.value = settings.batch_size;
    descent.epochs.value = settings.epochs ?? 'auto';
    descent.l2.value = settings.l2;
    descent.seed.value = settings.seed;
    this.offerTables();
    this.offerColumns();
    this.arrange();
  }

  /** Show what the settings of now have to do with. */
  arrange() {
    const { settings, model, descent, services } = this;
    model.layers.hidden = settings.model === 'linear';
    const known = services.catalogue?.optimizers ?? [];
    descent.optimizer.offer(known.map(({ name, title }) => ({ value: name, text: title })), settings.optimizer);
    this.offerPair();
    descent.more.replaceChildren(...Object.entries(settings.more).map(([name, value]) => this.extra(name, value)));
    descent.more.hidden = !descent.more.childNodes.length;
  }

  /** Something that is set although no control shows it. @param {string} name @param {any} value */
  extra(name, value) {
    const words = name === 'hyperparameters' ? valueText(value) : changeText(this.services, { name, value });
    return h('span', { class: 'extra' }, h('span', { title: words }, words),
      h('button', {
        type: 'button', label: 'network.takeAway',
        onclick: () => this.change({ more: without(this.settings.more, name) }),
      }, '✕'));
  }

  offerTables() {
    const { tables, settings, data } = this;
    data.table.offer(tables.map(({ name, title, kind }) =>
      kind === 'made' ? { value: name, t: `network.made.${name}` } : { value: name, text: cut(title) }), settings.data ?? '');
  }

  /** @param {Table} table what is in the table of the settings */
  tell(table) {
    this.table = table;
    this.offerColumns();
    this.arrange();
  }

  get numeric() {
    return (this.table?.columns ?? []).filter(({ name, kind }) => kind === 'numbers' && name !== this.target).map(({ name }) => name);
  }

  /** What is predicted. */
  get target() {
    return this.settings.target ?? this.table?.target ?? null;
  }

  offerColumns() {
    const { table, data, services } = this;
    const columns = table?.columns ?? [];
    data.target.offer(columns.map(({ name }) => ({ value: name, text: cut(name) })), this.target ?? '');
    if (!table) data.note.textContent = '';
    else {
      const key = table.more ? 'network.tableMore' : 'network.tableAbout';
      const values = { rows: table.rows.toLocaleString('en'), columns: columns.length, more: table.more };
      say(data.note, key, values);
    }
    services.touched();
  }

  offerPair() {
    const { data, settings, numeric } = this;
    const given = this.table?.features;
    // A table of two features has nothing to choose.
    data.two.element.hidden = Boolean(given) || numeric.length < 2;
    data.pairs.hidden = !settings.features || Boolean(given);
    data.two.value = Boolean(settings.features);
    data.pair.forEach((one, i) => one.offer(numeric.map((name) => ({ value: name, text: cut(name) })), settings.features?.[i] ?? ''));
  }

  /** @returns {[string, string]} */
  firstTwo() {
    const [first, second] = this.numeric;
    return [first, second];
  }

  /** Two features that are not the target. @param {[string, string] | null} features @param {string} target @returns {[string, string] | null} */
  fitting(features, target) {
    if (!features?.includes(target)) return features;
    const free = (this.table?.columns ?? []).filter(({ name, kind }) => kind === 'numbers' && name !== target && !features.includes(name));
    return free.length ? /** @type {[string, string]} */ (features.map((name) => (name === target ? free[0].name : name))) : null;
  }
}

/** @param {Record<string, any>} fields @param {string} name */
function without(fields, name) {
  const { [name]: _, ...rest } = fields;
  return rest;
}
