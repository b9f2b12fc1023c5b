// @ts-check
/** The middle: what may honestly be said, the heat map with its curves, the race over several seeds. */
import { button, segmented } from 'fallline/controls';
import { h, say } from 'fallline/dom';
import { Bundle } from 'fallline/maps/bundle';
import { Strips } from 'fallline/maps/strips';
import { panel } from 'fallline/panels/frame';
import { Lines } from 'fallline/panels/lines';
import { PickedMap } from 'fallline/compare/picked';
import {
  brief, colourOf, duration, four, measureName, NONE, numberName, settingWords, titleOf, verdictWords, wide,
} from 'fallline/compare/words';

/** @typedef {import('fallline/services').Services} Services */
/**
 * @typedef {object} Told
 * @property {(optimizer: string) => void} map the map of an optimizer is wanted
 * @property {(i: number, j: number) => void} picked a cell
 */

/** Do all seeds of each optimizer end at the same? A linear model from zeros, with whole batches, leaves nothing to chance. @param {any} result */
const alike = ({ seeds, entries }) => seeds.length > 1 && entries.every((/** @type {any} */ { median, values }) =>
  typeof median === 'number' && values.every((/** @type {any} */ v) => typeof v === 'number' && Math.abs(v - median) <= 1e-4 * Math.abs(median)));

export class Results {
  /** @param {Services} services @param {Told} told */
  constructor(services, told) {
    this.services = services;
    this.told = told;
    /** @type {any} */
    this.result = null;
    /** @type {any} */
    this.map = null;
    this.optimizer = '';
    this.best = h('h2', { class: 'verdict-line' });
    this.about = h('p', { class: 'lead' });
    this.notes = h('p', { class: 'lead notes' });
    this.heatBox = panel(services, 'compare.box.heat', 'w7 map');
    this.bundleBox = panel(services, 'compare.box.bundle', 'w5 map');
    this.stripsBox = panel(services, 'compare.box.seeds', 'w5 race');
    this.raceBox = panel(services, 'compare.box.race', 'w7 race');
    this.tableBox = panel(services, 'compare.box.best', 'w12 free');
    this.tabs = h('div', { class: 'tabs-of' });
    this.heatBox.tools.append(this.tabs);
    this.heat = new PickedMap(this.heatBox.body, services, { onpick: (i, j) => told.picked(i, j) });
    this.bundle = new Bundle(this.bundleBox.body, services, { onpick: (index) => this.pickCurve(index) });
    this.strips = new Strips(this.stripsBox.body, services);
    this.race = new Lines(this.raceBox.body, services);
    this.grid = h('div', { class: 'grid' }, this.heatBox.element, this.bundleBox.element,
      this.stripsBox.element, this.raceBox.element, this.tableBox.element);
    this.element = h('div', { class: 'results', hidden: true },
      h('header', { class: 'head' }, this.best, this.about, this.notes), this.grid);
  }

  /** @param {any} result */
  set(result) {
    this.result = result;
    this.map = null;
    this.element.hidden = !result;
    if (!result) return;
    const names = result.entries.map((/** @type {any} */ entry) => entry.optimizer);
    const tabs = segmented(this.services, {
      label: 'compare.tabs', value: names[0],
      options: names.map((/** @type {string} */ name) => ({ value: name, text: titleOf(this.services, name) })),
      onchange: (name) => this.told.map(name),
    });
    this.choice = tabs;
    this.tabs.replaceChildren(tabs.element);
    this.heat.set(null);
    this.bundle.set(null);
    this.draw();
  }

  /** @param {string} optimizer @param {any} map */
  setMap(optimizer, map) {
    this.optimizer = optimizer;
    this.map = map;
    if (this.choice) this.choice.value = optimizer;
    this.drawMap();
  }

  draw() {
    const { result, services } = this;
    if (!result) return;
    this.best.textContent = verdictWords(services, result.verdict) || result.sentence;
    const n = (/** @type {number} */ value) => value.toLocaleString('en');
    say(this.about, result.stopped ? 'compare.aboutStopped' : 'compare.about', {
      data: result.data.split(/[\\/]/).pop(), runs: n(result.runs), settings: n(result.settings), seeds: result.seeds.length,
      budget: services.t(result.epochs === null ? 'compare.steps' : 'compare.epochs', { n: n(result.epochs ?? result.steps) }),
      time: duration(result.seconds), training: n(result.rows.training), validation: n(result.rows.validation),
    });
    this.notes.textContent = [alike(result) && services.t('compare.alike'), ...(result.notes ?? [])].filter(Boolean).join(' ');
    this.notes.hidden = !this.notes.textContent;
    this.drawStrips();
    this.drawTable();
    this.drawMap();
  }

  drawMap() {
    const { map, services } = this;
    if (!map) return;
    const { heat, second } = map;
    const names = [numberName('learning_rate'), numberName(second), measureName(heat.names[2])];
    this.heat.set({ ...heat, names, y: second === 'seed' ? heat.y.map(String) : heat.y, log: true });
    this.bundle.set({
      curves: map.curves.map((/** @type {any} */ curve) => ({
        ...curve,
        name: curve.other === null ? `${names[0]} ${brief(curve.value)}`
          : `${names[0]} ${brief(curve.value)}${services.t('compare.comma')}${names[1]} ${brief(curve.other)}`,
      })),
      valueName: names[0], log: true,
    });
    say(this.heatBox.note, second === 'seed' ? 'compare.mapSeeds' : 'compare.mapMedian', { n: this.result.seeds.length });
  }

  /** @param {number} index of a curve */
  pickCurve(index) {
    const cell = this.map?.curves[index]?.cell;
    if (cell) this.told.picked(cell[0], cell[1] ?? 0);
  }

  drawStrips() {
    const { result, services } = this;
    const entries = result.entries.map((/** @type {any} */ entry, /** @type {number} */ place) => ({
      ...entry, name: titleOf(services, entry.optimizer), colour: colourOf(services, entry.optimizer, place),
    }));
    this.strips.set({
      rows: entries.map((/** @type {any} */ entry) => ({
        name: entry.name, colour: entry.colour, values: entry.values, median: entry.median, low: entry.low,
        high: entry.high, note: typeof entry.median === 'number' ? settingWords(entry.setting) : services.t('compare.diverged'),
      })),
      measure: measureName(result.measure), log: false,
    });
    const { unit, lines } = result.race;
    this.race.set({
      lines: lines.map((/** @type {any} */ line, /** @type {number} */ place) => ({
        name: entries[place].name, colour: entries[place].colour, x: line.x, y: line.median, dash: [],
        band: { low: line.low, high: line.high },
      })),
      log: wide(lines.flatMap((/** @type {any} */ line) => line.median)),
      xKey: unit === 'epoch' ? 'compare.epoch' : 'compare.step',
      yKey: unit === 'epoch' ? 'compare.validationLoss' : 'compare.trainingLoss',
    });
  }

  /** The best of each optimizer, a line each. */
  drawTable() {
    const { result, services } = this;
    const names = [...new Set(result.entries.flatMap((/** @type {any} */ entry) => Object.keys(entry.setting)))];
    const scored = result.entries.some((/** @type {any} */ entry) => entry.score !== null);
    const metric = result.metric === 'r2' ? 'compare.testR2' : 'compare.testAccuracy';
    const head = h('tr', {}, h('th', { scope: 'col', t: 'compare.optimizer' }),
      ...names.map((name) => h('th', { scope: 'col' }, numberName(String(name)))),
      h('th', { scope: 'col' }, measureName(result.measure)), h('th', { scope: 'col', t: 'compare.middleHalf' }),
      scored && h('th', { scope: 'col', t: metric }), h('th', { scope: 'col', t: 'compare.divergesFrom' }), h('td', {}));
    const rows = result.entries.map((/** @type {any} */ entry, /** @type {number} */ place) => {
      const fine = typeof entry.median === 'number';
      const swatch = h('i', { class: 'swatch', 'aria-hidden': 'true' });
      swatch.style.setProperty('--run', colourOf(services, entry.optimizer, place));
      const show = button(services, { t: 'compare.show', class: 'small', onclick: () => this.told.map(entry.optimizer) });
      return h('tr', { class: entry.optimizer === result.winner ? 'winner' : null },
        h('th', { scope: 'row' }, h('span', { class: 'who' }, swatch, titleOf(services, entry.optimizer))),
        ...names.map((name) => {
          const value = entry.setting[String(name)];
          const edge = entry.at_edge.includes(name);
          return h('td', { class: 'number' }, value === undefined || !fine ? NONE : brief(value),
            edge && h('span', { class: 'edge', label: 'compare.edgeAbout' }, ' ▲'));
        }),
        fine ? h('td', { class: 'number strong' }, four(entry.median)) : h('td', { class: 'bad', t: 'compare.diverged' }),
        h('td', { class: 'number quiet' }, fine ? `${four(entry.low)} – ${four(entry.high)}` : NONE),
        scored && h('td', { class: 'number' }, entry.score === null ? NONE : entry.score.toFixed(4).replace('-', '−')),
        h('td', { class: 'number quiet' }, entry.diverged_from === null ? NONE : brief(entry.diverged_from)),
        h('td', {}, show.element));
    });
    this.tableBox.body.replaceChildren(h('div', { class: 'wide' },
      h('table', { class: 'best' }, h('thead', {}, head), h('tbody', {}, ...rows))));
  }

  panels() {
    return [this.heat, this.bundle, this.strips, this.race];
  }

  retheme() {
    this.draw();
    for (const one of this.panels()) one.retheme();
  }

  retranslate() {
    this.draw();
    for (const one of this.panels()) one.retranslate();
  }
}
