// @ts-check
/** The right panel: the map, and under it the curves, the basins and the ball. */
import { section, segmented, slider } from 'fallline/controls';
import { Curves } from 'fallline/curves';
import { h } from 'fallline/dom';
import { BasinTable } from 'fallline/terrain/basins';
import { count, loss, setting } from 'fallline/terrain/format';
import { Inspector } from 'fallline/terrain/inspector';
import { Picture } from 'fallline/terrain/picture';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/terrain/pointer').Hands} Hands */
/** @typedef {import('fallline/terrain/race').Race} Race */
/** @typedef {import('fallline/terrain/marks').Face} Face */
/** @typedef {'curves'|'basins'|'ball'} Tab */

const TABS = /** @type {const} */ (['curves', 'basins', 'ball']);

/** Strokes and gaps, so that a curve is known without its colour; as in the figures of fallline.show. */
const DASHES = /** @type {Record<string, number[]>} */ ({
  sgd: [],
  momentum: [10, 3],
  nesterov: [6, 2],
  adagrad: [2, 2],
  rmsprop: [10, 3, 2, 3],
  adadelta: [5, 2, 2, 2],
  adam: [4, 2],
  amsgrad: [8, 2, 2, 2, 2, 2],
  adamw: [14, 3],
  nadam: [2, 4],
  lion: [7, 5],
});

export class Side {
  /**
   * @param {Services} services
   * @param {Hands} hands
   * @param {{onpoint: (racer: number) => void, ontab: (tab: Tab) => void, oncolouring: (by: string) => void,
   *   onnext: (by: number) => void, onrelease: () => void, ongraph: () => void, onstart: () => void}} actions
   */
  constructor(services, hands, actions) {
    this.services = services;
    this.actions = actions;
    this.picture = new Picture(services, 'map', hands);
    this.chart = h('div', { class: 'chart', role: 'img', label: 'terrain.curves_label' });
    this.chart.removeAttribute('title');
    this.readout = h('p', { class: 'readout', 'aria-hidden': 'true' });
    this.curves = new Curves(this.chart, services, {
      bands: true,
      onfocus: (racer) => actions.onpoint(racer),
      onhover: (row) => this.read(row),
    });
    this.smoothing = slider(services, {
      label: 'terrain.smoothing',
      low: 0,
      high: 0.99,
      step: 0.01,
      value: 0,
      format: (value) => value.toFixed(2),
      oninput: (value) => {
        this.curves.smoothing = value;
      },
    });
    this.scale = segmented(services, {
      label: 'terrain.scale',
      options: [
        { value: 'linear', t: 'terrain.linear' },
        { value: 'log', t: 'terrain.logarithmic' },
      ],
      value: 'linear',
      onchange: (value) => {
        this.curves.logarithmic = value === 'log';
        this.read(-1);
      },
    });
    this.ghost = h('button', { type: 'button', class: 'link ghost', t: 'terrain.forget_ghost' });
    this.ghost.addEventListener('click', () => {
      this.curves.forgetPast();
      this.ghost.hidden = true;
    });
    this.ghost.hidden = true;
    this.colouring = segmented(services, {
      label: 'terrain.colour_by',
      options: [
        { value: 'racer', t: 'terrain.by_optimizer' },
        { value: 'basin', t: 'terrain.by_basin' },
      ],
      value: 'racer',
      onchange: (value) => actions.oncolouring(value),
    });
    this.basins = new BasinTable(services);
    this.inspector = new Inspector(services, actions);
    /** @type {Record<Tab, HTMLElement>} */
    this.panels = {
      curves: h(
        'div',
        { class: 'pane curves' },
        h('div', { class: 'pane-head' }, this.readout, this.ghost, this.scale.element),
        this.chart,
        this.smoothing.element,
      ),
      basins: h(
        'div',
        { class: 'pane' },
        h('p', { class: 'note', t: 'terrain.colour_by' }),
        this.colouring.element,
        this.basins.element,
      ),
      ball: h('div', { class: 'pane' }, this.inspector.element),
    };
    this.tabs = h('div', { class: 'side-tabs', role: 'tablist', label: 'terrain.side_tabs' });
    this.tabs.removeAttribute('title');
    /** @type {Record<Tab, HTMLButtonElement>} */
    this.buttons = /** @type {any} */ ({});
    for (const tab of TABS) {
      const button = h('button', {
        type: 'button',
        role: 'tab',
        t: `terrain.tab_${tab}`,
        'aria-controls': `terrain-pane-${tab}`,
      });
      button.id = `terrain-tab-${tab}`;
      button.addEventListener('click', () => this.choose(tab));
      this.buttons[tab] = button;
      this.tabs.append(button);
      const panel = this.panels[tab];
      panel.id = `terrain-pane-${tab}`;
      panel.setAttribute('role', 'tabpanel');
      panel.setAttribute('aria-labelledby', button.id);
    }
    this.tabs.addEventListener('keydown', (event) => this.arrowed(event));
    /** @type {Tab} */
    this.tab = 'curves';
    /** @type {Face[]} */
    this.faces = [];
    this.element = h(
      'aside',
      { class: 'column right' },
      h(
        'div',
        { class: 'side' },
        section('terrain.map', h('div', { class: 'map' }, this.picture.element)),
        h('div', { class: 'tabbed' }, this.tabs, ...Object.values(this.panels)),
      ),
    );
    this.element.setAttribute('data-label', 'terrain.side');
    this.element.setAttribute('aria-label', services.t('terrain.side'));
    this.choose('curves', false);
  }

  /** @param {Tab} tab @param {boolean} [told] */
  choose(tab, told = true) {
    this.tab = tab;
    for (const name of TABS) {
      const chosen = name === tab;
      this.buttons[name].setAttribute('aria-selected', String(chosen));
      this.buttons[name].tabIndex = chosen ? 0 : -1;
      this.panels[name].hidden = !chosen;
    }
    this.curves.redraw();
    if (told) {
      this.actions.ontab(tab);
    }
  }

  /** @param {KeyboardEvent} event */
  arrowed(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) {
      event.preventDefault();
      event.stopPropagation();
      const next = TABS[(TABS.indexOf(this.tab) + by + TABS.length) % TABS.length];
      this.buttons[next].focus();
      this.choose(next);
    }
  }

  /**
   * @param {Race} race
   * @param {Face[]} faces
   * @param {boolean[]} visible
   */
  setRacers(race, faces, visible) {
    this.faces = faces;
    const series = faces.map((face, index) => ({
      name: face.name,
      colour: face.line,
      dash: DASHES[race.racers[index]?.optimizer] ?? [],
    }));
    this.curves.setSeries(series);
    this.curves.setVisible(visible);
    this.basins.setRacers(faces);
    this.read(-1);
  }

  /** The numbers at a step of the curves. @param {number} row -1 for none */
  read(row) {
    if (row < 0 || !this.curves.rows) {
      const { logarithmic, base } = this.curves;
      this.readout.textContent =
        logarithmic && base < 0
          ? this.services.t('terrain.curves_above', { n: setting(base) })
          : this.services.t('terrain.curves_about');
      return;
    }
    const chosen = this.curves.selected;
    const step = count(this.curves.columns.steps[row]);
    this.readout.textContent =
      chosen >= 0
        ? `${step}: ${this.faces[chosen]?.name} ${loss(this.curves.value(row, chosen))}`
        : this.services.t('terrain.at_step', { n: step });
  }
}
