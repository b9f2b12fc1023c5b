// @ts-check
/** What a hand does on a picture of the terrain: turn, drop, scatter, look at a ball. */
import { svg } from 'fallline/dom';

/** @typedef {import('fallline/scene/scene').Scene} Scene */
/** @typedef {'orbit'|'drop'|'scatter'|'inspect'} Tool */
/**
 * @typedef {object} Hands
 * @property {() => Tool} tool
 * @property {(place: {x: number, y: number}) => void} ondrop normalised
 * @property {(place: {x: number, y: number}, radius: number) => void} onscatter normalised
 * @property {(ball: number) => void} onhover -1 for none
 * @property {(ball: number) => void} onpin
 * @property {() => void} onmoved the camera has moved
 */

const CLICK = 5;
const REACH = 12;
const TOUCH_REACH = 26;
const TURN = 0.0062;
/** A scatter that was hardly dragged has this radius. */
const LEAST_RADIUS = 0.02;
const CORNERS = 48;

export class Pointer {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Scene} scene
   * @param {Hands} hands
   * @param {{turns: boolean}} options whether a drag turns the camera
   */
  constructor(canvas, scene, hands, options) {
    this.canvas = canvas;
    this.scene = scene;
    this.hands = hands;
    this.turns = options.turns;
    this.over = svg('svg', { class: 'over', 'aria-hidden': 'true' });
    this.outline = svg('path', { class: 'scatter' });
    this.over.append(this.outline);
    /** Pointers that are down. @type {Map<number, {x: number, y: number}>} */
    this.down = new Map();
    /** @type {{x: number, y: number, moved: boolean, scatter: {x: number, y: number}|null, touch: boolean}|null} */
    this.drag = null;
    this.spread = 0;
    canvas.addEventListener('pointerdown', (event) => this.pressed(event));
    canvas.addEventListener('pointermove', (event) => this.moved(event));
    canvas.addEventListener('pointerup', (event) => this.released(event));
    canvas.addEventListener('pointercancel', (event) => this.cancelled(event));
    canvas.addEventListener('pointerleave', () => this.hands.onhover(-1));
    canvas.addEventListener('contextmenu', (event) => event.preventDefault());
    canvas.addEventListener('wheel', (event) => this.wheeled(event), { passive: false });
  }

  /** @param {PointerEvent} event */
  pressed(event) {
    if (event.button > 0) {
      return;
    }
    this.canvas.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.down.size > 1) {
      this.drag = null;
      this.outline.removeAttribute('d');
      this.spread = this.fingers();
      return;
    }
    const tool = this.hands.tool();
    const scatters = event.shiftKey || tool === 'scatter' || (!this.turns && tool === 'orbit');
    const scatter = scatters ? this.scene.pick(event.clientX, event.clientY) : null;
    const touch = event.pointerType === 'touch';
    this.drag = { x: event.clientX, y: event.clientY, moved: false, scatter, touch };
    this.hands.onhover(-1);
  }

  /** @param {PointerEvent} event */
  moved(event) {
    const before = this.down.get(event.pointerId);
    if (!before) {
      if (!this.down.size && event.pointerType !== 'touch') {
        this.hands.onhover(this.scene.nearest(event.clientX, event.clientY, REACH));
      }
      return;
    }
    const by = { x: event.clientX - before.x, y: event.clientY - before.y };
    this.down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.down.size > 1) {
      const spread = this.fingers();
      if (this.spread && spread && this.turns) {
        this.scene.zoom(this.spread / spread);
        this.hands.onmoved();
      }
      this.spread = spread;
      return;
    }
    if (!this.drag) {
      return;
    }
    const far = Math.hypot(event.clientX - this.drag.x, event.clientY - this.drag.y);
    this.drag.moved ||= far > CLICK;
    if (!this.drag.moved) {
      return;
    }
    if (this.drag.scatter) {
      this.draw(this.drag.scatter, this.radius(event));
    } else if (this.turns) {
      this.scene.orbit(-by.x * TURN, -by.y * TURN);
      this.hands.onmoved();
    }
  }

  /** @param {PointerEvent} event */
  released(event) {
    this.down.delete(event.pointerId);
    const drag = this.drag;
    this.drag = null;
    this.outline.removeAttribute('d');
    if (!drag) {
      return;
    }
    const tool = this.hands.tool();
    if (drag.scatter && (drag.moved || event.shiftKey || tool === 'scatter')) {
      this.hands.onscatter(drag.scatter, Math.max(LEAST_RADIUS, drag.moved ? this.radius(event) : 0.12));
      return;
    }
    if (drag.moved) {
      return;
    }
    const reach = drag.touch ? TOUCH_REACH : REACH;
    const ball = tool === 'drop' ? -1 : this.scene.nearest(event.clientX, event.clientY, reach);
    if (ball >= 0) {
      this.hands.onpin(ball);
    } else if (tool !== 'inspect') {
      const place = this.scene.pick(event.clientX, event.clientY);
      if (place) {
        this.hands.ondrop(place);
      }
    }
  }

  /** @param {PointerEvent} event */
  cancelled(event) {
    this.down.delete(event.pointerId);
    this.drag = null;
    this.outline.removeAttribute('d');
  }

  /** @param {WheelEvent} event */
  wheeled(event) {
    if (!this.turns) {
      return;
    }
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.scene.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY * lines)) * 0.0022));
    this.hands.onmoved();
  }

  /** The distance between two fingers. */
  fingers() {
    const [one, two] = [...this.down.values()];
    return one && two ? Math.hypot(one.x - two.x, one.y - two.y) : 0;
  }

  /** How far a scatter has been dragged, normalised. @param {PointerEvent} event */
  radius(event) {
    const from = this.drag?.scatter ?? null;
    const to = this.scene.pick(event.clientX, event.clientY);
    if (!from || !to) {
      return this.last ?? LEAST_RADIUS;
    }
    this.last = Math.hypot(to.x - from.x, to.y - from.y);
    return this.last;
  }

  /**
   * The circle that is being scattered over, laid on the terrain.
   * @param {{x: number, y: number}} centre
   * @param {number} radius
   */
  draw(centre, radius) {
    this.last = radius;
    const parts = [];
    for (let corner = 0; corner <= CORNERS; corner += 1) {
      const angle = (2 * Math.PI * corner) / CORNERS;
      const x = Math.max(-1, Math.min(1, centre.x + radius * Math.cos(angle)));
      const y = Math.max(-1, Math.min(1, centre.y + radius * Math.sin(angle)));
      const [left, top] = this.scene.project(x, y, 0.01);
      parts.push(`${corner ? 'L' : 'M'}${left.toFixed(1)} ${top.toFixed(1)}`);
    }
    this.outline.setAttribute('d', `${parts.join('')}Z`);
  }
}
