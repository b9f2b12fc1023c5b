// @ts-check
/** A table beside a picture, for those who listen to the page. */
import { clear, h } from 'fallline/dom';

/**
 * Fill a hidden table.
 * @param {HTMLTableElement} table
 * @param {{caption: string, head: string[], rows: (string | number)[][]}} content first column: names of the rows
 */
export function fill(table, { caption, head, rows }) {
  const mark = JSON.stringify([caption, head, rows]);
  if (table.dataset.mark === mark) return;
  table.dataset.mark = mark;
  clear(table);
  table.append(
    h('caption', {}, caption),
    h('thead', {}, h('tr', {}, ...head.map((name) => h('th', { scope: 'col' }, name)))),
    h(
      'tbody',
      {},
      ...rows.map(([name, ...cells]) =>
        h('tr', {}, h('th', { scope: 'row' }, String(name)), ...cells.map((cell) => h('td', {}, String(cell)))),
      ),
    ),
  );
}
