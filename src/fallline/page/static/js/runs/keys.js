// @ts-check
/** The keyboard. */

/** @typedef {import('fallline/runs/view').RunsView} RunsView */
/** @typedef {'diagnose' | 'measure' | 'report'} Deed */

/** Keys and the texts of what they do. @type {[string, string][]} */
export const SHORTCUTS = [
  ['↑ ↓', 'runs.key.move'],
  ['/', 'runs.key.filter'],
  ['D', 'runs.key.diagnose'],
  ['M', 'runs.key.measure'],
  ['R', 'runs.key.report'],
  ['Esc', 'runs.key.single'],
];

/** @type {Record<string, Deed>} */
const DEEDS = { d: 'diagnose', m: 'measure', r: 'report' };

/**
 * @param {RunsView} view
 * @param {KeyboardEvent} event
 * @returns {boolean} whether the key means something here
 */
export function pressed(view, event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const deed = DEEDS[event.key.toLowerCase()];
  if (by) {
    const next = view.list.beside(by);
    if (next) {
      view.choose([next]);
      view.list.reveal(next);
    }
  } else if (event.key === '/') view.list.filter.focus();
  else if (deed) view.want(deed);
  else if (event.key === 'Escape' && view.chosen.length > 1) view.choose(view.chosen.slice(-1));
  else return false;
  return true;
}
