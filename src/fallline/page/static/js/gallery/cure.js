// @ts-check
/** The fix, side by side: both curves from the same seed, and both numbers. */
import { h } from 'fallline/dom';
import { Lines } from 'fallline/panels/lines';
import { colourOf } from 'fallline/panels/colours';
import { few, percent } from 'fallline/panels/format';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/gallery/parts').Cure} Data */

export class CureSide {
  /** @param {HTMLElement} element @param {Services} services */
  constructor(element, services) {
    this.services = services;
    /** @type {Data | null} */
    this.data = null;
    this.numbers = h('div', { class: 'numbers' });
    this.chart = h('div', { class: 'cure-chart' });
    this.by = h('p', { class: 'note' });
    element.append(this.numbers, this.chart, this.by);
    this.lines = new Lines(this.chart, services);
  }

  /** @param {Data | null} data */
  set(data) {
    this.data = data;
    this.render();
  }

  render() {
    const { data, services } = this;
    const { t } = services;
    if (!data) {
      this.lines.set(null);
      this.numbers.replaceChildren();
      this.by.textContent = '';
      return;
    }
    const theme = services.theme();
    const [ill, well] = [theme === 'dark' ? '#ff8b82' : '#b3122a', colourOf(2, theme)];
    const line = (/** @type {'before' | 'after'} */ kind, /** @type {string} */ colour) => {
      const { x, y, raw } = data.curves[kind];
      const name = t(`gallery.cure.${kind}`);
      const smooth = { name, colour, x, y, dash: kind === 'before' ? [6, 4] : [], points: data.held_out };
      return raw ? [{ name: `${name} (${t('panels.batch')})`, colour, x, y: raw, faint: true, dash: [] }, smooth] : [smooth];
    };
    this.lines.set({
      lines: [...line('before', ill), ...line('after', well)],
      xKey: 'panels.step',
      yKey: data.held_out ? 'panels.validation' : 'panels.loss',
    });
    const number = (/** @type {'before' | 'after'} */ kind) => h('div', { class: `figure-of ${kind}` },
      h('span', {}, t(`gallery.cure.${kind}`)),
      h('b', { class: 'number' }, data[kind] === null ? t('gallery.cure.diverged') : few(data[kind], 3)));
    this.numbers.replaceChildren(number('before'), h('i', { class: 'arrow', 'aria-hidden': 'true' }, '→'), number('after'),
      h('p', { class: data.helped === false ? 'gain' : 'gain good' }, this.gain(data)));
    const quantity = t(`gallery.quantity.${data.quantity}`);
    this.by.textContent = t('gallery.cure.by', { quantity });
    this.chart.setAttribute('aria-label', t('gallery.describeCure', {
      quantity, before: few(data.before, 3), after: few(data.after, 3),
    }));
    this.chart.setAttribute('role', 'group');
  }

  /** @param {Data} data */
  gain(data) {
    const { t } = this.services;
    const { before, after } = data;
    if (data.helped === null) return t('gallery.cure.higher');
    if (before === null || after === null || before <= 0 || after < 0) return '';
    return t('gallery.cure.lower', { share: percent(1 - after / before) });
  }

  retheme() {
    this.render();
    this.lines.retheme();
  }

  retranslate() {
    this.render();
    this.lines.retranslate();
  }

  resize() {
    this.lines.resize();
  }
}
