// @ts-check
/** A cell of a grid pointed at: by the pointer, by the arrow keys, by touch. */

/** @typedef {[number, number]} Cell column, row */
/**
 * @typedef {object} Told
 * @property {() => [number, number]} size columns and rows
 * @property {(x: number, y: number) => Cell | null} find the cell under a pixel
 * @property {(cell: Cell | null, keyed: boolean) => void} moved
 * @property {(cell: Cell) => void} [picked]
 * @property {Cell} [first] where the keys begin
 */

const MOVES = /** @type {Record<string, [number, number]>} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
});

export class Cursor {
  /** @param {import('fallline/maps/drawn').Drawn} map @param {Told} told rows are counted from the top */
  constructor(map, told) {
    this.told = told;
    /** @type {Cell | null} */
    this.cell = null;
    this.keyed = false;
    const { canvas } = map;
    const point = (/** @type {PointerEvent} */ event) => {
      const [x, y] = map.at(event);
      this.move(told.find(x, y), false);
    };
    canvas.addEventListener('pointermove', point);
    canvas.addEventListener('pointerleave', () => this.move(null, false));
    canvas.addEventListener('click', (event) => {
      const [x, y] = map.at(event);
      const cell = told.find(x, y);
      this.move(cell, false);
      if (cell) told.picked?.(cell);
    });
    canvas.addEventListener('blur', () => this.move(null, false));
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  /** @param {Cell | null} cell @param {boolean} keyed */
  move(cell, keyed) {
    this.keyed = keyed;
    if (String(cell) === String(this.cell)) return;
    this.cell = cell;
    this.told.moved(cell, keyed);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const [columns, rows] = this.told.size();
    const by = MOVES[event.key];
    if (by && columns && rows) {
      const from = this.cell;
      const held = (/** @type {number} */ v, /** @type {number} */ n) => Math.min(n - 1, Math.max(0, v));
      const [first, second] = this.told.first ?? [0, 0];
      this.move(
        from ? [held(from[0] + by[0], columns), held(from[1] + by[1], rows)] : [held(first, columns), held(second, rows)],
        true,
      );
    } else if (event.key === 'Escape' && this.cell) this.move(null, true);
    else if (event.key === 'Enter' && this.cell && this.told.picked) this.told.picked(this.cell);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** The data are others: stay where there still is a cell. */
  hold() {
    const [columns, rows] = this.told.size();
    if (this.cell && (this.cell[0] >= columns || this.cell[1] >= rows)) this.cell = null;
  }
}
