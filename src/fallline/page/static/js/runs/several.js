// @ts-check
/** Several runs beside each other: losses overlaid, settings with what differs, results. */
import { button, toggle } from 'fallline/controls';
import { h, say } from 'fallline/dom';
import { SERIES } from 'fallline/palette';
import { panel } from 'fallline/panels/frame';
import { Losses } from 'fallline/panels/losses';
import { Box } from 'fallline/runs/boxes';
import { brief, duration, four, metricName, NONE, scored } from 'fallline/runs/words';

/** @typedef {import('fallline/services').Services} Services */
/**
 * @typedef {{names: string[], settings: {name: string, values: string[], differ: boolean}[],
 *   results: {name: string, values: any[]}[], metrics: any[]}} Beside
 */

export class Several {
  /**
   * @param {Services} services
   * @param {{opened: (name: string) => void, dropped: (name: string) => void}} told
   */
  constructor(services, told) {
    this.services = services;
    this.told = told;
    /** @type {Beside | null} */
    this.beside = null;
    /** @type {Map<string, any>} */
    this.cards = new Map();
    this.title = h('h2', { class: 'run-title' });
    this.losses = new Box(services, 'runs.box.losses', 'tall', (e) => new Losses(e, services));
    const results = panel(services, 'runs.box.results', 'free');
    const settings = panel(services, 'runs.box.settings', 'free');
    this.results = results.body;
    this.settings = settings.body;
    this.all = toggle(services, { label: 'runs.allSettings', value: false, onchange: () => this.draw() });
    settings.tools.append(this.all.element);
    this.element = h('div', { class: 'several' },
      h('header', { class: 'run-head' }, h('div', { class: 'run-words' }, this.title,
        h('p', { class: 'lead', t: 'runs.besideAbout' }))),
      h('div', { class: 'grid' }, this.losses.element, results.element, settings.element));
  }

  /** The colour of each run, by its place. @param {number} index */
  colour(index) {
    const colours = SERIES[this.services.theme()];
    return colours[index % colours.length];
  }

  /** @param {Beside} beside */
  set(beside) {
    this.beside = beside;
    this.draw();
  }

  /** @param {string} name @param {any} card */
  push(name, card) {
    this.cards.set(name, card);
    this.drawLosses();
  }

  draw() {
    const { beside } = this;
    if (!beside) return;
    const count = beside.names.length;
    say(this.title, 'runs.beside', { n: count });
    for (const name of [...this.cards.keys()]) if (!beside.names.includes(name)) this.cards.delete(name);
    const best = this.best();
    const results = [];
    for (const { name, values } of beside.results) {
      results.push(h('tr', {}, h('th', { scope: 'row' }, this.resultName(name)),
        ...values.map((value, i) => h('td', { class: name === 'value' && i === best ? 'best number' : 'number' },
          this.result(name, value, beside.metrics[i])))));
    }
    this.results.replaceChildren(h('div', { class: 'wide' }, h('table', { class: 'beside' }, this.head(), h('tbody', {}, ...results))));
    const rows = beside.settings.filter((row) => row.differ || this.all.value);
    this.settings.replaceChildren(rows.length
      ? h('div', { class: 'wide' }, h('table', { class: 'beside' }, this.head(), h('tbody', {}, ...rows.map((row) =>
        h('tr', { class: row.differ ? 'differs' : null },
          h('th', { scope: 'row' }, h('code', {}, row.name)),
          ...row.values.map((value) => h('td', { class: 'number' }, value || NONE)))))))
      : h('p', { class: 'note', t: 'runs.same' }));
    this.drawLosses();
  }

  /** The names of the runs, each with the colour of its line. */
  head() {
    const names = this.beside?.names ?? [];
    return h('thead', {}, h('tr', {}, h('td', {}), ...names.map((name, i) => {
      const open = h('button', { type: 'button', class: 'link', title: name }, name);
      open.addEventListener('click', () => this.told.opened(name));
      const swatch = h('i', { class: 'swatch', 'aria-hidden': 'true' });
      swatch.style.setProperty('--run', this.colour(i));
      const drop = button(this.services, { icon: '✕', label: 'runs.drop', class: 'drop', onclick: () => this.told.dropped(name) });
      return h('th', { scope: 'col' }, h('span', { class: 'column-head' }, swatch, open, drop.element));
    })));
  }

  /** The place of the best value, -1 if they are not of one measure and one table. */
  best() {
    const { beside } = this;
    const row = beside?.results.find(({ name }) => name === 'value');
    if (!beside || !row || new Set(beside.metrics.filter(Boolean)).size !== 1) return -1;
    // Scores of other rows or another target do not compare.
    const apart = ['data', 'target', 'test', 'drop'];
    if (beside.settings.some(({ name, differ }) => differ && apart.includes(name))) return -1;
    const values = row.values.map((value) => (typeof value === 'number' ? value : -Infinity));
    const most = Math.max(...values);
    return Number.isFinite(most) && values.filter((value) => value === most).length === 1 ? values.indexOf(most) : -1;
  }

  /** @param {string} name */
  resultName(name) {
    const metrics = [...new Set((this.beside?.metrics ?? []).filter(Boolean))];
    if (name === 'value' && metrics.length === 1) return metricName(metrics[0]);
    return this.services.t(`runs.result.${name}`);
  }

  /** @param {string} name @param {any} value @param {any} metric of its run */
  result(name, value, metric) {
    if (value === null || value === undefined) return NONE;
    if (name === 'value' || name === 'baseline') return scored(value, metric);
    if (name.endsWith('seconds')) return duration(value);
    if (name === 'learning_rate') return brief(value);
    return typeof value === 'number' ? four(value) : this.services.t(`runs.stop.${value}`).replace(/^runs\.stop\./, '');
  }

  drawLosses() {
    const names = this.beside?.names ?? [];
    const runs = names.map((name, i) => ({ name, colour: this.colour(i), card: this.cards.get(name) }))
      .filter(({ card }) => card?.curves?.step?.length)
      .map(({ name, colour, card }) => ({ name, colour, curves: card.curves, epochs: card.epochs }));
    this.losses.set(runs.length ? { runs } : null);
  }

  retheme() {
    this.draw();
    this.losses.retheme();
  }

  retranslate() {
    this.draw();
    this.losses.retranslate();
  }
}
