// @ts-check
/**
 * The hand on the block: dragging turns it, the wheel and two fingers bring it closer, dragging with the
 * other button or with two fingers moves it. Dragging with shift is left to the page, and so is whatever the
 * page stops on its way to the canvas.
 */

/** @typedef {import('fallline/scene/camera').BlockCamera} BlockCamera */

/** Radians for a pixel. */
const TURN = 0.0068;
/** Of the logarithm of the distance for a pixel of the wheel. */
const WHEEL = 0.0016;

export class Hand {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {BlockCamera} eye
   * @param {() => void} moved called whenever the hand has moved the eye
   */
  constructor(canvas, eye, moved) {
    this.canvas = canvas;
    this.eye = eye;
    this.moved = moved;
    /** Where the pointers that are down were last. @type {Map<number, {x: number, y: number}>} */
    this.down = new Map();
    canvas.style.touchAction = 'none';
    canvas.addEventListener('pointerdown', this.#press);
    canvas.addEventListener('pointermove', this.#move);
    canvas.addEventListener('pointerup', this.#release);
    canvas.addEventListener('pointercancel', this.#release);
    canvas.addEventListener('lostpointercapture', this.#release);
    canvas.addEventListener('contextmenu', this.#menu);
    canvas.addEventListener('wheel', this.#wheel, { passive: false });
  }

  dispose() {
    const { canvas } = this;
    canvas.removeEventListener('pointerdown', this.#press);
    canvas.removeEventListener('pointermove', this.#move);
    canvas.removeEventListener('pointerup', this.#release);
    canvas.removeEventListener('pointercancel', this.#release);
    canvas.removeEventListener('lostpointercapture', this.#release);
    canvas.removeEventListener('contextmenu', this.#menu);
    canvas.removeEventListener('wheel', this.#wheel);
  }

  /** @param {PointerEvent} event */
  #press = (event) => {
    if (event.shiftKey || event.button === 1) return;
    try {
      this.canvas.setPointerCapture(event.pointerId);
    } catch {
      // A pointer that is already gone cannot be held.
    }
    this.down.set(event.pointerId, { x: event.clientX, y: event.clientY });
  };

  /** @param {PointerEvent} event */
  #move = (event) => {
    const last = this.down.get(event.pointerId);
    if (!last) return;
    const before = this.#fingers();
    const [across, along] = [event.clientX - last.x, event.clientY - last.y];
    last.x = event.clientX;
    last.y = event.clientY;
    const after = this.#fingers();
    if (before && after) {
      this.eye.zoom(after / before);
      this.eye.slide(across / 2 / this.canvas.clientHeight, along / 2 / this.canvas.clientHeight);
    } else if (event.buttons === 2 || event.ctrlKey || event.metaKey) {
      this.eye.slide(across / this.canvas.clientHeight, along / this.canvas.clientHeight);
    } else {
      this.eye.orbit(-across * TURN, -along * TURN);
    }
    this.moved();
  };

  /** @param {PointerEvent} event */
  #release = (event) => {
    this.down.delete(event.pointerId);
  };

  /** @param {Event} event */
  #menu = (event) => event.preventDefault();

  /** @param {WheelEvent} event */
  #wheel = (event) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 18 : event.deltaMode === 2 ? 400 : 1);
    // A pinch on a touchpad comes as a wheel with ctrl, in small steps.
    const strength = event.ctrlKey ? 6 * WHEEL : WHEEL;
    this.eye.zoom(Math.exp(-Math.max(-0.5, Math.min(0.5, pixels * strength))));
    this.moved();
  };

  /** The distance between two fingers, 0 if there are not two. */
  #fingers() {
    if (this.down.size !== 2) return 0;
    const [one, two] = [...this.down.values()];
    return Math.hypot(one.x - two.x, one.y - two.y);
  }
}
