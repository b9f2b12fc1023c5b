// @ts-check
/** The keyboard. */

/** @typedef {import('fallline/gallery/view').GalleryView} GalleryView */

/** Keys and the texts of what they do. @type {[string, string][]} */
export const SHORTCUTS = [
  ['1 … 5', 'gallery.key.answer'],
  ['H', 'gallery.key.hint'],
  ['N', 'gallery.key.next'],
  ['↑ ↓ ← →', 'gallery.key.arrows'],
  ['Escape', 'gallery.key.back'],
];

/**
 * @param {GalleryView} view
 * @param {KeyboardEvent} event
 * @returns {boolean} whether the key means something here
 */
export function pressed(view, event) {
  const { key, target } = event;
  if (!view.case) {
    if (!/^Arrow(Left|Right|Up|Down)$/.test(key)) return false;
    view.wall.move(key);
    return true;
  }
  // Charts and lists have their own use for the arrows.
  const own = target instanceof Element && target.closest('[role=img], [role=radio], .inputs');
  if (own && key.startsWith('Arrow')) return false;
  const answer = /^[1-5]$/.test(key) ? view.answers[Number(key) - 1] : undefined;
  /** @type {Record<string, () => void>} */
  const actions = {
    h: () => view.hint(),
    n: () => view.go(1),
    arrowright: () => view.go(1),
    arrowleft: () => view.go(-1),
    escape: () => view.open(null),
  };
  const action = answer ? () => view.guess(answer) : actions[key.toLowerCase()];
  action?.();
  return action !== undefined;
}
