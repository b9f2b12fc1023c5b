// @ts-check
/** The typed formula, or one of those that every course shows. */
import { button, select } from 'fallline/controls';
import { h } from 'fallline/dom';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/graph/setup').Presets} Presets */

/** A formula is read once nothing has been typed for so many milliseconds. */
const REST = 350;
const FIRST = 'two_paths';

export class ExpressionForm {
  /** @param {Services} services @param {{onbuild: () => void, onterrain: () => void}} wishes */
  constructor(services, wishes) {
    /** @type {Presets['expressions']} */
    this.presets = [];
    /** Of the variables, also of those that the formula no longer has. @type {Record<string, number>} */
    this.values = {};
    this.wishes = wishes;
    this.preset = select(services, {
      label: 'graph.preset',
      options: [],
      value: '',
      onchange: (name) => this.choose(name),
    });
    this.box = h('textarea', {
      id: 'graph-formula',
      rows: 3,
      spellcheck: 'false',
      autocapitalize: 'off',
      autocomplete: 'off',
      class: 'code',
      'aria-describedby': 'graph-hint graph-complaint',
    });
    let timer = 0;
    const typed = () => {
      clearTimeout(timer);
      this.nameFormula();
      wishes.onbuild();
      services.touched();
    };
    this.box.addEventListener('input', () => {
      clearTimeout(timer);
      timer = window.setTimeout(typed, REST);
    });
    this.box.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        typed();
      }
    });
    this.terrain = button(services, { t: 'graph.asTerrain', class: 'link', onclick: wishes.onterrain });
    this.terrain.element.hidden = true;
    /** For a complaint. */
    this.slot = h('div', { class: 'slot' });
    this.element = h(
      'div',
      { class: 'part' },
      this.preset.element,
      h('div', { class: 'field' }, h('label', { for: 'graph-formula', t: 'graph.formula' }), this.box),
      this.slot,
      h('p', { class: 'note', id: 'graph-hint', t: 'graph.hint' }),
      this.terrain.element,
    );
  }

  get formula() {
    return this.box.value;
  }

  set formula(text) {
    this.box.value = text;
    this.nameFormula();
  }

  /** @param {string} name */
  choose(name) {
    const preset = this.presets.find((one) => one.name === name);
    if (preset) {
      this.box.value = preset.formula;
      this.values = { ...preset.values };
      this.wishes.onbuild();
    }
  }

  /** Which preset the formula is, if any. */
  nameFormula() {
    this.preset.value = this.presets.find((one) => one.formula === this.formula)?.name ?? 'own';
  }

  /** @param {Presets} presets */
  offer(presets) {
    this.presets = presets.expressions;
    const own = { value: 'own', t: 'graph.preset.own' };
    this.preset.offer([...this.presets.map(({ name }) => ({ value: name, t: `graph.preset.${name}` })), own]);
    if (!this.formula) {
      const first = this.presets.find((one) => one.name === FIRST) ?? this.presets[0];
      this.box.value = first.formula;
      this.values = { ...first.values };
    }
    this.nameFormula();
  }
}
