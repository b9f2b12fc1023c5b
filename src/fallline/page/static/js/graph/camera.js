// @ts-check
/** Moving over the drawing: drag, wheel, pinch, keys; and back to where all of it is seen. */

const LEAST = 0.04;
const MOST = 4;

export class Camera {
  /**
   * @param {SVGElement} host takes the pointer
   * @param {SVGElement} world is moved
   * @param {() => void} onmoved
   */
  constructor(host, world, onmoved) {
    this.host = host;
    this.world = world;
    this.onmoved = onmoved;
    this.x = 0;
    this.y = 0;
    this.scale = 1;
    /** Has the user moved it since all was in view? */
    this.own = false;
    /** @type {Map<number, {x: number, y: number}>} */
    this.pointers = new Map();
    this.dragged = false;
    this.flight = 0;
    host.addEventListener('wheel', (event) => this.onWheel(/** @type {WheelEvent} */ (event)), {
      passive: false,
    });
    host.addEventListener('pointerdown', (event) => this.onDown(/** @type {PointerEvent} */ (event)));
    host.addEventListener('pointermove', (event) => this.onMove(/** @type {PointerEvent} */ (event)));
    for (const name of ['pointerup', 'pointercancel']) {
      host.addEventListener(name, (event) =>
        this.pointers.delete(/** @type {PointerEvent} */ (event).pointerId),
      );
    }
  }

  /** @param {number} x @param {number} y @param {number} scale */
  set(x, y, scale) {
    this.scale = Math.min(MOST, Math.max(LEAST, scale));
    this.x = x;
    this.y = y;
    this.world.setAttribute(
      'transform',
      `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${this.scale.toFixed(4)})`,
    );
    this.onmoved();
  }

  /** @returns {[number, number, number]} to be kept in an address */
  get view() {
    return [Math.round(this.x), Math.round(this.y), Number(this.scale.toFixed(3))];
  }

  /**
   * Show all of it.
   * @param {{width: number, height: number}} drawing
   * @param {{left: number, top: number, width: number, height: number}} room
   */
  fit(drawing, room) {
    cancelAnimationFrame(this.flight);
    this.own = false;
    const scale = Math.min(room.width / drawing.width, room.height / drawing.height, 1.3);
    this.set(
      room.left + (room.width - scale * drawing.width) / 2,
      room.top + (room.height - scale * drawing.height) / 2,
      scale,
    );
  }

  /** @param {number} factor @param {number} [x] kept where it is, from the left of the stage @param {number} [y] */
  zoom(factor, x, y) {
    cancelAnimationFrame(this.flight);
    const box = this.host.getBoundingClientRect();
    const [cx, cy] = [x ?? box.width / 2, y ?? box.height / 2];
    const scale = Math.min(MOST, Math.max(LEAST, this.scale * factor));
    const by = scale / this.scale;
    this.own = true;
    this.set(cx - by * (cx - this.x), cy - by * (cy - this.y), scale);
  }

  /**
   * Move just so far that a place can be seen.
   * @param {{x: number, y: number, width: number, height: number}} place in the drawing, its middle
   * @param {{left: number, top: number, width: number, height: number}} room
   * @param {boolean} still at once, without a flight
   */
  reveal(place, room, still) {
    const [px, py] = [this.x + this.scale * place.x, this.y + this.scale * place.y];
    const [w, h] = [(this.scale * place.width) / 2 + 24, (this.scale * place.height) / 2 + 24];
    const over = (
      /** @type {number} */ p,
      /** @type {number} */ half,
      /** @type {number} */ low,
      /** @type {number} */ size,
    ) => (p - half < low ? low + size * 0.35 - p : p + half > low + size ? low + size * 0.65 - p : 0);
    const dx = over(px, w, room.left, room.width);
    const dy = over(py, h, room.top, room.height);
    if (dx || dy) {
      this.fly(this.x + dx, this.y + dy, still ? 0 : 280);
    }
  }

  /** @param {number} x @param {number} y @param {number} duration in milliseconds */
  fly(x, y, duration) {
    cancelAnimationFrame(this.flight);
    if (!duration) {
      this.set(x, y, this.scale);
      return;
    }
    const [x0, y0, start] = [this.x, this.y, performance.now()];
    const frame = (/** @type {number} */ now) => {
      const share = Math.min(1, Math.max(0, (now - start) / duration));
      const eased = share * share * (3 - 2 * share);
      this.set(x0 + eased * (x - x0), y0 + eased * (y - y0), this.scale);
      if (share < 1) {
        this.flight = requestAnimationFrame(frame);
      }
    };
    this.flight = requestAnimationFrame(frame);
  }

  /** @param {WheelEvent} event */
  onWheel(event) {
    event.preventDefault();
    const box = this.host.getBoundingClientRect();
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 240 : 1;
    // A pinch on a touch pad comes as a wheel with Ctrl, in smaller steps.
    const factor = Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.012 : 0.0016));
    this.zoom(Math.min(3, Math.max(1 / 3, factor)), event.clientX - box.left, event.clientY - box.top);
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    if (event.button > 0) {
      return;
    }
    this.dragged = false;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      return;
    }
    const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
    if (!this.dragged && Math.hypot(dx, dy) < 4 && this.pointers.size === 1) {
      return;
    }
    if (!this.dragged) {
      this.dragged = true;
      cancelAnimationFrame(this.flight);
      this.host.setPointerCapture(event.pointerId);
    }
    const now = { x: event.clientX, y: event.clientY };
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    this.own = true;
    if (!other) {
      this.set(this.x + dx, this.y + dy, this.scale);
      return;
    }
    const box = this.host.getBoundingClientRect();
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(now.x - other.x, now.y - other.y);
    this.set(this.x + dx / 2, this.y + dy / 2, this.scale);
    if (was > 1) {
      this.zoom(is / was, (now.x + other.x) / 2 - box.left, (now.y + other.y) / 2 - box.top);
    }
  }
}
