// @ts-check
/** The left column: the runs of the folder, filtered, sorted, chosen. */
import { button, select } from 'fallline/controls';
import { h, name_, say } from 'fallline/dom';
import { ago, begun, modelName, scored, standing, trainedOn } from 'fallline/runs/words';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/runs/words').Row} Row */
/**
 * @typedef {object} Told
 * @property {(name: string) => void} opened a run alone
 * @property {(name: string) => void} toggled a run to or from those that are compared
 * @property {() => void} cleared
 * @property {() => void} sorted
 */

/** Lines drawn at once; of more, a button shows the next. */
const PAGE = 100;

/** @type {Record<string, (a: Row, b: Row) => number>} */
const ORDERS = {
  newest: (a, b) => begun(b) - begun(a) || a.name.localeCompare(b.name),
  oldest: (a, b) => begun(a) - begun(b) || a.name.localeCompare(b.name),
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  score: (a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity) || begun(b) - begun(a),
  state: (a, b) => STATES.indexOf(standing(a)) - STATES.indexOf(standing(b)) || begun(b) - begun(a),
};

const STATES = ['running', 'silent', 'interrupted', 'diverged', 'finished', 'damaged'];
export const SORTS = Object.keys(ORDERS);

export class List {
  /** @param {Services} services @param {Told} told */
  constructor(services, told) {
    this.services = services;
    this.told = told;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** @type {string[]} */
    this.chosen = [];
    this.limit = PAGE;
    this.filter = h('input', {
      type: 'text', label: 'runs.filter', placeholder: services.t('runs.filter'), spellcheck: 'false',
      autocomplete: 'off', class: 'filter',
    });
    this.filter.addEventListener('input', () => {
      this.limit = PAGE;
      this.draw();
      services.touched();
    });
    this.filter.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        this.filter.value = '';
        this.draw();
      } else if (event.key === 'Enter' || event.key === 'ArrowDown') {
        event.preventDefault();
        this.items.querySelector('button')?.focus();
      }
    });
    this.order = select(services, {
      label: 'runs.sort',
      value: 'newest',
      options: SORTS.map((name) => ({ value: name, t: `runs.sort.${name}` })),
      onchange: () => {
        this.draw();
        told.sorted();
      },
    });
    this.order.element.classList.add('inline');
    this.count = h('p', { class: 'note count' });
    this.items = h('ul', { class: 'items' });
    this.more = button(services, { t: 'runs.more', class: 'more', onclick: () => {
      this.limit += 2 * PAGE;
      this.draw();
    } });
    this.clear = button(services, { t: 'runs.clear', class: 'small', onclick: told.cleared });
    this.selected = h('span', {});
    this.foot = h('div', { class: 'foot', hidden: true }, this.selected, this.clear.element);
    this.element = h('div', { class: 'column left' },
      h('div', { class: 'list-head' }, this.filter, this.order.element),
      h('div', { class: 'scroll', tabindex: '-1' }, this.count, this.items, this.more.element),
      this.foot);
  }

  /** @param {Row[]} rows all there are */
  set(rows) {
    this.rows = new Map(rows.map((row) => [row.name, row]));
    this.draw();
  }

  /** @param {Row[]} changed @param {string[]} gone */
  update(changed, gone) {
    for (const row of changed) this.rows.set(row.name, row);
    for (const name of gone) this.rows.delete(name);
    this.draw();
  }

  /** @param {string[]} names */
  choose(names) {
    this.chosen = names;
    this.mark();
  }

  /** The rows that pass the filter, in order. @returns {Row[]} */
  get shown() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...this.rows.values()].filter((row) => {
      const text = [row.name, row.data, row.target, row.model, row.optimizer, row.status,
        this.services.t(`runs.state.${standing(row)}`)].join(' ').toLowerCase();
      return words.every((word) => text.includes(word));
    });
    return rows.sort(ORDERS[this.order.value] ?? ORDERS.newest);
  }

  /** The run before or after the one that is open. @param {number} by @returns {string | null} */
  beside(by) {
    const names = this.shown.slice(0, this.limit).map((row) => row.name);
    const at = names.indexOf(this.chosen[this.chosen.length - 1]);
    const next = at < 0 ? 0 : at + by;
    return names[next] ?? null;
  }

  /** Bring a run to where it is seen; the keyboard stays with the list if it is there. @param {string} name */
  reveal(name) {
    const item = [...this.items.children].find((one) => /** @type {HTMLElement} */ (one).dataset.name === name);
    item?.scrollIntoView({ block: 'nearest' });
    if (this.items.contains(document.activeElement)) item?.querySelector('button')?.focus({ preventScroll: true });
  }

  draw() {
    const { services } = this;
    const rows = this.shown;
    const total = this.rows.size;
    this.filter.placeholder = services.t('runs.filter');
    if (total) say(this.count, rows.length === total ? 'runs.count' : 'runs.found', { n: rows.length.toLocaleString('en'), total: total.toLocaleString('en') });
    this.count.hidden = !total;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    const kept = focused && this.items.contains(focused)
      ? { name: focused.closest('li')?.dataset.name, tag: focused.tagName } : null;
    this.items.replaceChildren(...rows.slice(0, this.limit).map((row) => this.item(row)));
    this.more.element.hidden = rows.length <= this.limit;
    this.mark();
    if (kept) {
      const item = [...this.items.children].find((one) => /** @type {HTMLElement} */ (one).dataset.name === kept.name);
      /** @type {HTMLElement | null} */ (item?.querySelector(kept.tag) ?? null)?.focus({ preventScroll: true });
    }
  }

  /** @param {Row} row */
  item(row) {
    const { services, told } = this;
    const values = { name: row.name };
    const state = standing(row);
    // There is nothing of a damaged run that could stand beside another.
    const box = h('input', { type: 'checkbox', label: 'runs.choose', values, disabled: state === 'damaged' });
    box.addEventListener('change', () => told.toggled(row.name));
    const facts = state === 'damaged'
      ? [h('span', { class: 'bad', t: 'runs.state.damaged' })]
      : [state !== 'finished' && h('span', { class: `word ${state}`, t: `runs.state.${state}` }),
        h('span', { class: 'model' }, modelName(row)), h('span', { class: 'data' }, trainedOn(row))];
    const open = h('button', { type: 'button', class: 'run', title: row.trouble ? `${row.name}: ${row.trouble}` : row.name },
      h('span', { class: 'line' },
        h('i', { class: `dot ${state}`, 'aria-hidden': 'true' }),
        h('b', {}, row.name),
        h('span', { class: 'number' }, row.value === null ? '' : scored(row.value, row.metric))),
      h('span', { class: 'line about-run' }, ...facts, h('span', { class: 'when' }, ago(begun(row)))));
    open.addEventListener('click', (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) told.toggled(row.name);
      else told.opened(row.name);
    });
    return h('li', { 'data-name': row.name }, box, open);
  }

  /** Show which are chosen. */
  mark() {
    const several = this.chosen.length > 1;
    for (const item of /** @type {NodeListOf<HTMLElement>} */ (this.items.querySelectorAll('li'))) {
      const on = this.chosen.includes(item.dataset.name ?? '');
      item.classList.toggle('chosen', on);
      const box = item.querySelector('input');
      if (box) box.checked = on;
      item.querySelector('button')?.setAttribute('aria-current', String(on));
    }
    this.foot.hidden = !several;
    say(this.selected, 'runs.selected', { n: this.chosen.length });
  }

  retranslate() {
    name_(this.filter, 'runs.filter');
    this.draw();
  }
}
