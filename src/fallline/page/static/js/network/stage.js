// @ts-check
/** The middle: the losses, large; beneath them what the model says and where it errs. */
import { h } from 'fallline/dom';
import { Boundary } from 'fallline/maps/boundary';
import { Confusion } from 'fallline/maps/confusion';
import { Residuals } from 'fallline/maps/residuals';
import { Head } from 'fallline/network/head';
import { Row, colour, nameOf } from 'fallline/network/row';
import { panel } from 'fallline/panels/frame';
import { Losses } from 'fallline/panels/losses';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/network/row').Entry} Entry */

/** Beside others, a run that diverged is drawn up to so many times the highest first loss. */
const TOO_HIGH = 10;

/**
 * Columns without what is too high to be seen beside other runs.
 * @param {Record<string, (number | null)[]>} columns @param {string[]} names @param {number} limit
 */
function cutOff(columns, names, limit) {
  if (!(limit > 0)) return columns;
  const kept = (/** @type {(number | null)[]} */ values) => values.map((value) => (value !== null && value > limit ? null : value));
  return { ...columns, ...Object.fromEntries(names.map((name) => [name, kept(columns[name] ?? [])])) };
}

export class Stage {
  /**
   * @param {Services} services
   * @param {{select: (run: number) => void, forget: (run: number) => void, save: () => void}} told
   */
  constructor(services, told) {
    this.services = services;
    this.head = new Head(services, told);
    this.row = new Row(services, told);
    const frame = (/** @type {string} */ name, /** @type {string} */ title) => panel(services, title, `panel-${name}`);
    this.boxes = {
      losses: frame('losses', 'network.losses'),
      boundary: frame('boundary', 'network.boundary'),
      confusion: frame('confusion', 'network.confusion'),
      residuals: frame('residuals', 'network.residuals'),
    };
    const { losses, boundary, confusion, residuals } = this.boxes;
    this.losses = new Losses(losses.body, services);
    this.boundary = new Boundary(boundary.body, services);
    this.confusion = new Confusion(confusion.body, services);
    this.residuals = new Residuals(residuals.body, services);
    this.below = h('div', { class: 'below' }, boundary.element, confusion.element, residuals.element);
    this.element = h('div', { class: 'stage' }, this.head.element, this.row.element, losses.element, this.below);
    this.arrange(null);
  }

  get panels() {
    return [this.losses, this.boundary, this.confusion, this.residuals];
  }

  /**
   * The losses of all runs that have any.
   * @param {Entry[]} entries @param {Record<number, any>} curves by run
   */
  draw(entries, curves) {
    const { services } = this;
    const drawn = entries.filter(({ run }) => curves[run]?.curves.step.length);
    const several = drawn.length > 1;
    const limit = TOO_HIGH * Math.max(...drawn.map(({ run }) => curves[run].curves.loss[0] ?? 0));
    const runs = drawn.map((entry) => {
      const { curves: steps, per_epoch: epochs } = curves[entry.run];
      const diverged = several && entry.reason === 'non-finite';
      return {
        name: nameOf(services, entry),
        colour: several ? colour(entry, services.theme()) : undefined,
        curves: diverged ? cutOff(steps, ['loss', 'smooth'], limit) : steps,
        epochs: diverged ? cutOff(epochs, ['validation_loss'], limit) : epochs,
      };
    });
    this.losses.set(runs.length ? { runs } : null);
    this.element.classList.toggle('empty', !entries.length);
  }

  /** @param {any} seen the instruments of the run that is looked at, or null */
  show(seen) {
    this.arrange(seen);
    this.boundary.set(seen?.boundary ?? null);
    this.confusion.set(seen?.confusion ?? null);
    this.residuals.set(seen?.residuals ?? null);
  }

  /** Panels that have something to show. @param {any} seen */
  arrange(seen) {
    const { boundary, confusion, residuals } = this.boxes;
    boundary.element.hidden = !seen?.boundary;
    residuals.element.hidden = !seen?.residuals;
    confusion.element.hidden = !seen?.confusion;
    this.below.hidden = !seen?.boundary && !seen?.residuals && !seen?.confusion;
    this.below.classList.toggle('two', [boundary, confusion, residuals].filter(({ element }) => !element.hidden).length > 1);
  }

  retheme() {
    for (const one of this.panels) one.retheme();
  }

  retranslate() {
    for (const one of this.panels) one.retranslate();
  }
}
