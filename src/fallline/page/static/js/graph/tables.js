// @ts-check
/** Arrays in the panel: a number, a small table tinted by its values, or colours with their range. */
import { h } from 'fallline/dom';
import { grid, heat, numeric, shapeText, sizeOf, written } from 'fallline/graph/numbers';

/** @typedef {import('fallline/graph/numbers').ArrayFacts} ArrayFacts */

const MOST_COLUMNS = 6;
const MOST_ROWS = 8;

/**
 * @param {ArrayFacts} facts
 * @param {'forward' | 'backward' | ''} direction
 * @param {number} [digits] of a single number
 * @returns {HTMLElement}
 */
export function table(facts, direction, digits = 6) {
  const { elements = [] } = facts;
  const { rows, columns } = grid(facts.shape);
  if (facts.shape.length === 0 && elements.length) {
    return h('span', { class: `number ${direction}` }, written(elements[0], digits));
  }
  if (!elements.length || columns > MOST_COLUMNS || rows > MOST_ROWS) {
    return summary(facts, direction);
  }
  const most = Math.max(...elements.map((x) => Math.abs(numeric(x)) || 0)) || 1;
  const made = h('table', { class: `array ${direction}`, 'aria-label': shapeText(facts.shape) });
  for (let row = 0; row < rows; row += 1) {
    const cells = elements.slice(row * columns, (row + 1) * columns).map((x) => {
      const cell = h('td', {}, written(x, 3));
      const value = numeric(x);
      cell.classList.add(value < 0 ? 'below' : 'above');
      cell.style.setProperty('--share', `${Math.round(36 * Math.min(1, Math.abs(value) / most || 0))}%`);
      return cell;
    });
    made.append(h('tr', {}, ...cells));
  }
  return made;
}

/** @param {ArrayFacts} facts @param {string} direction */
function summary(facts, direction) {
  const image = heat(facts);
  const { rows, columns } = grid(facts.shape);
  const picture =
    image &&
    h('img', {
      class: 'heat',
      src: image,
      alt: '',
      width: Math.min(220, columns * 12),
      height: Math.min(110, rows * 9),
    });
  const range =
    facts.norm === undefined
      ? ''
      : `  ‖·‖ ${written(facts.norm)}  [${written(facts.low, 3)}, ${written(facts.high, 3)}]`;
  return h(
    'div',
    { class: 'large-array' },
    picture,
    h(
      'span',
      { class: `number ${direction}` },
      sizeOf(facts) ? shapeText(facts.shape) + range : shapeText(facts.shape),
    ),
  );
}
