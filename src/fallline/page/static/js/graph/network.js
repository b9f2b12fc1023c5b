// @ts-check
/** The sizes of a small network. */
import { number, select, toggle } from 'fallline/controls';
import { h } from 'fallline/dom';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/graph/setup').Presets} Presets */
/**
 * @typedef {{inputs: number, hidden: number[], classes: number, examples: number, activation: string,
 *   batch_norm: boolean, seed: number}} Sizes
 */

/** @type {Sizes} */
const USUAL = {
  inputs: 2,
  hidden: [3],
  classes: 2,
  examples: 3,
  activation: 'relu',
  batch_norm: false,
  seed: 0,
};
const WHOLE = /** @type {const} */ (['inputs', 'classes', 'examples', 'seed']);

export class NetworkForm {
  /** @param {Services} services @param {() => void} onbuild */
  constructor(services, onbuild) {
    /** @type {Record<string, Partial<Sizes>>} */
    this.presets = {};
    /** @type {Sizes} */
    this.sizes = { ...USUAL };
    const change = (/** @type {Partial<Sizes>} */ part) => {
      this.sizes = { ...this.sizes, ...part };
      this.nameSizes();
      onbuild();
    };
    this.preset = select(services, {
      label: 'graph.preset',
      options: [],
      value: 'relu',
      onchange: (name) => {
        if (this.presets[name]) {
          this.set({ ...USUAL, ...this.presets[name] });
          onbuild();
        }
      },
    });
    this.hidden = h('input', {
      type: 'text',
      class: 'number',
      id: 'graph-hidden',
      value: '3',
      'aria-describedby': 'graph-complaint',
    });
    this.hidden.addEventListener('change', () => {
      // A word among them becomes 0, which the server explains.
      change({
        hidden: this.hidden.value
          .split(/[\s,;×]+/)
          .filter(Boolean)
          .map((word) => Number(word) || 0),
      });
      services.touched();
    });
    const whole = (
      /** @type {typeof WHOLE[number]} */ name,
      /** @type {number} */ low,
      /** @type {number} */ high,
    ) =>
      number(services, {
        label: `graph.${name}`,
        low,
        high,
        step: 1,
        value: this.sizes[name],
        onchange: (value) => change({ [name]: Math.round(value) }),
      });
    this.inputs = whole('inputs', 1, 8);
    this.classes = whole('classes', 2, 8);
    this.examples = whole('examples', 1, 16);
    this.seed = whole('seed', 0, 999_999);
    this.activation = select(services, {
      label: 'graph.activation',
      options: [],
      value: 'relu',
      onchange: (value) => change({ activation: value }),
    });
    this.norm = toggle(services, {
      label: 'graph.batchNorm',
      value: false,
      onchange: (value) => change({ batch_norm: value }),
    });
    /** For a complaint. */
    this.slot = h('div', { class: 'slot' });
    this.element = h(
      'div',
      { class: 'part' },
      this.preset.element,
      this.inputs.element,
      h(
        'div',
        { class: 'field inline' },
        h('label', { for: 'graph-hidden', t: 'graph.hidden' }),
        this.hidden,
      ),
      this.classes.element,
      this.examples.element,
      this.activation.element,
      this.norm.element,
      this.seed.element,
      this.slot,
    );
  }

  /** Which preset these sizes are, if any. */
  nameSizes() {
    const text = (/** @type {Partial<Sizes>} */ sizes) =>
      JSON.stringify(Object.entries({ ...USUAL, ...sizes }).sort());
    const wanted = text(this.sizes);
    this.preset.value =
      Object.entries(this.presets).find(([, sizes]) => text(sizes) === wanted)?.[0] ?? 'own';
  }

  /** @param {Partial<Sizes>} sizes */
  set(sizes) {
    this.sizes = { ...USUAL, ...sizes };
    this.hidden.value = this.sizes.hidden.join(', ');
    for (const name of WHOLE) {
      this[name].value = this.sizes[name];
    }
    this.activation.value = this.sizes.activation;
    this.norm.value = this.sizes.batch_norm;
    this.nameSizes();
  }

  /** @param {Presets} presets */
  offer(presets) {
    this.presets = presets.networks;
    const names = Object.keys(this.presets).map((name) => ({ value: name, t: `graph.network.${name}` }));
    this.preset.offer([...names, { value: 'own', t: 'graph.preset.own' }]);
    this.activation.offer(presets.activations.map((name) => ({ value: name, text: name })));
    this.set(this.sizes);
  }
}
