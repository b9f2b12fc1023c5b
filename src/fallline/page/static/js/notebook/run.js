// @ts-check
/** A run in a notebook: what it was on the left, its panels in tabs on the right. */
import { h, say } from 'fallline/dom';
import { Surface } from 'fallline/maps/surface';
import { settle } from 'fallline/notebook/room';
import { FIGURES } from 'fallline/report/figures';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/report/figures').Panel} Panel */

/** Below this many pixels what the run was becomes a tab, too. */
const NARROW = 720;

/**
 * Tabs, the figures in each, and when there is something to show.
 * @type {[string, string[], (card: any) => boolean][]}
 */
const TABS = [
  ['summary', ['summary'], () => true],
  ['losses', ['losses'], (card) => card.curves.step.length > 0],
  ['steps', ['rate', 'norms'], (card) => card.curves.step.length > 0],
  ['layers', ['flow', 'activations'], (card) => card.instruments?.layers.length > 0],
  ['confusion', ['confusion'], (card) => Boolean(card.instruments?.confusion)],
  ['residuals', ['residuals'], (card) => Boolean(card.instruments?.residuals)],
  ['boundary', ['boundary'], (card) => Boolean(card.instruments?.boundary)],
  ['surface', ['surface'], (card) => card.surfaces.length > 0],
  ['range', ['range'], (card) => Boolean(card.range_test)],
  ['findings', ['findings'], (card) => Boolean(card.diagnosis)],
  ['reproduce', ['reproduce'], (card) => Boolean(card.reproduce?.command || card.reproduce?.python)],
];

/** A report has room for all slices of the loss surface, a notebook has tabs for them. @type {import('fallline/report/figures').Figure} */
const SURFACES = { kind: Surface, data: (card) => card.surfaces };
/** And says here alone how the run ended. @type {import('fallline/report/figures').Figure} */
const SUMMARY = { ...FIGURES.summary, options: undefined };
/** @type {Record<string, import('fallline/report/figures').Figure>} */
const OWN = { surface: SURFACES, summary: SUMMARY };

/** @param {import('fallline/notebook/room').Model} model @param {HTMLElement} el */
export function mount(model, el) {
  return settle(model, el, 'run', (root, services) => new Shown(root, services, model.get('data').card));
}

class Shown {
  /**
   * @param {HTMLElement} root
   * @param {Services} services
   * @param {any} card
   */
  constructor(root, services, card) {
    this.root = root;
    this.services = services;
    this.card = card;
    /** Made when they are first looked at. @type {Record<string, Panel>} */
    this.panels = {};
    this.tabs = TABS.filter(([, , there]) => there(card)).map(([name, figures]) => ({ name, figures }));
    /** @type {Record<string, {tab: HTMLElement, page: HTMLElement}>} */
    this.parts = {};
    this.list = h('div', { class: 'segmented', role: 'tablist', label: 'notebook.tabs' });
    this.list.removeAttribute('title');
    this.pages = h('div', { class: 'pages' });
    for (const { name, figures } of this.tabs) {
      const page = h('div', { class: `page page-${name}`, role: 'tabpanel', id: `page-${name}`,
        'aria-labelledby': `tab-${name}`, tabindex: 0 }, ...figures.map((figure) => h('div', { class: `figure figure-${figure}` })));
      const tab = h('button', { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': page.id,
        onclick: () => this.choose(name) });
      say(tab, `notebook.tab.${name}`);
      this.parts[name] = { tab, page };
      this.list.append(tab);
      this.pages.append(page);
    }
    this.list.addEventListener('keydown', (event) => this.arrowed(event));
    const headline = card.diagnosis?.headline;
    this.element = h('div', { class: 'layout' },
      h('header', {},
        h('h2', {}, card.title),
        headline ? h('p', { class: card.diagnosis.healthy ? 'headline healthy' : 'headline' }, headline) : null,
        this.list),
      this.pages,
      ...(card.remarks.length ? [h('footer', {}, ...card.remarks.map((/** @type {string} */ text) => h('p', { class: 'note' }, text)))] : []));
    root.append(this.element);
    this.chosen = '';
    this.wide = false;
    this.measure();
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(root);
  }

  /** Is there room for what the run was beside the rest? */
  measure() {
    const wide = this.root.clientWidth >= NARROW && this.tabs.length > 1;
    if (this.chosen && wide === this.wide) {
      return;
    }
    this.wide = wide;
    this.element.classList.toggle('wide', wide);
    this.parts.summary.tab.hidden = wide;
    const first = wide ? this.tabs[1].name : 'summary';
    this.choose(this.chosen && !(wide && this.chosen === 'summary') ? this.chosen : first);
  }

  /** @param {string} name */
  choose(name) {
    this.chosen = name;
    for (const [other, { tab, page }] of Object.entries(this.parts)) {
      const on = other === name;
      tab.setAttribute('aria-selected', String(on));
      tab.setAttribute('aria-checked', String(on));
      tab.tabIndex = on ? 0 : -1;
      page.hidden = !on && !(this.wide && other === 'summary');
    }
    for (const { name: one, figures } of this.tabs) {
      if (!this.parts[one].page.hidden) {
        figures.forEach((figure, index) => this.draw(figure, this.parts[one].page.children[index]));
      }
    }
  }

  /** @param {string} name @param {Element} box */
  draw(name, box) {
    if (this.panels[name]) {
      return;
    }
    const figure = OWN[name] ?? FIGURES[name];
    const panel = new figure.kind(/** @type {HTMLElement} */ (box), this.services, figure.options?.(this.services));
    panel.set(figure.data(this.card, this.services));
    this.panels[name] = panel;
  }

  /** @param {KeyboardEvent} event */
  arrowed(event) {
    const names = this.tabs.map(({ name }) => name).filter((name) => !this.parts[name].tab.hidden);
    const at = names.indexOf(this.chosen);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      const name = names[(to + names.length) % names.length];
      this.choose(name);
      this.parts[name].tab.focus();
    }
  }

  retheme() {
    Object.values(this.panels).forEach((panel) => panel.retheme());
  }

  dispose() {
    this.observer.disconnect();
    Object.values(this.panels).forEach((panel) => /** @type {any} */ (panel).dispose());
  }

  /** For tests: what is shown. */
  get test() {
    return {
      tabs: this.tabs.map(({ name }) => name),
      chosen: this.chosen,
      choose: (/** @type {string} */ name) => this.choose(name),
      panels: Object.fromEntries(Object.entries(this.panels).map(([name, panel]) => [name, panel.test])),
    };
  }
}
