// @ts-check
/** The header: tabs, the step, and what can be done with the page as a whole. */
import { h, svg } from 'fallline/dom';
import { t } from 'fallline/language';

/**
 * @typedef {Object} TopOptions
 * @property {string[]} views
 * @property {(name: string) => void} onview
 * @property {() => void} ontheme
 * @property {() => void} onlanguage
 * @property {(kind: string) => void} onexport
 * @property {() => string[]} offered what the view can export
 * @property {() => void} onlink
 * @property {() => void} onhelp
 */

const EXPORTS = [['png', 'app.png', '.png'], ['svg', 'app.svg', '.svg'], ['csv', 'app.csv', '.csv'],
  ['python', 'app.python', '.py'], ['dot', 'app.dot', '.dot']];

/** Views of many runs, or of none: no one step is theirs. */
const STEPLESS = ['compare', 'runs', 'gallery'];

/** @param {...string} paths */
const icon = (...paths) => svg('svg', { viewBox: '0 0 20 20', fill: 'none', stroke: 'currentColor',
  'stroke-width': 1.6, 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true' },
...paths.map((d) => svg('path', { d })));

/** @param {HTMLElement} root @param {TopOptions} options */
export function makeTop(root, options) {
  const tabs = options.views.map((name) => h('button', {
    type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `panel-${name}`, t: `app.${name}`,
    onclick: () => options.onview(name),
  }));
  const list = h('div', { class: 'tabs', role: 'tablist', label: 'app.views' }, ...tabs);
  list.removeAttribute('title');
  list.addEventListener('keydown', (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) {
      event.preventDefault();
      event.stopPropagation();
      const at = tabs.findIndex((tab) => tab.getAttribute('aria-selected') === 'true');
      const next = tabs[(at + by + tabs.length) % tabs.length];
      next.click();
      next.focus();
    }
  });
  const step = h('b', {}, '0');
  const rate = h('b', {}, '–');
  const exports = EXPORTS.map(([kind, key, ending]) => h('button', {
    type: 'button', onclick: () => {
      menu.open = false;
      options.onexport(kind);
    },
  }, h('span', { t: key }), h('small', {}, ending)));
  const menu = h('details', { class: 'menu' },
    h('summary', { label: 'app.export' }, icon('M10 3v9', 'M6.5 8.5 10 12l3.5-3.5', 'M4 15.5h12'),
      h('span', { t: 'app.export', class: 'hide-narrow' })),
    h('div', {}, ...exports));
  menu.addEventListener('toggle', () => {
    const offered = options.offered();
    exports.forEach((item, i) => {
      item.hidden = !offered.includes(EXPORTS[i][0]);
    });
  });
  document.addEventListener('click', (event) => {
    if (!menu.contains(/** @type {Node} */ (event.target))) {
      menu.open = false;
    }
  });
  menu.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      menu.open = false;
      menu.querySelector('summary')?.focus();
    }
  });
  // A globe, not a word: the word's own font may be missing.
  const other = h('button', { type: 'button', label: 'app.language', onclick: options.onlanguage },
    icon('M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14z', 'M3.2 10h13.6',
      'M10 3c-2.4 2-3.4 4.3-3.4 7s1 5 3.4 7c2.4-2 3.4-4.3 3.4-7s-1-5-3.4-7z'));
  const tools = h('div', { class: 'tools' },
    menu,
    h('button', { type: 'button', label: 'app.link', onclick: options.onlink },
      icon('M8.5 11.5a3 3 0 0 0 4.2 0l2.6-2.6a3 3 0 0 0-4.2-4.2l-1 1', 'M11.5 8.5a3 3 0 0 0-4.2 0l-2.6 2.6a3 3 0 0 0 4.2 4.2l1-1')),
    other,
    h('button', { type: 'button', label: 'app.theme', onclick: options.ontheme },
      icon('M10 3a7 7 0 1 0 0 14z', 'M10 3a7 7 0 0 1 0 14')),
    h('button', { type: 'button', label: 'app.keys', onclick: options.onhelp }, h('span', { 'aria-hidden': 'true' }, '?')));
  const stats = [
    h('div', { class: 'stat hide-medium' }, h('span', { t: 'app.frames' }), rate),
    h('div', { class: 'stat' }, h('span', { t: 'app.step' }), step),
  ];
  root.append(
    h('a', { class: 'skip', href: '#views', t: 'app.skip', onclick: (/** @type {Event} */ event) => {
      event.preventDefault();
      /** @type {HTMLElement | null} */ (document.querySelector('.view:not([hidden]) input, .view:not([hidden]) select'))?.focus();
    } }),
    list,
    h('div', { class: 'grow' }),
    ...stats,
    tools,
  );
  return {
    /** @param {string} name */
    choose(name) {
      tabs.forEach((tab, i) => {
        tab.setAttribute('aria-selected', String(options.views[i] === name));
        tab.tabIndex = options.views[i] === name ? 0 : -1;
        // In a narrow window the tabs scroll.
        if (options.views[i] === name && list.scrollWidth > list.clientWidth) tab.scrollIntoView({ block: 'nearest', inline: 'center' });
      });
      stats.forEach((stat) => {
        stat.hidden = STEPLESS.includes(name);
      });
      document.title = `${t(`app.${name}`)} · Fallline studio`;
    },
    /** @param {number} steps @param {number} frames a second */
    report(steps, frames) {
      step.textContent = steps.toLocaleString('en');
      rate.textContent = frames > 0.4 ? frames.toFixed(0) : '–';
    },
  };
}
