// @ts-check
/** The two ways to look: around the block in perspective, and straight down on the map. */
import { OrthographicCamera, PerspectiveCamera, Vector3 } from 'three';
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

/** How much of the way to where it is going the eye covers in 1/60 of a second. */
const PULL = 0.28;

/** @typedef {{azimuth: number, polar: number, zoom: number, x: number, y: number, z: number}} Pose */

export class BlockCamera {
  /** @param {boolean} reduced go at once, without easing */
  constructor(reduced) {
    this.flat = false;
    this.reduced = reduced;
    this.camera = new PerspectiveCamera(FIELD, 1, 0.1, 60);
    this.fit = Math.hypot(...HOME);
    this.height = 1;
    /** Where the eye is going. @type {Pose} */
    this.goal = this.#first();
    /** Where it is. @type {Pose} */
    this.pose = { ...this.goal };
    this.clock = 0;
    this.#place();
  }

  /** Pixels of the device for a unit at distance 1. */
  get pixels() {
    return this.height / (2 * Math.tan((FIELD * Math.PI) / 360));
  }

  /** @returns {boolean} whether anything moved since the last time */
  update() {
    const now = performance.now();
    const share = 1 - (1 - PULL) ** Math.min(6, ((now - this.clock) * 60) / 1000);
    this.clock = now;
    let left = 0;
    for (const name of /** @type {(keyof Pose)[]} */ (Object.keys(this.goal))) {
      const way = this.goal[name] - this.pose[name];
      left = Math.max(left, Math.abs(way));
      this.pose[name] =
        this.reduced || Math.abs(way) < 2e-4 ? this.goal[name] : this.pose[name] + share * way;
    }
    if (left > 0) this.#place();
    const moved = this.changed || left > 0;
    this.changed = false;
    return moved;
  }

  /** @param {number} width @param {number} height of the canvas in pixels of the device */
  resize(width, height) {
    this.height = height;
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.fit = this.#distance(width / height);
    this.#place();
  }

  /** @returns {CameraState} where it is going */
  get state() {
    return Object.fromEntries(Object.entries(this.goal).map(([name, value]) => [name, short(value)]));
  }

  set state(state) {
    this.#go(state);
    Object.assign(this.pose, this.goal);
    this.#place();
  }

  /** Back to the first view, the short way round. */
  home() {
    const turns = Math.round((this.pose.azimuth - this.#first().azimuth) / (2 * Math.PI));
    this.pose.azimuth -= 2 * Math.PI * turns;
    this.goal = this.#first();
  }

  /** @param {number} azimuth @param {number} polar in radians */
  orbit(azimuth, polar) {
    this.#go({ azimuth: this.goal.azimuth + azimuth, polar: this.goal.polar + polar });
  }

  /** @param {number} factor above 1 comes closer */
  zoom(factor) {
    this.#go({ zoom: this.goal.zoom * factor });
  }

  /**
   * Move what is looked at along the floor.
   * @param {number} across
   * @param {number} along in heights of the canvas
   */
  slide(across, along) {
    const { azimuth, polar, zoom, x, z } = this.goal;
    // What the canvas is high, at the distance of the target.
    const high = (2 * Math.tan((FIELD * Math.PI) / 360) * this.fit) / zoom;
    const right = -across * high;
    const back = (-along * high) / Math.max(0.35, Math.cos(polar));
    this.#go({
      x: x + right * Math.cos(azimuth) + back * Math.sin(azimuth),
      z: z - right * Math.sin(azimuth) + back * Math.cos(azimuth),
    });
  }

  changed = true;

  /** @returns {Pose} */
  #first() {
    const flat = Math.hypot(HOME[0], HOME[2]);
    const [x, y, z] = TARGET;
    return { azimuth: Math.atan2(HOME[0], HOME[2]), polar: Math.atan2(flat, HOME[1]), zoom: 1, x, y, z };
  }

  /** @param {CameraState} state what it lacks, or says badly, stays */
  #go(state) {
    const limits = {
      azimuth: [-1e4, 1e4],
      polar: [HIGHEST, LOWEST],
      zoom: ZOOMS,
      x: [-2, 2],
      y: [-1, 1],
      z: [-2, 2],
    };
    for (const [name, [low, high]] of Object.entries(limits)) {
      const value = state?.[name];
      if (typeof value !== 'number' || !Number.isFinite(value)) continue;
      this.goal[/** @type {keyof Pose} */ (name)] = clamp(value, low, high);
    }
  }

  #place() {
    const { azimuth, polar, zoom, x, y, z } = this.pose;
    const distance = this.fit / zoom;
    this.camera.position.set(
      x + distance * Math.sin(polar) * Math.sin(azimuth),
      y + distance * Math.cos(polar),
      z + distance * Math.sin(polar) * Math.cos(azimuth),
    );
    this.camera.lookAt(x, y, z);
    this.changed = true;
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
      const back = [
        Math.sin(polar) * Math.sin(azimuth),
        Math.cos(polar),
        Math.sin(polar) * Math.cos(azimuth),
      ];
      const top = [
        -Math.cos(polar) * Math.sin(azimuth),
        Math.sin(polar),
        -Math.cos(polar) * Math.cos(azimuth),
      ];
      for (const x of [-1, 1]) {
        for (const y of [BASE, RAISE * 0.9]) {
          for (const z of [-1, 1]) {
            const corner = [x - TARGET[0], y - TARGET[1], z - TARGET[2]];
            const dot = (/** @type {number[]} */ axis) =>
              axis[0] * corner[0] + axis[1] * corner[1] + axis[2] * corner[2];
            farthest = Math.max(
              farthest,
              dot(back) + Math.max(Math.abs(dot(right)) / across, Math.abs(dot(top)) / up),
            );
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

  /** @param {number} factor above 1 comes closer */
  zoom(factor) {
    const { position, zoom } = this.camera;
    this.#move(position.x, -position.z, zoom * factor);
  }

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
