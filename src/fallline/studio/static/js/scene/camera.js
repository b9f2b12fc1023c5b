// @ts-check
/** The two ways to look: around the block in perspective, and straight down on the map. */
import { OrbitControls, OrthographicCamera, PerspectiveCamera, Vector3 } from 'three';
import { RAISE } from 'fallline/scene/relief';
import { BASE } from 'fallline/scene/block';

/** @typedef {Record<string, number>} CameraState plain numbers, for the URL */

const TARGET = [0, 0.1, 0];
/** From the target to the eye. */
const HOME = [2.05, 2.65, 3.45];
const FIELD = 28;
const LOWEST = 1.45;
const HIGHEST = 0.06;
const ZOOMS = [0.45, 5];

/** @param {number} value @param {number} low @param {number} high */
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** @param {number} value */
const short = (value) => Math.round(value * 1000) / 1000;

export class BlockCamera {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {boolean} reduced no motion after the hand has stopped
   * @param {() => void} moved called when the hand lets go
   */
  constructor(canvas, reduced, moved) {
    this.flat = false;
    this.camera = new PerspectiveCamera(FIELD, 1, 0.1, 60);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enableDamping = !reduced;
    this.controls.dampingFactor = 0.08;
    this.controls.minPolarAngle = HIGHEST;
    this.controls.maxPolarAngle = LOWEST;
    this.controls.addEventListener('end', moved);
    this.fit = Math.hypot(...HOME);
    this.camera.position.set(TARGET[0] + HOME[0], TARGET[1] + HOME[1], TARGET[2] + HOME[2]);
    this.controls.target.set(TARGET[0], TARGET[1], TARGET[2]);
    this.canvas = canvas;
    this.height = 1;
    this.changed = true;
    canvas.addEventListener('pointerdown', this.#leaveShift, { capture: true });
    this.controls.update();
  }

  /** Dragging with shift is the page's. @param {PointerEvent} event */
  #leaveShift = (event) => {
    this.controls.enabled = !event.shiftKey;
  };

  /** Pixels of the device for a unit at distance 1. */
  get pixels() {
    return this.height / (2 * Math.tan((FIELD * Math.PI) / 360));
  }

  get zoomed() {
    return this.fit / this.controls.getDistance();
  }

  /** @returns {boolean} whether anything moved since the last time */
  update() {
    const moved = this.controls.update() || this.changed;
    this.changed = false;
    return moved;
  }

  /** @param {number} width @param {number} height of the canvas in pixels of the device */
  resize(width, height) {
    const zoom = this.zoomed;
    this.height = height;
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.fit = this.#distance(width / height);
    this.controls.minDistance = this.fit / ZOOMS[1];
    this.controls.maxDistance = this.fit / ZOOMS[0];
    this.#move({ zoom });
  }

  /** @returns {CameraState} */
  get state() {
    const { target } = this.controls;
    return {
      azimuth: short(this.controls.getAzimuthalAngle()),
      polar: short(this.controls.getPolarAngle()),
      zoom: short(this.zoomed),
      x: short(target.x),
      y: short(target.y),
      z: short(target.z),
    };
  }

  set state(state) {
    this.#move(state);
  }

  /** Back to the first view. */
  home() {
    const flat = Math.hypot(HOME[0], HOME[2]);
    const [x, y, z] = TARGET;
    this.#move({ azimuth: Math.atan2(HOME[0], HOME[2]), polar: Math.atan2(flat, HOME[1]), zoom: 1, x, y, z });
  }

  /** @param {number} azimuth @param {number} polar in radians */
  orbit(azimuth, polar) {
    this.#move({
      azimuth: this.controls.getAzimuthalAngle() + azimuth,
      polar: this.controls.getPolarAngle() + polar,
    });
  }

  /** @param {number} factor above 1 to come closer */
  zoom(factor) {
    this.#move({ zoom: this.zoomed * factor });
  }

  dispose() {
    this.canvas.removeEventListener('pointerdown', this.#leaveShift, { capture: true });
    this.controls.dispose();
  }

  /** @param {CameraState} state what it lacks stays */
  #move(state) {
    const given = (/** @type {string} */ name, /** @type {number} */ now) =>
      typeof state?.[name] === 'number' && Number.isFinite(state[name]) ? state[name] : now;
    const { target } = this.controls;
    const azimuth = given('azimuth', this.controls.getAzimuthalAngle());
    const polar = clamp(given('polar', this.controls.getPolarAngle()), HIGHEST, LOWEST);
    const distance = this.fit / clamp(given('zoom', this.zoomed), ZOOMS[0], ZOOMS[1]);
    target.set(
      clamp(given('x', target.x), -2, 2),
      clamp(given('y', target.y), -1, 1),
      clamp(given('z', target.z), -2, 2),
    );
    this.camera.position.set(
      target.x + distance * Math.sin(polar) * Math.sin(azimuth),
      target.y + distance * Math.cos(polar),
      target.z + distance * Math.sin(polar) * Math.cos(azimuth),
    );
    this.changed = true;
    this.controls.update();
  }

  /**
   * How far away the whole block fits in, turned as at first or by its diagonal.
   * @param {number} aspect width / height
   */
  #distance(aspect) {
    const up = Math.tan((FIELD * Math.PI) / 360) * 0.97;
    const across = up * aspect;
    const flat = Math.hypot(HOME[0], HOME[2]);
    const polar = Math.atan2(flat, HOME[1]);
    let farthest = 0;
    for (const azimuth of [Math.atan2(HOME[0], HOME[2]), Math.PI / 4]) {
      const right = [Math.cos(azimuth), 0, -Math.sin(azimuth)];
      const back = [Math.sin(polar) * Math.sin(azimuth), Math.cos(polar), Math.sin(polar) * Math.cos(azimuth)];
      const top = [-Math.cos(polar) * Math.sin(azimuth), Math.sin(polar), -Math.cos(polar) * Math.cos(azimuth)];
      for (const x of [-1, 1]) {
        for (const y of [BASE, RAISE * 0.9]) {
          for (const z of [-1, 1]) {
            const corner = [x - TARGET[0], y - TARGET[1], z - TARGET[2]];
            const dot = (/** @type {number[]} */ axis) =>
              axis[0] * corner[0] + axis[1] * corner[1] + axis[2] * corner[2];
            farthest = Math.max(farthest, dot(back) + Math.max(Math.abs(dot(right)) / across, Math.abs(dot(top)) / up));
          }
        }
      }
    }
    return farthest;
  }
}

export class MapCamera {
  constructor() {
    this.flat = true;
    this.camera = new OrthographicCamera(-1, 1, 1, -1, 0.1, 10);
    this.camera.up = new Vector3(0, 0, -1);
    this.height = 1;
    this.width = 1;
    this.changed = true;
    this.home();
  }

  /** Pixels of the device for a unit of the window. */
  get pixels() {
    return (Math.min(this.width, this.height) / 2) * this.camera.zoom;
  }

  update() {
    const moved = this.changed;
    this.changed = false;
    return moved;
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.width = width;
    this.height = height;
    this.changed = true;
  }

  /** @returns {CameraState} */
  get state() {
    const { position, zoom } = this.camera;
    return { x: short(position.x), y: short(-position.z), zoom: short(zoom) };
  }

  set state(state) {
    const given = (/** @type {string} */ name, /** @type {number} */ now) =>
      typeof state?.[name] === 'number' && Number.isFinite(state[name]) ? state[name] : now;
    const { position } = this.camera;
    this.#move(given('x', position.x), given('y', -position.z), given('zoom', this.camera.zoom));
  }

  home() {
    this.#move(0, 0, 1);
  }

  /** Moves the window instead. @param {number} across @param {number} along */
  orbit(across, along) {
    const { position, zoom } = this.camera;
    this.#move(position.x + across / zoom, -position.z - along / zoom, zoom);
  }

  /** @param {number} factor */
  zoom(factor) {
    const { position, zoom } = this.camera;
    this.#move(position.x, -position.z, zoom * factor);
  }

  dispose() {}

  /** @param {number} x @param {number} y @param {number} zoom */
  #move(x, y, zoom) {
    this.camera.zoom = clamp(zoom, 1, 12);
    const room = 1 - 1 / this.camera.zoom;
    const [across, along] = [clamp(x, -room, room), clamp(y, -room, room)];
    this.camera.position.set(across, 5, -along);
    this.camera.lookAt(across, 0, -along);
    this.camera.updateProjectionMatrix();
    this.changed = true;
  }
}
