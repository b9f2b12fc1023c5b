// @ts-check
/** The loss of a run: of each batch faint, its average strong, on validation rows beside; or of several runs. */
import { segmented } from 'fallline/controls';
import { Panel } from 'fallline/panels/base';
import { colourOf } from 'fallline/panels/colours';
import { brief } from 'fallline/panels/format';
import { Lines } from 'fallline/panels/lines';
import { known } from 'fallline/panels/reading';

/** @typedef {import('fallline/panels/reading').Values} Values */
/** @typedef {import('fallline/panels/marks').Mark} Mark */
/**
 * @typedef {object} LossRun
 * @property {string} name
 * @property {string} [colour]
 * @property {Record<string, Values>} curves of a card: step, loss, smooth
 * @property {Record<string, Values>} [epochs] of a card: step, validation_loss
 * @property {number} [best_epoch] of a card; by the least validation loss, if left out
 * @property {Mark[]} [marks] besides the best epoch
 */

/** The best epoch, with its last step. @param {Record<string, Values>} [epochs] @param {number} [named] */
export function bestOf(epochs, named = 0) {
  const losses = epochs?.validation_loss ?? [];
  const steps = epochs?.step ?? [];
  const first = known(steps[0]) && steps[0] > 0 ? steps[0] : 1;
  const epochOf = (/** @type {any} */ step) => Math.ceil(step / first - 1e-9);
  let best = named > 0 ? steps.findIndex((step, i) => known(losses[i]) && epochOf(step) === named) : -1;
  if (best < 0) {
    losses.forEach((value, i) => {
      if (known(value) && (best < 0 || value < /** @type {number} */ (losses[best]))) best = i;
    });
  }
  const step = steps[best];
  if (best < 0 || !known(step)) return null;
  return { step, loss: /** @type {number} */ (losses[best]), epoch: epochOf(step) };
}

/** @extends {Panel<{runs: LossRun[]}, {}>} */
export class Losses extends Panel {
  /** @param {HTMLElement} element @param {import('fallline/panels/base').Given} services @param {{}} [options] */
  constructor(element, services, options = {}) {
    super(element, services, options);
    this.which = segmented(/** @type {any} */ ({ touched: () => {}, ...services }), {
      label: 'panels.which',
      value: 'training',
      options: [
        { value: 'training', t: 'panels.training' },
        { value: 'validation', t: 'panels.validation' },
      ],
      onchange: () => this.render(),
    });
    this.which.element.classList.add('losses-which');
    this.lines = new Lines(element, services, {
      place: (x) => this.epochAt(x),
      empty: 'panels.noLosses',
      tools: [this.which.element],
    });
    this.render();
  }

  /** @param {{runs: LossRun[]} | null} data */
  set(data) {
    if (data === this.data) return;
    this.data = data ?? null;
    this.render();
  }

  render() {
    const runs = this.data?.runs ?? [];
    const several = runs.length > 1;
    const watched = runs.some(({ epochs }) => epochs?.validation_loss?.some(known));
    this.which.element.hidden = !several || !watched;
    const lines = several ? this.many(runs, watched) : runs.flatMap((run) => this.one(run));
    const marks = several ? runs.flatMap((run) => run.marks ?? []) : runs.flatMap((run) => this.marksOf(run));
    this.lines.set({ lines, xKey: 'panels.step', yKey: 'panels.loss', marks });
  }

  /** @param {LossRun} run @returns {import('fallline/panels/lines').Line[]} */
  one(run) {
    const { t } = this.services;
    const { curves, epochs } = run;
    const colour = run.colour ?? colourOf(0, this.services.theme());
    const second = colourOf(1, this.services.theme());
    const raw = {
      name: t('panels.batch'),
      colour,
      x: curves?.step ?? [],
      y: curves?.loss ?? [],
      faint: true,
      dash: [],
    };
    const smooth = { name: t('panels.average'), colour, x: raw.x, y: curves?.smooth ?? [], dash: [] };
    const lines = smooth.y.some(known) ? [raw, smooth] : [{ ...raw, faint: false }];
    if (!epochs?.validation_loss?.some(known)) return lines;
    const validation = {
      name: t('panels.validation'),
      colour: second,
      x: epochs.step ?? [],
      y: epochs.validation_loss,
      dash: [7, 3.5],
      points: true,
    };
    return [...lines, validation];
  }

  /** @param {LossRun[]} runs @param {boolean} watched @returns {import('fallline/panels/lines').Line[]} */
  many(runs, watched) {
    const validation = watched && this.which.value === 'validation';
    return runs.map(({ name, colour, curves, epochs }) =>
      validation
        ? { name, colour, x: epochs?.step ?? [], y: epochs?.validation_loss ?? [], points: true }
        : {
            name,
            colour,
            x: curves?.step ?? [],
            y: curves?.smooth?.some(known) ? curves.smooth : (curves?.loss ?? []),
          },
    );
  }

  /** @param {LossRun} run @returns {Mark[]} */
  marksOf(run) {
    const best = bestOf(run.epochs, run.best_epoch);
    const known_ = run.marks ?? [];
    if (!best) return known_;
    const name = this.services.t('panels.bestEpoch', { epoch: best.epoch });
    return [...known_, { x: best.step, y: best.loss, name }];
  }

  /** @param {number} x a step */
  epochAt(x) {
    const runs = this.data?.runs ?? [];
    const each = runs.length === 1 ? runs[0].epochs?.step?.[0] : null;
    if (!known(each) || each <= 0 || !runs[0].epochs?.step?.[1]) return '';
    return this.services.t('panels.epochAt', { epoch: brief(Math.floor((10 * x) / each) / 10, 6) });
  }

  retheme() {
    this.render();
  }

  resize() {
    this.lines?.resize();
  }

  dispose() {
    this.lines.dispose();
    super.dispose();
  }

  get test() {
    const runs = this.data?.runs ?? [];
    return {
      ...this.lines.test,
      best: runs.length === 1 ? bestOf(runs[0].epochs, runs[0].best_epoch) : null,
      which: this.which.value,
    };
  }
}
