// @ts-check
/** How the gradient flows: its size in every layer, and how far a step moves the layer's weights. */
import { h } from 'fallline/dom';
import { Panel } from 'fallline/panels/base';
import { small } from 'fallline/panels/format';
import { known } from 'fallline/panels/reading';

/**
 * @typedef {object} Layer
 * @property {string} name
 * @property {number[]} [shape]
 * @property {number | null} gradient root mean square of its components
 * @property {number | null} [weight] the same of the weights
 * @property {number | null} ratio norm of the last update over the norm of the weights
 */
/** @typedef {{gradient?: (number | null)[][], ratio?: (number | null)[][]}} Past what was before, a list a layer */
/** @typedef {{layers: Layer[], history?: Past | null}} FlowData */
/** @typedef {{low: number, high: number}} Decades powers of ten, whole */

/** An update of about a thousandth of the weights is healthy (Karpathy, CS231n notes, "Babysitting the learning process"). */
const HEALTHY = { low: -4, high: -2, middle: -3 };
const USUAL = { low: -5, high: -1 };
const FEWEST_DECADES = 4;
const MOST_DECADES = 40;

/** @param {number} power */
export const powerOfTen = (power) =>
  `10${power < 0 ? '⁻' : ''}${[...String(Math.abs(power))].map((d) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(d)]).join('')}`;

/** Whole decades around values, never less than there were. @param {(number | null | undefined)[]} values @param {Decades | null} before @returns {Decades} */
export function widened(values, before) {
  const powers = values.filter((v) => known(v) && v > 0).map((v) => Math.log10(/** @type {number} */ (v)));
  let low = Math.min(before?.low ?? Infinity, ...powers.map(Math.floor));
  let high = Math.max(before?.high ?? -Infinity, ...powers.map(Math.ceil));
  if (!(low <= high)) return { low: -4, high: 0 };
  if (high - low < FEWEST_DECADES) low = high - FEWEST_DECADES;
  if (high - low > MOST_DECADES) low = high - MOST_DECADES;
  return { low, high };
}

/** @extends {Panel<FlowData, {}>} */
export class Flow extends Panel {
  /** @param {HTMLElement} element @param {import('fallline/panels/base').Given} services @param {{}} [options] */
  constructor(element, services, options = {}) {
    super(element, services, options);
    this.emptyKey = 'panels.noFlow';
    /** @type {Decades | null} */
    this.gradients = null;
    /** @type {Decades} */
    this.ratios = USUAL;
    /** What the rows were made for. */
    this.structure = '';
    /** @type {{gradient: Track, ratio: Track}[]} */
    this.tracks = [];
    this.render();
  }

  retranslate() {
    this.structure = '';
    this.render();
  }

  render() {
    const layers = this.data?.layers ?? [];
    if (!layers.length) {
      this.structure = '';
      this.showEmpty();
      return;
    }
    const names = JSON.stringify(layers.map(({ name, shape }) => [name, shape]));
    if (!this.structure.startsWith(names)) {
      this.gradients = null;
      this.ratios = USUAL;
    }
    const { history } = this.data ?? {};
    this.gradients = widened(
      [...layers.map(({ gradient }) => gradient), ...(history?.gradient ?? []).flat()],
      this.gradients,
    );
    this.ratios = widened(
      [...layers.map(({ ratio }) => ratio), ...(history?.ratio ?? []).flat()],
      this.ratios,
    );
    const structure = names + JSON.stringify([this.gradients, this.ratios]);
    if (structure !== this.structure) this.build(layers, structure);
    layers.forEach((layer, i) => {
      this.tracks[i].gradient.show(layer.gradient, history?.gradient?.[i]);
      this.tracks[i].ratio.show(layer.ratio, history?.ratio?.[i]);
    });
  }

  /** @param {Layer[]} layers @param {string} structure */
  build(layers, structure) {
    const { t } = this.services;
    this.structure = structure;
    const gradients = /** @type {Decades} */ (this.gradients);
    this.tracks = layers.map(() => ({
      gradient: new Track(this.services, gradients, false),
      ratio: new Track(this.services, this.ratios, true),
    }));
    const rows = layers.map(({ name, shape }, i) =>
      h(
        'tr',
        {},
        h(
          'th',
          { scope: 'row', title: shape?.length ? `${name}  ${shape.join(' × ')}` : name },
          h('span', { class: 'flow-name' }, name),
          shape?.length ? h('small', { class: 'number' }, shape.join('×')) : null,
        ),
        h('td', { class: 'flow-track' }, this.tracks[i].gradient.element),
        h('td', { class: 'flow-value number' }, this.tracks[i].gradient.value),
        h('td', { class: 'flow-track' }, this.tracks[i].ratio.element),
        h('td', { class: 'flow-value number' }, this.tracks[i].ratio.value, this.tracks[i].ratio.word),
      ),
    );
    const head = (/** @type {string} */ text, /** @type {string} */ about) =>
      h('th', { scope: 'col', colspan: 2, title: about, class: 'flow-head' }, text);
    const scale = (/** @type {Decades} */ decades) => [
      h('td', { class: 'flow-track' }, scaleOf(decades)),
      h('td', {}),
    ];
    this.element.replaceChildren(
      h(
        'div',
        { class: 'flow' },
        h(
          'table',
          {},
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              h('th', { scope: 'col' }, t('panels.layer')),
              head(t('panels.gradient'), t('panels.gradientAbout')),
              head(t('panels.ratio'), t('panels.ratioAbout')),
            ),
          ),
          h('tbody', {}, ...rows),
          h(
            'tfoot',
            { 'aria-hidden': 'true' },
            h('tr', {}, h('td', {}), ...scale(gradients), ...scale(this.ratios)),
          ),
        ),
        h('p', { class: 'flow-note' }, h('i', { 'aria-hidden': 'true' }), t('panels.healthyBand')),
      ),
    );
  }

  get test() {
    return {
      gradients: this.gradients,
      ratios: this.ratios,
      rows: this.tracks.map(({ gradient, ratio }) => [
        gradient.value.textContent,
        ratio.value.textContent,
        ratio.word.textContent,
      ]),
    };
  }
}

/** @param {Decades} decades @param {number} power */
const shareOf = ({ low, high }, power) => Math.min(1, Math.max(0, (power - low) / (high - low)));

/** The powers of ten under the tracks. @param {Decades} decades */
function scaleOf(decades) {
  const { low, high } = decades;
  const apart = Math.max(1, Math.ceil((high - low) / 4));
  const element = h('div', { class: 'flow-scale number' });
  for (let power = low; power <= high; power += apart) {
    const text = h('span', {}, powerOfTen(power));
    text.style.setProperty('--at', `${100 * shareOf(decades, power)}%`);
    element.append(text);
  }
  return element;
}

/** One value on a logarithmic scale. */
class Track {
  /** @param {import('fallline/panels/base').Given} services @param {Decades} decades @param {boolean} judged */
  constructor(services, decades, judged) {
    this.services = services;
    this.decades = decades;
    this.judged = judged;
    this.past = h('i', { class: 'flow-past' });
    this.bar = h('i', { class: 'flow-bar' });
    this.dot = h('i', { class: 'flow-dot' });
    this.element = h(
      'div',
      { class: judged ? 'track judged' : 'track', 'aria-hidden': 'true' },
      this.past,
      this.bar,
      this.dot,
    );
    if (judged) {
      const place = (/** @type {number} */ power) => `${100 * shareOf(decades, power)}%`;
      this.element.style.setProperty('--start', place(HEALTHY.low));
      this.element.style.setProperty('--end', place(HEALTHY.high));
      this.element.style.setProperty('--middle', place(HEALTHY.middle));
    }
    this.value = h('span', {});
    this.word = h('em', {});
  }

  /** @param {number | null | undefined} value @param {(number | null)[]} [past] */
  show(value, past = []) {
    const there = known(value) && value > 0;
    const power = there ? Math.log10(value) : this.decades.low;
    this.value.textContent = small(value);
    this.element.classList.toggle('none', !there);
    this.element.style.setProperty('--at', `${100 * shareOf(this.decades, power)}%`);
    const before = past.filter((v) => known(v) && v > 0).map((v) => Math.log10(/** @type {number} */ (v)));
    this.past.hidden = before.length < 2;
    if (before.length > 1) {
      this.element.style.setProperty('--least', `${100 * shareOf(this.decades, Math.min(...before))}%`);
      this.element.style.setProperty('--most', `${100 * shareOf(this.decades, Math.max(...before))}%`);
    }
    if (!this.judged) return;
    const side = !known(value)
      ? ''
      : !there || power < HEALTHY.low
        ? 'low'
        : power > HEALTHY.high
          ? 'high'
          : '';
    this.element.classList.toggle('off', side !== '');
    this.word.textContent = side ? this.services.t(`panels.ratio.${side}`) : '';
  }
}
