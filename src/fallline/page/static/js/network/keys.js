// @ts-check
/** The keyboard. */

/** @typedef {import('fallline/network/view').NetworkView} NetworkView */

/** Keys and the texts of what they do. @type {[string, string][]} */
export const SHORTCUTS = [
  ['Space', 'network.keys.run'],
  ['→ .', 'network.keys.epoch'],
  ['R', 'network.keys.reset'],
  ['A', 'network.keys.apply'],
  ['1 … 7', 'network.keys.select'],
  ['S', 'network.keys.save'],
];

/**
 * @param {NetworkView} view
 * @param {KeyboardEvent} event
 * @returns {boolean} whether the key means something here
 */
export function pressed(view, event) {
  /** @type {Record<string, () => void>} */
  const actions = {
    ' ': () => view.run(!view.live),
    '.': () => view.step(),
    arrowright: () => view.step(),
    r: () => view.reset(),
    a: () => view.applyFirst(),
    s: () => view.save(),
  };
  const entry = view.entries['1234567'.indexOf(event.key)];
  const action = entry ? () => view.select(entry.run) : actions[event.key.toLowerCase()];
  action?.();
  return action !== undefined;
}
