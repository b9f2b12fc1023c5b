// @ts-check
/** The titled box that every panel sits in. */
import { h } from 'fallline/dom';

/** @typedef {import('fallline/panels/base').Given} Given */

let made = 0;

/**
 * @param {Given} services
 * @param {string} titleKey key of the title
 * @param {string} [className] besides "panel"
 * @returns {{element: HTMLElement, body: HTMLElement, note: HTMLElement, tools: HTMLElement}}
 *   `note` stands quietly beside the title, `tools` (buttons, tabs) at the right end of the head
 */
export function panel(services, titleKey, className = '') {
  const id = `panel-title-${(made += 1)}`;
  const note = h('span', { class: 'panel-note' });
  const tools = h('div', { class: 'panel-tools' });
  const body = h('div', { class: 'panel-body' });
  const title = h('h2', { class: 'heading', id, t: titleKey });
  const head = h('div', { class: 'panel-head' }, title, note, tools);
  const element = h('section', { class: `panel ${className}`.trim(), 'aria-labelledby': id }, head, body);
  return { element, body, note, tools };
}
