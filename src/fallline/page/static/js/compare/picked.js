// @ts-check
/** The heat map of a sweep with a frame around the cell that is told of beside it. */
import { HeatMap } from 'fallline/maps/heat';

const INSET = 3.5;
/** @type {[number, string][]} */
const STROKES = [[4, '#0b0e14'], [2, '#ffffff']];

export class PickedMap extends HeatMap {
  /** @type {number[] | null} */
  picked = null;

  /** @param {number[] | null} cell i, j */
  pick(cell) {
    this.picked = cell;
    this.changed();
  }

  paint() {
    super.paint();
    const { context: pen, data, picked } = this;
    if (!data || !picked) return;
    const { x0, y0, wide, tall } = this.cells;
    const [left, top] = [x0 + picked[0] * wide, y0 + this.upward(picked[1]) * tall];
    // Dark within light, so that it is seen on every colour; inside the frame of the best.
    pen.beginPath();
    pen.roundRect(left + INSET, top + INSET, Math.max(1, wide - 2 * INSET), Math.max(1, tall - 2 * INSET), 3);
    for (const [width, colour] of STROKES) {
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.stroke();
    }
  }
}
