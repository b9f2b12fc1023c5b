// @ts-check
/** What a hand does on a picture of the terrain: turn, drop, scatter, look at a ball. */
import { svg } from 'fallline/dom';

/** @typedef {import('fallline/scene/scene').Scene} Scene */
/** @typedef {'orbit'|'drop'|'scatter'|'inspect'} Tool */
/**
 * @typedef {object} Hands
 * @property {() => Tool} tool
 * @property {() => boolean} choosing is a place being asked for?
 * @property {(place: {x: number, y: number}) => void} ondrop normalised
 * @property {(place: {x: number, y: number}, radius: number) => void} onscatter normalised
 * @property {(ball: number) => void} onhover -1 for none
 * @property {(ball: number) => void} onpin
 */

/**
 * @typedef {object} Drag
 * @property {number} x where it began, on the screen
 * @property {number} y
 * @property {boolean} moved is it more than a click?
 * @property {{x: number, y: number}|null} scatter the place it began at, if it scatters
 * @property {boolean} touch
 */

const CLICK = 5;
const REACH = 12;
const TOUCH_REACH = 26;
/** A scatter that was not dragged has this radius, in half widths of the window. */
const RADIUS = 0.12;
const LEAST_RADIUS = 0.02;
const CORNERS = 48;

export class Pointer {
  /**
   * The scene turns itself when it is dragged. The listeners here are on the element around its canvas, so
   * that a drag that scatters can be kept from it.
   * @param {HTMLElement} frame around the canvas
   * @param {Scene} scene
   * @param {Hands} hands
   * @param {{turns: boolean}} options whether a drag turns the scene
   */
  constructor(frame, scene, hands, options) {
    this.scene = scene;
    this.hands = hands;
    this.turns = options.turns;
    this.outline = svg('path', { class: 'scatter' });
    this.over = svg('svg', { class: 'over', 'aria-hidden': 'true' }, this.outline);
    /** Pointers that are down. @type {Set<number>} */
    this.down = new Set();
    /** @type {Drag|null} */
    this.drag = null;
    this.radius = LEAST_RADIUS;
    /** The ball that the hand was over last, -1 for none. */
    this.hovered = -1;
    const first = { capture: true };
    frame.addEventListener('pointerdown', (event) => this.pressed(event), first);
    frame.addEventListener('pointermove', (event) => this.moved(event), first);
    frame.addEventListener('pointerup', (event) => this.released(event), first);
    frame.addEventListener('pointercancel', (event) => this.cancelled(event), first);
    frame.addEventListener('pointerleave', () => this.hands.onhover(-1));
  }

  /** @param {PointerEvent} event */
  pressed(event) {
    if (event.button > 0) {
      return;
    }
    this.down.add(event.pointerId);
    this.hands.onhover(-1);
    if (this.down.size > 1) {
      // Two fingers are for the scene: they zoom.
      this.forget();
      return;
    }
    const tool = this.hands.tool();
    const scatters = event.shiftKey || tool === 'scatter' || (!this.turns && tool !== 'inspect');
    const scatter = scatters ? this.scene.pick(event.clientX, event.clientY) : null;
    this.drag = {
      x: event.clientX,
      y: event.clientY,
      moved: false,
      scatter,
      touch: event.pointerType === 'touch',
    };
    if (scatter) {
      /** @type {Element} */ (event.target).setPointerCapture(event.pointerId);
      event.stopPropagation();
    }
  }

  /** @param {PointerEvent} event */
  moved(event) {
    if (!this.down.has(event.pointerId)) {
      if (!this.down.size && event.pointerType !== 'touch') {
        this.hovered = this.scene.nearest(event.clientX, event.clientY, REACH);
        this.hands.onhover(this.hovered);
      }
      return;
    }
    if (!this.drag) {
      return;
    }
    const far = Math.hypot(event.clientX - this.drag.x, event.clientY - this.drag.y);
    this.drag.moved ||= far > CLICK;
    if (this.drag.moved && this.drag.scatter) {
      const to = this.scene.pick(event.clientX, event.clientY);
      if (to) {
        this.radius = Math.hypot(to.x - this.drag.scatter.x, to.y - this.drag.scatter.y);
      }
      this.draw(this.drag.scatter, this.radius);
    }
  }

  /** @param {PointerEvent} event */
  released(event) {
    this.down.delete(event.pointerId);
    const { drag } = this;
    this.forget();
    if (!drag) {
      return;
    }
    const tool = this.hands.tool();
    if (drag.scatter && (drag.moved || event.shiftKey || tool === 'scatter')) {
      this.hands.onscatter(drag.scatter, drag.moved ? Math.max(LEAST_RADIUS, this.radius) : RADIUS);
    } else if (!drag.moved) {
      this.clicked(event, tool, drag.touch);
    }
  }

  /**
   * @param {PointerEvent} event
   * @param {Tool} tool
   * @param {boolean} touch
   */
  clicked(event, tool, touch) {
    const reach = touch ? TOUCH_REACH : REACH;
    const nearest = tool === 'drop' ? -1 : this.scene.nearest(event.clientX, event.clientY, reach);
    // Of balls that lie together, the one that was looked at.
    const ball = nearest >= 0 && this.hovered >= 0 ? this.hovered : nearest;
    const place = this.scene.pick(event.clientX, event.clientY);
    if (ball >= 0 && !this.hands.choosing()) {
      this.hands.onpin(ball);
    } else if (place && (tool !== 'inspect' || this.hands.choosing())) {
      this.hands.ondrop(place);
    }
  }

  /** @param {PointerEvent} event */
  cancelled(event) {
    this.down.delete(event.pointerId);
    this.forget();
  }

  forget() {
    this.drag = null;
    this.outline.removeAttribute('d');
  }

  /**
   * The circle that is being scattered over, laid on the terrain.
   * @param {{x: number, y: number}} centre
   * @param {number} radius
   */
  draw(centre, radius) {
    const parts = [];
    for (let corner = 0; corner < CORNERS; corner += 1) {
      const angle = (2 * Math.PI * corner) / CORNERS;
      const x = Math.max(-1, Math.min(1, centre.x + radius * Math.cos(angle)));
      const y = Math.max(-1, Math.min(1, centre.y + radius * Math.sin(angle)));
      const [left, top] = this.scene.project(x, y, 0.01);
      parts.push(`${corner ? 'L' : 'M'}${left.toFixed(1)} ${top.toFixed(1)}`);
    }
    this.outline.setAttribute('d', `${parts.join('')}Z`);
  }
}
