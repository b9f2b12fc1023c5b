// @ts-check
/** The learning rate range test: the loss while the rate grows, and the rate that was chosen. */
import { Panel } from 'fallline/panels/base';
import { colourOf } from 'fallline/panels/colours';
import { brief } from 'fallline/panels/format';
import { Lines } from 'fallline/panels/lines';
import { extent, known, nearest } from 'fallline/panels/reading';

/** @typedef {import('fallline/panels/reading').Values} Values */
/** @typedef {{learning_rates: number[], losses: Values, chosen: number | null, smooth?: Values | null}} RangeData */

/** Losses this many times apart want a logarithmic axis. */
const LIKE = 4;

/** @extends {Panel<RangeData, {}>} */
export class RangeTest extends Panel {
  /** @param {HTMLElement} element @param {import('fallline/panels/base').Given} services @param {{}} [options] */
  constructor(element, services, options = {}) {
    super(element, services, options);
    this.lines = new Lines(element, services, { empty: 'panels.noRangeTest' });
    this.render();
  }

  render() {
    const { data, services } = this;
    if (!data) {
      this.lines.set(null);
      return;
    }
    const colour = colourOf(0, services.theme());
    const { learning_rates: x, losses, smooth, chosen } = data;
    const raw = { name: services.t('panels.rawLoss'), colour, x, y: losses, dash: [] };
    const lines = smooth?.some(known)
      ? [
          { ...raw, faint: true },
          { name: services.t('panels.average'), colour, x, y: smooth, dash: [] },
        ]
      : [raw];
    const rows = { x, y: lines[lines.length - 1].y };
    const at = known(chosen) ? nearest(rows, chosen) : -1;
    const near = at >= 0 && known(chosen) && chosen >= x[0] && chosen <= x[x.length - 1];
    const name = services.t('panels.chosen', { rate: brief(chosen, 3) });
    // What falls by half is easily seen; beside what shoots up to a hundred it is not, but in logarithms.
    const { low, high } = extent([rows], null);
    this.lines.set({
      lines,
      log: low > 0 && high > LIKE * low,
      logX: true,
      xKey: 'panels.rate',
      yKey: 'panels.loss',
      marks: known(chosen) && chosen > 0 ? [{ x: chosen, y: near ? rows.y[at] : null, name }] : [],
    });
  }

  resize() {
    this.lines?.resize();
  }

  dispose() {
    this.lines.dispose();
    super.dispose();
  }

  get test() {
    return { ...this.lines.test, chosen: this.data?.chosen ?? null };
  }
}
