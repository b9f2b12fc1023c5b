// @ts-check
/** The right column: one cell of the map, its seeds, its curves, the way to its run. */
import { button } from 'fallline/controls';
import { h, say } from 'fallline/dom';
import { SERIES } from 'fallline/palette';
import { Lines } from 'fallline/panels/lines';
import { brief, colourOf, four, measureName, numberName, titleOf, wide } from 'fallline/compare/words';

/** @typedef {import('fallline/services').Services} Services */

export class Side {
  /** @param {Services} services @param {{opened: () => void, measure: () => string}} told */
  constructor(services, told) {
    this.services = services;
    this.told = told;
    /** @type {any} */
    this.cell = null;
    this.hint = h('p', { class: 'note', t: 'compare.pick' });
    this.swatch = h('i', { class: 'swatch', 'aria-hidden': 'true' });
    this.name = h('b', {});
    this.setting = h('dl', { class: 'setting' });
    this.told_ = h('p', { class: 'note' });
    this.seeds = h('div', { class: 'wide' });
    this.chartBox = h('div', { class: 'chart' });
    this.chart = new Lines(this.chartBox, services);
    this.open = button(services, { t: 'compare.open', label: 'compare.openAbout', primary: true, onclick: told.opened });
    this.body = h('div', { class: 'cell', hidden: true },
      h('p', { class: 'cell-title' }, this.swatch, this.name), this.setting, this.told_, this.seeds,
      h('h3', { class: 'heading', t: 'compare.seedCurves' }), this.chartBox, this.open.element);
    this.element = h('div', { class: 'column right' }, h('div', { class: 'scroll', tabindex: '-1' },
      h('section', { class: 'part' }, h('h2', { t: 'compare.cell' }), this.hint, this.body)));
  }

  /** @param {any} cell */
  set(cell) {
    this.cell = cell;
    this.body.hidden = !cell;
    this.hint.hidden = Boolean(cell);
    if (cell) this.draw();
  }

  draw() {
    const { cell, services } = this;
    if (!cell) return;
    const measure = this.told.measure();
    this.swatch.style.setProperty('--run', colourOf(services, cell.optimizer));
    this.name.textContent = titleOf(services, cell.optimizer);
    const rows = Object.entries(cell.setting).map(([name, value]) =>
      h('div', {}, h('dt', {}, numberName(name)), h('dd', { class: 'number' },
        brief(value), cell.at_edge.includes(name) && h('span', { class: 'edge', label: 'compare.edgeAbout' }, ' ▲'))));
    this.setting.replaceChildren(...rows);
    const fine = typeof cell.median === 'number';
    if (fine) {
      say(this.told_, 'compare.middle', { median: four(cell.median), low: four(cell.low), high: four(cell.high) });
    } else say(this.told_, 'compare.allDiverged', { n: cell.diverged, all: cell.seeds.length });
    const score = cell.seeds.some((/** @type {any} */ one) => typeof one.validation_score === 'number');
    this.seeds.replaceChildren(h('table', { class: 'seeds' },
      h('thead', {}, h('tr', {}, h('th', { scope: 'col', t: 'compare.seed' }), h('th', { scope: 'col' }, measureName(measure)),
        score && h('th', { scope: 'col', t: 'compare.validationScore' }))),
      h('tbody', {}, ...cell.seeds.map((/** @type {any} */ one) =>
        h('tr', { class: one.seed === cell.seed ? 'this' : null }, h('th', { scope: 'row', class: 'number' }, one.seed),
          one.diverged ? h('td', { class: 'bad', t: 'compare.diverged' }) : h('td', { class: 'number' }, four(one.value)),
          score && h('td', { class: 'number' }, four(one.validation_score)))))));
    const colours = SERIES[services.theme()];
    // Room for a line of the legend for each seed, up to a dozen.
    this.chartBox.style.setProperty('--keys', String(Math.min(12, cell.curves.length)));
    this.chart.set({
      lines: cell.curves.map((/** @type {any} */ curve, /** @type {number} */ i) => ({
        name: services.t('compare.seedN', { n: curve.seed }), x: curve.x, y: curve.y,
        colour: colours[i % colours.length], dash: [],
      })),
      log: wide(cell.curves.flatMap((/** @type {any} */ curve) => curve.y)),
      xKey: 'compare.step', yKey: 'compare.trainingLoss',
    });
  }

  retheme() {
    this.draw();
    this.chart.retheme();
  }

  retranslate() {
    this.draw();
    this.chart.retranslate();
  }
}
