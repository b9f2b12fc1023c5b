// @ts-check
/** A slider and an exact number for each variable. */
import { section, slider } from 'fallline/controls';
import { h } from 'fallline/dom';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/graph/shown').VariableFacts} VariableFacts */

export class Variables {
  /** @param {Services} services @param {(name: string, value: number) => void} onvalue */
  constructor(services, onvalue) {
    this.services = services;
    this.onvalue = onvalue;
    this.element = section('graph.variables');
    /** What the rows are of, so that they stay while a slider is dragged. */
    this.form = '';
  }

  /** @param {VariableFacts[]} variables */
  show(variables) {
    const form = variables.map(({ name, low, high }) => `${name} ${low} ${high}`).join('|');
    if (form === this.form) {
      return;
    }
    this.form = form;
    this.element.replaceChildren(this.element.children[0], ...variables.map((one) => this.row(one)));
  }

  /** All rows anew at the next graph, whatever they are of. */
  forget() {
    this.form = '';
  }

  /** @param {VariableFacts} variable */
  row({ name, low, high, value }) {
    const box = h('input', { type: 'number', class: 'number', step: 'any', value, 'data-name': name });
    const bar = slider(this.services, {
      label: 'graph.variable',
      values: { name },
      low,
      high,
      value,
      step: stepOf(low, high),
      oninput: (moved) => {
        const exact = Number(moved.toPrecision(6));
        box.value = String(exact);
        this.onvalue(name, exact);
      },
    });
    box.addEventListener('change', () => {
      const wished = Number(box.value);
      if (box.value === '' || !Number.isFinite(wished)) {
        box.value = String(bar.value);
        return;
      }
      bar.value = wished;
      this.onvalue(name, wished);
      this.services.touched();
    });
    bar.element.querySelector('output')?.replaceWith(box);
    this.rename(box);
    return bar.element;
  }

  /** Say the names in the language of now. @param {Element} [only] */
  rename(only) {
    for (const box of only ? [only] : this.element.querySelectorAll('input[data-name]')) {
      box.setAttribute(
        'aria-label',
        this.services.t('graph.exactly', { name: box.getAttribute('data-name') ?? '' }),
      );
    }
  }
}

/** A round step, of which at least 100 lead from end to end. @param {number} low @param {number} high */
function stepOf(low, high) {
  const power = 10 ** Math.floor(Math.log10((high - low) / 100));
  return [5, 2, 1].map((n) => n * power).find((step) => (high - low) / step >= 100) ?? power;
}
