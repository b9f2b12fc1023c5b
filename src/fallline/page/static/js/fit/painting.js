// @ts-check
/** Painting: a click adds a point, a drag some, Alt or the eraser takes them away; by keyboard, too. */

/** @typedef {import('fallline/fit/plane').Plane} Plane */

const MOST = 2000;
const ERASER = 18;
/** Pixels between two painted points. */
const STRIDE = 13;
const NEAR = 12;

/** @param {number} value */
const onRaster = (value) => Math.round(100 * value) / 100;

export class Painting {
  /**
   * @param {Plane} plane
   * @param {{changed: () => void, hovered: (point: number) => void, full: () => void}} told
   */
  constructor(plane, told) {
    this.plane = plane;
    this.told = told;
    /** @type {'paint' | 'erase'} */
    this.tool = 'paint';
    /** Can points be painted now? Those of a table stay. */
    this.enabled = true;
    /** @type {{x: number, y: number} | null} where the last point of a stroke was set */
    this.last = null;
    this.down = false;
    /** @type {{x: number, y: number} | null} moved by the arrow keys */
    this.cross = null;
    const { canvas } = plane;
    canvas.addEventListener('pointerdown', (event) => this.onDown(event));
    canvas.addEventListener('pointermove', (event) => this.onMove(event));
    canvas.addEventListener('pointerup', () => this.lift());
    canvas.addEventListener('pointercancel', () => this.lift());
    canvas.addEventListener('pointerleave', () => this.leave());
    canvas.addEventListener('keydown', (event) => this.onKey(event));
    canvas.addEventListener('blur', () => this.leave());
  }

  /** @param {{altKey: boolean, buttons?: number}} event */
  erases(event) {
    return this.tool === 'erase' || event.altKey || event.buttons === 2;
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    const place = this.plane.place(event);
    if (!place || !this.enabled) return;
    this.plane.canvas.setPointerCapture(event.pointerId);
    this.down = true;
    this.cross = null;
    this.act(place, this.erases(event));
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const place = this.plane.place(event);
    const erase = this.erases(event);
    if (!place) {
      if (!this.down) this.leave();
      return;
    }
    if (this.down && this.enabled) {
      for (const one of event.getCoalescedEvents?.() ?? [event]) {
        const along = this.plane.place(one);
        if (along) this.act(along, erase);
      }
    }
    const near = this.down ? -1 : this.plane.nearest(place, NEAR);
    this.hover(near);
    const shown = this.enabled && (erase || near < 0) && event.pointerType !== 'touch';
    this.plane.brush = shown ? { ...place, erase, radius: erase ? ERASER : 7 } : null;
    this.plane.dirty = true;
  }

  /** @param {number} point */
  hover(point) {
    if (point !== this.plane.hovered) {
      this.plane.hovered = point;
      this.plane.dirty = true;
      this.told.hovered(point);
    }
  }

  lift() {
    this.down = false;
    this.last = null;
  }

  leave() {
    this.plane.brush = null;
    this.plane.dirty = true;
    this.cross = null;
    this.hover(-1);
  }

  /** Add or take away at a place. @param {{x: number, y: number}} place @param {boolean} erase */
  act(place, erase) {
    const { plane } = this;
    if (erase) {
      const before = plane.points.length;
      for (let near = plane.nearest(place, ERASER); near >= 0; near = plane.nearest(place, ERASER)) {
        plane.points.splice(2 * near, 2);
      }
      if (plane.points.length !== before) this.changed();
      return;
    }
    const away = this.last
      ? Math.hypot(
          plane.across(place.x) - plane.across(this.last.x),
          plane.down(place.y) - plane.down(this.last.y),
        )
      : Infinity;
    if (away < STRIDE) return;
    if (plane.points.length >= 2 * MOST) {
      this.told.full();
      return;
    }
    this.last = place;
    plane.points.push(onRaster(place.x), onRaster(place.y));
    this.changed();
  }

  changed() {
    this.plane.hovered = -1;
    this.plane.dirty = true;
    this.told.changed();
  }

  /**
   * Arrow keys move a cross, Enter sets a point there, Delete takes the nearest away.
   * @param {KeyboardEvent} event
   */
  onKey(event) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const [x0, x1, y0, y1] = this.plane.window;
    if (by && this.enabled) {
      const size = event.shiftKey ? 10 : 1;
      const from = this.cross ?? { x: (x0 + x1) / 2, y: (y0 + y1) / 2 };
      this.cross = {
        x: Math.min(x1, Math.max(x0, from.x + (by[0] * size * (x1 - x0)) / 120)),
        y: Math.min(y1, Math.max(y0, from.y + (by[1] * size * (y1 - y0)) / 120)),
      };
      this.plane.brush = { ...this.cross, erase: this.tool === 'erase', radius: 9 };
      this.plane.dirty = true;
    } else if (event.key === 'Enter' && this.cross && this.enabled) {
      this.last = null;
      this.act(this.cross, this.tool === 'erase');
      this.last = null;
    } else if (['Delete', 'Backspace'].includes(event.key) && this.cross && this.enabled) {
      this.act(this.cross, true);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
