// @ts-check
/** The left column: what the graph is of, its variables, how it is drawn, and the walk through it. */
import { section, segmented, toggle } from 'fallline/controls';
import { h } from 'fallline/dom';
import { ExpressionForm } from 'fallline/graph/expression';
import { NetworkForm } from 'fallline/graph/network';
import { Variables } from 'fallline/graph/variables';
import { Walk } from 'fallline/graph/walk';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/graph/network').Sizes} Sizes */
/** @typedef {import('fallline/graph/shown').VariableFacts} VariableFacts */
/**
 * @typedef {{expressions: {name: string, formula: string, values: Record<string, number>}[],
 *   networks: Record<string, Partial<Sizes>>, activations: string[]}} Presets
 */
/**
 * @typedef {Object} Wishes what the column asks of the view
 * @property {() => void} onbuild
 * @property {() => void} onvalues
 * @property {() => void} ondraw how it is drawn has changed, not what
 * @property {() => void} onterrain
 * @property {(action: import('fallline/graph/walk').Action) => void} onwalk
 * @property {(position: number) => void} onscrub
 */

/** Steps a second. @type {Record<string, number>} */
export const SPEEDS = { slow: 0.7, normal: 1.6, fast: 6 };

/** Choices among a few, their first one being the usual. @type {Record<string, string[]>} */
export const CHOICES = {
  direction: ['auto', 'LR', 'TB', 'rows'],
  layers: ['auto', 'closed', 'open'],
  speed: ['normal', 'slow', 'fast'],
};

export class Setup {
  /** @param {Services} services @param {Wishes} wishes */
  constructor(services, wishes) {
    this.ready = false;
    this.source = segmented(services, {
      label: 'graph.source',
      value: 'expression',
      options: [
        { value: 'expression', t: 'graph.expression' },
        { value: 'network', t: 'graph.network' },
      ],
      onchange: () => {
        this.showSource();
        services.touched();
        wishes.onbuild();
      },
    });
    this.expression = new ExpressionForm(services, wishes);
    this.network = new NetworkForm(services, wishes.onbuild);
    this.variables = new Variables(services, (name, value) => {
      this.expression.values = { ...this.expression.values, [name]: value };
      wishes.onvalues();
    });
    this.walk = new Walk(services, wishes);
    const flag = (/** @type {string} */ key, /** @type {boolean} */ value) =>
      toggle(services, { label: key, value, onchange: wishes.ondraw });
    this.flags = {
      values: flag('graph.values', true),
      derivatives: flag('graph.derivatives', true),
      formulas: flag('graph.localFormulas', false),
    };
    const choice = (/** @type {string} */ name, /** @type {string[]} */ values) =>
      segmented(services, {
        label: `graph.${name}`,
        value: CHOICES[name][0],
        onchange: wishes.ondraw,
        options: values.map((value) => ({ value, t: `graph.${name}.${value}` })),
      });
    this.direction = choice('direction', CHOICES.direction);
    this.layers = choice('layers', CHOICES.layers);
    this.speed = choice('speed', Object.keys(SPEEDS));
    this.layersField = field('graph.layers', this.layers.element);
    this.complaint = h('p', { class: 'complaint', role: 'alert', id: 'graph-complaint' });
    this.element = h(
      'div',
      { class: 'column' },
      h(
        'div',
        { class: 'scroll' },
        section(
          'graph.subject',
          this.source.element,
          this.expression.element,
          this.network.element,
          this.complaint,
        ),
        this.variables.element,
        section(
          'graph.display',
          ...Object.values(this.flags).map((one) => one.element),
          field('graph.direction', this.direction.element),
          this.layersField,
          field('graph.speed', this.speed.element),
        ),
      ),
      this.walk.element,
    );
    this.showSource();
  }

  /** @param {Presets} presets */
  offer(presets) {
    this.ready = true;
    this.expression.offer(presets);
    this.network.offer(presets);
  }

  showSource() {
    const network = this.source.value === 'network';
    this.expression.element.hidden = network;
    this.variables.element.hidden = network;
    this.network.element.hidden = !network;
    this.layersField.hidden = !network;
    (network ? this.network : this.expression).slot.append(this.complaint);
  }

  /** What the server is to build. */
  wanted() {
    return this.source.value === 'network'
      ? { source: 'network', network: this.network.sizes }
      : { source: 'expression', formula: this.expression.formula, values: this.expression.values };
  }

  /** @param {VariableFacts[]} variables */
  showVariables(variables) {
    if (this.source.value === 'expression') {
      // What a slider has been moved to meanwhile is newer than what was drawn.
      const { values } = this.expression;
      const newest = variables.map(({ name, value }) => [name, values[name] ?? value]);
      this.expression.values = Object.fromEntries(newest);
    }
    this.variables.show(variables);
  }

  /** @param {string} sentence empty for none @param {boolean} [ofFormula] is the formula to blame? */
  complain(sentence, ofFormula = false) {
    this.complaint.textContent = sentence;
    this.expression.box.setAttribute('aria-invalid', String(ofFormula && this.source.value === 'expression'));
  }

  /** What is written into the drawing. */
  get options() {
    const { values, derivatives, formulas } = this.flags;
    return { values: values.value, derivatives: derivatives.value, formulas: formulas.value };
  }

  /** @returns {Record<string, any>} for the address */
  state() {
    const network = this.source.value === 'network';
    const chosen = Object.entries(CHOICES).map(([name, [usual]]) => {
      const { value } = /** @type {any} */ (this)[name];
      return [name, value === usual ? null : value];
    });
    return {
      source: this.source.value,
      formula: network ? null : this.expression.formula,
      values: network ? null : this.expression.values,
      network: network ? this.network.sizes : null,
      show:
        Object.entries(this.options)
          .filter(([, on]) => on)
          .map(([name]) => name)
          .join(' ') || 'none',
      ...Object.fromEntries(chosen),
    };
  }

  /** @param {Record<string, any>} state what does not fit is passed over */
  restore(state) {
    if (state.source === 'network' || state.source === 'expression') {
      this.source.value = state.source;
    }
    if (typeof state.formula === 'string' && state.formula) {
      this.source.value = 'expression';
      this.expression.formula = state.formula;
      this.expression.values = {};
      this.variables.forget();
    }
    if (state.values && typeof state.values === 'object') {
      const numbers = Object.entries(state.values).filter(([, value]) => Number.isFinite(value));
      this.expression.values = Object.fromEntries(numbers);
    }
    if (Array.isArray(state.network?.hidden)) {
      this.network.set(state.network);
    }
    if (typeof state.show === 'string') {
      for (const [name, one] of Object.entries(this.flags)) {
        one.value = state.show.split(' ').includes(name);
      }
    }
    for (const [name, values] of Object.entries(CHOICES)) {
      if (values.includes(state[name])) {
        /** @type {any} */ (this)[name].value = state[name];
      }
    }
    this.showSource();
  }
}

/** @param {string} key @param {HTMLElement} element */
const field = (key, element) =>
  h('div', { class: 'field' }, h('span', { class: 'caption', t: key, 'aria-hidden': 'true' }), element);
