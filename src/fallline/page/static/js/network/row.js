// @ts-check
/** The runs beside one another, as a row of buttons: which one is looked at, in what it differs, how it stands. */
import { h } from 'fallline/dom';
import { changeText } from 'fallline/network/state';
import { colourOf } from 'fallline/panels/colours';

/** @typedef {import('fallline/services').Services} Services */
/**
 * @typedef {object} Entry
 * @property {number} run @property {number | null} parent @property {string | null} finding
 * @property {{name: string, value: any}[]} changes
 * @property {string} phase @property {boolean} plain
 * @property {Record<string, any>} settings
 * @property {Record<string, any> | null} trained
 * @property {string | null} reason @property {string | null} sentence @property {number} best_epoch
 * @property {Record<string, any> | null} result
 * @property {string | null} saved
 * @property {string[]} notes
 */

/** Changes that are named on a button. */
const NAMED = 2;

/** A run's name in words. @param {Services} services @param {Entry} entry */
export function nameOf(services, entry) {
  const changes = entry.changes.slice(0, NAMED).map((change) => changeText(services, change));
  if (entry.changes.length > NAMED) changes.push('…');
  const run = services.t('network.run', { n: entry.run });
  const name = changes.length ? `${run} · ${changes.join(', ')}` : run;
  return entry.reason === 'non-finite' ? `${name} · ${services.t('network.diverged')}` : name;
}

/** The colour that a run keeps. @param {Entry} entry @param {'dark' | 'light'} theme */
export const colour = (entry, theme) => colourOf(entry.run - 1, theme);

export class Row {
  /** @param {Services} services @param {{select: (run: number) => void, forget: (run: number) => void}} told */
  constructor(services, told) {
    this.services = services;
    this.told = told;
    this.element = h('div', { class: 'row', role: 'group', label: 'network.runs' });
    this.mark = '';
  }

  /** @param {Entry[]} entries @param {number | null} selected @param {number | null} live */
  set(entries, selected, live) {
    const { services } = this;
    const shown = entries.map((entry) => [entry.run, nameOf(services, entry), entry.phase, entry.reason]);
    const mark = JSON.stringify([shown, selected, live, services.theme(), services.language()]);
    if (mark === this.mark) return;
    this.mark = mark;
    const focused = this.element.contains(document.activeElement)
      ? /** @type {HTMLElement} */ (document.activeElement).dataset.of : undefined;
    this.element.hidden = entries.length < 2;
    this.element.replaceChildren(...entries.map((entry) => this.chip(entry, entry.run === selected, entry.run === live)));
    if (focused) /** @type {HTMLElement | null} */ (this.element.querySelector(`[data-of="${focused}"]`))?.focus();
  }

  /** @param {Entry} entry @param {boolean} selected @param {boolean} live */
  chip(entry, selected, live) {
    const { services, told } = this;
    const swatch = h('i', { 'aria-hidden': 'true' });
    swatch.style.background = colour(entry, services.theme());
    const failed = entry.phase === 'failed' || entry.reason === 'non-finite';
    const sign = failed ? '!' : live ? '▶' : entry.phase === 'ended' ? '✓' : '❙❙';
    const state = failed ? 'failed' : live ? 'running' : entry.phase === 'ended' ? 'ended' : 'paused';
    const name = nameOf(services, entry);
    return h('span', { class: selected ? 'chip selected' : 'chip' },
      h('button', {
        type: 'button', class: 'chip-name', 'aria-pressed': String(selected), title: name, 'data-of': `run ${entry.run}`,
        onclick: () => told.select(entry.run),
      }, swatch, h('span', {}, name), h('small', { 'aria-hidden': 'true' }, sign),
      h('span', { class: 'visually-hidden' }, services.t(`network.state.${state}`))),
      h('button', {
        type: 'button', class: 'chip-away', label: 'network.forget', values: { n: entry.run }, 'data-of': `forget ${entry.run}`,
        onclick: () => told.forget(entry.run),
      }, '✕'));
  }
}
