// @ts-check
/** The line above a chart: every line's stroke, name and value where one points; a press hides it. */
import { h, svg } from 'fallline/dom';
import { few } from 'fallline/panels/format';

/**
 * @typedef {{name: string, colour: string, dash?: number[], faint?: boolean, points?: boolean, width: number}} Entry
 */

/** @param {Entry} entry */
const stroke = ({ colour, dash, faint, points, width }) =>
  svg(
    'svg',
    { class: 'stroke', viewBox: '0 0 22 10', width: 22, height: 10, 'aria-hidden': 'true' },
    svg('path', {
      d: 'M0 5h22',
      stroke: colour,
      'stroke-width': width,
      'stroke-opacity': faint ? 0.5 : null,
      'stroke-dasharray': dash?.join(' '),
    }),
    points && svg('circle', { cx: 11, cy: 5, r: 2.8, fill: colour }),
  );

export class Legend {
  /** @param {{toggle: (index: number) => void, point: (index: number) => void}} told -1: none is pointed at */
  constructor(told) {
    this.told = told;
    this.element = h('div', { class: 'keys' });
    /** @type {{element: HTMLButtonElement, value: HTMLElement}[]} */
    this.entries = [];
  }

  /** @param {Entry[]} entries @param {boolean[]} hidden */
  show(entries, hidden) {
    this.entries = entries.map((entry, index) => {
      const value = h('b', { class: 'number' });
      const element = h(
        'button',
        {
          type: 'button',
          class: 'key',
          title: entry.name,
          'aria-pressed': String(!hidden[index]),
          onclick: () => this.told.toggle(index),
          onpointerenter: () => this.told.point(index),
          onpointerleave: () => this.told.point(-1),
          onfocus: () => this.told.point(index),
          onblur: () => this.told.point(-1),
        },
        stroke(entry),
        h('span', {}, entry.name),
        value,
      );
      return { element, value };
    });
    this.element.replaceChildren(...this.entries.map(({ element }) => element));
  }

  /** @param {boolean[]} hidden */
  press(hidden) {
    this.entries.forEach(({ element }, i) => element.setAttribute('aria-pressed', String(!hidden[i])));
  }

  /** @param {(number | null)[]} values */
  read(values) {
    this.entries.forEach(({ value }, i) => {
      const text = few(values[i]);
      if (value.textContent !== text) value.textContent = text;
    });
  }
}
