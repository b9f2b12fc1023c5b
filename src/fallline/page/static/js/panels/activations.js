// @ts-check
/** What comes out of every activation: a small histogram each, and the units that no longer take part. */
import { h, svg } from 'fallline/dom';
import { Panel } from 'fallline/panels/base';
import { brief, count, percent } from 'fallline/panels/format';
import { known } from 'fallline/panels/reading';

/**
 * @typedef {object} Activation
 * @property {string} name
 * @property {string} kind such as "relu"
 * @property {number} low
 * @property {number} high
 * @property {number[]} counts
 * @property {number | null} mean
 * @property {number | null} std
 * @property {number | null} dead share of its units
 * @property {number | null} saturated share of its values
 * @property {number} units
 */

/** Shares from which a badge warns. */
const WARNS = { dead: 0.1, saturated: 0.25 };
const [WIDTH, HEIGHT] = [128, 44];

/** @extends {Panel<Activation[], {}>} */
export class Activations extends Panel {
  /** @param {HTMLElement} element @param {import('fallline/panels/base').Given} services @param {{}} [options] */
  constructor(element, services, options = {}) {
    super(element, services, options);
    this.emptyKey = 'panels.noActivations';
    /** @type {Small[]} */
    this.small = [];
    this.structure = '';
    this.render();
  }

  retranslate() {
    this.structure = '';
    this.render();
  }

  render() {
    const layers = this.data ?? [];
    if (!layers.length) {
      this.structure = '';
      this.small = [];
      this.showEmpty();
      return;
    }
    const structure = JSON.stringify(layers.map(({ name, kind, units }) => [name, kind, units]));
    if (structure !== this.structure) {
      this.structure = structure;
      this.small = layers.map((layer) => new Small(this.services, layer));
      this.element.replaceChildren(
        h(
          'div',
          { class: 'activations' },
          h('ul', {}, ...this.small.map(({ element }) => element)),
          h('p', { class: 'panel-foot' }, this.services.t('panels.rootScale')),
        ),
      );
    }
    layers.forEach((layer, i) => this.small[i].show(layer));
  }

  get test() {
    return this.small.map(({ badges, picture }) => ({
      badges: badges.textContent,
      label: picture.getAttribute('aria-label'),
    }));
  }
}

/** One histogram. */
class Small {
  /** @param {import('fallline/panels/base').Given} services @param {Activation} layer */
  constructor(services, layer) {
    this.services = services;
    this.bars = svg('path', { class: 'bars' });
    this.zero = svg('path', { class: 'zero' });
    this.mean = svg('path', { class: 'mean' });
    this.picture = svg(
      'svg',
      { viewBox: `0 0 ${WIDTH} ${HEIGHT + 1}`, preserveAspectRatio: 'none', role: 'img' },
      this.zero,
      this.bars,
      svg('path', { class: 'ground', d: `M0 ${HEIGHT + 0.5}h${WIDTH}` }),
      this.mean,
    );
    this.badges = h('span', { class: 'badges' });
    this.low = h('span', {});
    this.middle = h('span', { class: 'mean-value' });
    this.high = h('span', {});
    this.element = h(
      'li',
      {},
      h(
        'div',
        { class: 'activation-head' },
        h('span', { class: 'activation-name', title: layer.name }, layer.name),
        h('small', {}, services.t('panels.units', { n: count(layer.units) })),
      ),
      this.picture,
      h('div', { class: 'activation-scale number' }, this.low, this.middle, this.high),
      this.badges,
    );
  }

  /** @param {Activation} layer */
  show(layer) {
    const { t } = this.services;
    const counts = (layer.counts ?? []).map((n) => (known(n) && n > 0 ? n : 0));
    const most = Math.max(1, ...counts);
    const wide = WIDTH / Math.max(1, counts.length);
    const path = counts.map((n, i) => {
      const tall = n ? Math.max(1, Math.sqrt(n / most) * HEIGHT) : 0;
      return tall
        ? `M${(i * wide).toFixed(2)} ${HEIGHT}v${(-tall).toFixed(2)}h${(wide * 0.86).toFixed(2)}v${tall.toFixed(2)}z`
        : '';
    });
    this.bars.setAttribute('d', path.join(''));
    const { low, high, mean } = layer;
    const place = (/** @type {number} */ v) => (WIDTH * (v - low)) / (high - low);
    const inside = (/** @type {any} */ v) => known(v) && high > low && v >= low && v <= high;
    this.zero.setAttribute(
      'd',
      inside(0) && low < 0 && high > 0 ? `M${place(0).toFixed(2)} 0v${HEIGHT}` : '',
    );
    this.mean.setAttribute(
      'd',
      inside(mean) ? `M${place(/** @type {number} */ (mean)).toFixed(2)} 0v${HEIGHT}` : '',
    );
    this.low.textContent = brief(low, 2);
    this.high.textContent = brief(high, 2);
    this.middle.textContent = known(mean) ? `${brief(mean, 2)} ± ${brief(layer.std, 2)}` : '';
    const notes = /** @type {const} */ (['dead', 'saturated'])
      .filter((kind) => known(layer[kind]) && /** @type {number} */ (layer[kind]) > 0)
      .map((kind) => ({ kind, share: /** @type {number} */ (layer[kind]) }));
    const badges = notes.map(({ kind, share }) =>
      h(
        'span',
        { class: share >= WARNS[kind] ? 'badge warns' : 'badge', title: t(`panels.about.${kind}`) },
        t(`panels.share.${kind}`, { share: percent(share) }),
      ),
    );
    if (!badges.length) badges.push(h('span', { class: 'badge good' }, t('panels.allAlive')));
    this.badges.replaceChildren(...badges);
    this.picture.setAttribute(
      'aria-label',
      t('panels.describeActivation', {
        name: layer.name,
        low: brief(low, 2),
        high: brief(high, 2),
        mean: brief(mean, 2),
        notes: this.badges.textContent ?? '',
      }),
    );
  }
}
