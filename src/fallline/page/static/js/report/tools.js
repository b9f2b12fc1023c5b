// @ts-check
/** What can be done with a report as a whole: its language, its theme, paper. */
import { h, svg } from 'fallline/dom';

/** @param {...string} paths */
const icon = (...paths) => svg('svg', { viewBox: '0 0 20 20', fill: 'none', stroke: 'currentColor', 'stroke-width': 1.6,
  'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true' }, ...paths.map((d) => svg('path', { d })));

/** @param {any} report */
export function tools(report) {
  const { services, page } = report;
  report.root.querySelector('[data-tools]')?.replaceChildren(
    h('button', {
      type: 'button', label: 'report.print', 'data-do': 'print', onclick: () => print(),
    }, icon('M6 7V3.5h8V7', 'M6 14H3.5V7.5h13V14H14', 'M6 12h8v4.5H6z')),
    h('button', {
      type: 'button', label: 'report.language', 'data-do': 'language',
      onclick: () => report.speak(services.language() === 'en' ? 'zh' : 'en'),
    }, icon('M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14z', 'M3.2 10h13.6',
      'M10 3c-2.4 2-3.4 4.3-3.4 7s1 5 3.4 7c2.4-2 3.4-4.3 3.4-7s-1-5-3.4-7z')),
    h('button', {
      type: 'button', label: 'report.theme', 'data-do': 'theme',
      onclick: () => {
        page.dataset.asked = services.theme() === 'dark' ? 'light' : 'dark';
        report.setTheme(page.dataset.asked);
      },
    }, icon('M10 3a7 7 0 1 0 0 14z', 'M10 3a7 7 0 0 1 0 14')),
  );
}
