// @ts-check
/** The columns of the table: how wide each is, and how far it alone goes with the target. */
import { h } from 'fallline/dom';
import { Panel } from 'fallline/panels/base';
import { few } from 'fallline/panels/format';

/** @typedef {import('fallline/gallery/parts').Inputs} Data */

/** Decades that the bars of widths show at least. */
const DECADES = 2;

/** @extends {Panel<Data, {}>} */
export class Inputs extends Panel {
  render() {
    const { data, services: { t } } = this;
    if (!data) {
      this.showEmpty();
      return;
    }
    const known = data.columns.map(({ spread }) => spread ?? 0).filter((spread) => spread > 0).map(Math.log10);
    const high = Math.ceil(Math.max(0, ...known) - 1e-3);
    const low = Math.min(high - DECADES, Math.floor(Math.min(0, ...known) + 1e-3) - 1);
    const share = (/** @type {number | null} */ spread) => (spread && spread > 0 ? Math.max(0.02, (Math.log10(spread) - low) / (high - low)) : 0);
    const cell = (/** @type {string} */ kind, /** @type {number} */ part, /** @type {string} */ text) => {
      const bar = h('i', { class: `bar ${kind}`, 'aria-hidden': 'true' });
      bar.style.setProperty('--share', String(part));
      return h('td', {}, h('span', { class: 'measure' }, h('span', { class: 'track' }, bar), h('b', { class: 'number' }, text)));
    };
    this.element.replaceChildren(h('div', { class: 'inputs', tabindex: '0', role: 'group', 'aria-label': t('gallery.inputs') }, h('table', {},
      h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, t('gallery.inputs.column')),
        h('th', { scope: 'col' }, t('gallery.inputs.spread')),
        h('th', { scope: 'col', title: t('gallery.inputs.agreementAbout') }, t('gallery.inputs.agreement')))),
      h('tbody', {}, ...data.columns.map(({ name, spread, agreement }) => h('tr', {},
        h('th', { scope: 'row', title: name }, name),
        cell('spread', share(spread), few(spread, 3)),
        cell('agreement', agreement ?? 0, few(agreement, 3))))))));
  }
}
