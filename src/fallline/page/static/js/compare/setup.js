// @ts-check
/** The left column: what is compared, over which settings, at which budget. */
import { button, number, section, segmented, select } from 'fallline/controls';
import { h, say } from 'fallline/dom';
import { asked, DEFAULTS, read, SECONDS, UNITS, unitsOf } from 'fallline/compare/state';
import { colourOf, titleOf } from 'fallline/compare/words';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/compare/state').Settings} Settings */
/**
 * @typedef {object} Told
 * @property {() => void} run
 * @property {() => void} stop
 * @property {(name: string) => void} data a table whose columns are wanted
 * @property {() => void} changed
 */

let made = 0;

export class Setup {
  /** @param {Services} services @param {Told} told */
  constructor(services, told) {
    this.services = services;
    this.told = told;
    this.settings = read({});
    /** @type {string[]} */
    this.columns = [];
    this.running = false;
    const change = (/** @type {Partial<Settings>} */ fields) => this.change(fields);
    this.data = select(services, {
      label: 'compare.data', value: '', options: [],
      onchange: (value) => {
        change({ data: value, target: null });
        told.data(value);
      },
    });
    this.target = select(services, {
      label: 'compare.target', value: '', options: [], onchange: (value) => change({ target: value }),
    });
    this.model = segmented(services, {
      label: 'compare.model', value: 'network',
      options: [{ value: 'linear', t: 'compare.linear' }, { value: 'network', t: 'compare.network' }],
      onchange: (value) => change({ model: value === 'linear' ? 'linear' : 'network' }),
    });
    this.hidden = this.text('compare.hidden', (value) => {
      const units = unitsOf(value);
      this.hidden.input.setAttribute('aria-invalid', String(!units));
      if (units) change({ hidden: units });
    });
    this.optimizers = h('div', { class: 'optimizers', role: 'group', label: 'compare.optimizers' });
    this.low = number(services, { label: 'compare.low', low: 1e-12, high: 1e6, value: 1e-3, onchange: (low) => change({ low }) });
    this.high = number(services, { label: 'compare.high', low: 1e-12, high: 1e6, value: 3, onchange: (high) => change({ high }) });
    this.count = number(services, { label: 'compare.count', low: 1, high: 60, step: 1, value: 13, onchange: (count) => change({ count: Math.round(count) }) });
    this.second = select(services, {
      label: 'compare.varied', value: 'momentum',
      options: Object.keys(SECONDS).map((name) => ({ value: name, t: `compare.second.${name}` })),
      onchange: (value) => change({ second: value, values: SECONDS[value] }),
    });
    this.values = this.text('compare.values', (values) => change({ values }));
    this.unit = select(services, {
      label: 'compare.budget', value: 'epochs', options: UNITS.map((name) => ({ value: name, t: `compare.unit.${name}` })),
      onchange: (value) => change({ unit: /** @type {any} */ (value) }),
    });
    this.budget = number(services, { label: 'compare.amount', low: 1, high: 1e6, step: 1, value: 50, onchange: (budget) => change({ budget: Math.round(budget) }) });
    this.seeds = number(services, { label: 'compare.seeds', low: 1, high: 50, step: 1, value: 3, onchange: (seeds) => change({ seeds: Math.round(seeds) }) });
    this.unit.element.classList.add('inline');
    this.total = h('p', { class: 'note total' });
    this.go = button(services, { t: 'compare.run', primary: true, class: 'run', onclick: () => (this.running ? told.stop() : told.run()) });
    this.element = h('div', { class: 'column left' },
      h('div', { class: 'scroll', tabindex: '-1' },
        section('compare.part.data', this.data.element, this.target.element),
        section('compare.part.model', this.model.element, this.hidden.element),
        section('compare.part.optimizers', this.optimizers),
        section('compare.part.rates', h('div', { class: 'three' }, this.low.element, this.high.element, this.count.element)),
        section('compare.part.second', this.second.element, this.values.element),
        section('compare.part.budget', this.unit.element, this.budget.element, this.seeds.element)),
      h('div', { class: 'foot' }, this.total, this.go.element));
    for (const one of [this.low, this.high, this.count]) one.element.classList.remove('inline');
  }

  /** @param {string} label @param {(value: string) => void} onchange */
  text(label, onchange) {
    const id = `compare-text-${(made += 1)}`;
    const input = h('input', { id, type: 'text', class: 'code', spellcheck: 'false', autocomplete: 'off' });
    input.addEventListener('change', () => {
      onchange(input.value.trim());
      this.services.touched();
    });
    return { element: h('div', { class: 'field' }, h('label', { for: id, t: label }), input), input };
  }

  /** @param {Partial<Settings>} fields */
  change(fields) {
    Object.assign(this.settings, fields);
    this.arrange();
    this.told.changed();
  }

  /** Offer what there is, now that the server has said so. */
  offer() {
    const { catalogue } = this.services;
    if (!catalogue) return;
    const tables = catalogue.tables;
    this.data.offer(tables.map(({ name, title }) => ({ value: name, text: title })));
    this.settings.data ||= catalogue.table ?? 'diabetes';
    const { data } = this.settings;
    if (!tables.some(({ name }) => name === data)) {
      // A link may name a table that this studio was not started with: asked for it, the server says so.
      this.data.offer([...tables.map(({ name, title }) => ({ value: name, text: title })), { value: data, text: data }]);
    }
    this.optimizers.replaceChildren(...catalogue.optimizers.map(({ name, title }) => {
      const box = h('input', { type: 'checkbox', value: name });
      const swatch = h('i', { 'aria-hidden': 'true' });
      swatch.style.setProperty('--run', colourOf(this.services, name));
      box.addEventListener('change', () => {
        const chosen = new Set(this.settings.optimizers);
        if (box.checked) chosen.add(name);
        else chosen.delete(name);
        this.change({ optimizers: catalogue.optimizers.map((one) => one.name).filter((one) => chosen.has(one)) });
        this.services.touched();
      });
      return h('label', { class: 'optimizer' }, box, swatch, h('span', {}, title));
    }));
    this.show(this.settings);
  }

  /** @param {Settings} settings */
  show(settings) {
    this.settings = structuredClone(settings);
    this.data.value = settings.data;
    this.model.value = settings.model;
    this.hidden.input.value = settings.hidden.join(', ');
    this.low.value = settings.low;
    this.high.value = settings.high;
    this.count.value = settings.count;
    this.second.value = settings.second;
    this.unit.value = settings.unit;
    this.budget.value = settings.budget;
    this.seeds.value = settings.seeds;
    this.arrange();
  }

  /** @param {string} data @param {string[]} columns @param {string | null} target */
  offerColumns(data, columns, target) {
    if (data !== this.settings.data) return;
    this.columns = columns;
    const chosen = this.settings.target ?? target ?? columns[columns.length - 1];
    this.target.offer(columns.map((name) => ({ value: name, text: name })), chosen);
    if (this.settings.target === null && target === null) this.settings.target = chosen;
  }

  arrange() {
    const { settings, services } = this;
    this.hidden.element.hidden = settings.model !== 'network';
    this.values.element.hidden = settings.second === 'none';
    this.values.input.value = settings.values;
    this.budget.element.hidden = settings.unit === 'auto';
    for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (this.optimizers.querySelectorAll('input'))) {
      box.checked = settings.optimizers.includes(box.value);
    }
    const runs = this.runs();
    say(this.total, runs === null ? 'compare.totalUnknown' : 'compare.total', {
      n: (runs ?? 0).toLocaleString('en'), optimizers: settings.optimizers.length,
    });
    this.go.disabled = !settings.optimizers.length || !services.catalogue;
  }

  /** How many runs that will be; null where the values are a range. */
  runs() {
    const { optimizers, count, seeds, second, values } = this.settings;
    if (second === 'none') return optimizers.length * count * seeds;
    if (values.includes(':')) return null;
    const tried = new Set(values.split(',').map((one) => one.trim()).filter(Boolean)).size;
    const facts = this.services.catalogue?.optimizers ?? [];
    const has = (/** @type {string} */ name) => {
      const own = facts.find((one) => one.name === name)?.settings ?? {};
      if (second === 'momentum') return 'momentum' in own || 'beta1' in own;
      return second === 'weight_decay' ? 'weight_decay' in own : true;
    };
    return optimizers.reduce((sum, name) => sum + count * seeds * (has(name) ? tried : 1), 0);
  }

  /** @param {boolean} on */
  setRunning(on) {
    this.running = on;
    this.go.text = on ? 'compare.stop' : 'compare.run';
    this.go.element.classList.toggle('running', on);
  }

  retheme() {
    for (const label of this.optimizers.querySelectorAll('label')) {
      const name = label.querySelector('input')?.value ?? '';
      label.querySelector('i')?.style.setProperty('--run', colourOf(this.services, name));
    }
  }

  get message() {
    return asked(this.settings);
  }
}

export { DEFAULTS, titleOf };
