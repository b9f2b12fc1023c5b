// @ts-check
/**
 * The terrain with balls on it, drawn by WebGL: as a block in perspective, or as a map from straight above.
 *
 * Every place is given in the window [-1, 1]²: x to the right, y up the map. `toWindow` and `toBounds`
 * convert from and to the terrain's own coordinates. Nothing is computed here about descents; frames come
 * from the engine.
 *
 * The page calls `render(mix)` at every animation frame; it draws only if something has changed.
 */
import { Group, Scene as Stage } from 'three';
import { onTerrain } from 'fallline/palette';
import { radiusOf } from 'fallline/scene/balls';
import { makeFloor, makeWalls } from 'fallline/scene/block';
import { BlockCamera, MapCamera } from 'fallline/scene/camera';
import { Flock } from 'fallline/scene/flock';
import { Ground } from 'fallline/scene/ground';
import { Hand } from 'fallline/scene/hand';
import { Overlay } from 'fallline/scene/overlay';
import { nearestBall, pickPlace, projectPlace } from 'fallline/scene/picking';
import { picture } from 'fallline/scene/picture';
import { makeRenderer, release } from 'fallline/scene/renderer';
import { KINDS, colourTexture, makeUniforms, numberTexture } from 'fallline/scene/shared';
import { makeSurface } from 'fallline/scene/surface';
import { Ticks } from 'fallline/scene/ticks';

/** @typedef {import('fallline/scene/overlay').Explained} Explained */
/** @typedef {import('fallline/scene/overlay').Mark} Mark */
/** @typedef {import('fallline/scene/camera').CameraState} CameraState */
/** @typedef {import('fallline/scene/ground').Surface} Surface */

/**
 * @typedef {object} Options
 * @property {'block' | 'map'} [mode]
 * @property {'dark' | 'light'} [theme]
 * @property {'high' | 'low'} [quality] low: no multisampling, a coarser mesh, shorter trails
 * @property {number} [pixelRatio] pixels of the device for one of CSS
 * @property {boolean} [reduced] no motion of its own
 */

export class Scene extends Ground {
  /**
   * @param {HTMLCanvasElement} canvas of this scene alone
   * @param {Options} [options]
   * @throws {import('fallline/scene/renderer').NoWebGL} where WebGL 2 is missing
   */
  constructor(canvas, options = {}) {
    super();
    const { mode = 'block', theme = 'dark', quality = 'high', reduced = false } = options;
    this.canvas = canvas;
    this.mode = mode;
    this.quality = quality;
    this.pixelRatio = options.pixelRatio ?? Math.min(2, globalThis.devicePixelRatio || 1);
    this.renderer = makeRenderer(canvas, { quality, pixelRatio: this.pixelRatio });
    this.uniforms = makeUniforms();
    this.uniforms.uDots.value = this.pixelRatio;
    this.stage = new Stage();
    /** Called whenever the hand has moved the camera. @type {() => void} */
    this.onmove = () => {};
    this.eye = mode === 'map' ? new MapCamera() : new BlockCamera(reduced);
    this.hand = this.eye.flat
      ? null
      : new Hand(canvas, /** @type {BlockCamera} */ (this.eye), () => this.onmove());
    this.uniforms.uFlat.value = this.eye.flat ? 1 : 0;
    this.block = new Group();
    this.block.add(makeSurface(this.uniforms, { mode, quality }));
    if (mode === 'block') this.block.add(makeWalls(this.uniforms), makeFloor(this.uniforms));
    this.block.visible = false;
    this.overlay = new Overlay(this.uniforms);
    this.stage.add(this.block, ...this.overlay.parts);
    this.flock = new Flock(this.stage, this.uniforms, quality);
    /** @type {Ticks[]} */
    this.scales = [];
    this.theme = theme;
    this.width = 0;
    this.height = 0;
    this.mix = 1;
    this.dirty = true;
    this.lost = false;
    canvas.addEventListener('webglcontextlost', this.#lose);
    canvas.addEventListener('webglcontextrestored', this.#regain);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(canvas);
    this.setTheme(theme);
    this.resize();
  }

  /**
   * Show a terrain; balls and marks stay as they are.
   * @param {Surface} surface
   */
  setSurface(surface) {
    const { uHeights, uShade, uGrid } = this.uniforms;
    const { heights, shade, grid } = this.measure(surface);
    uHeights.value.dispose();
    uShade.value.dispose();
    uHeights.value = numberTexture(heights, grid, grid);
    uShade.value = colourTexture(shade, grid, grid);
    uGrid.value = grid;
    this.block.visible = true;
    for (const scale of this.scales) scale.set(this.bounds, this.axes);
    this.dirty = true;
    this.moved = true;
  }

  /**
   * Colours by kind, and the marks that tell kinds apart without colour.
   * @param {string[]} colours "#rrggbb", up to 16
   * @param {number[]} [marks] places in the list of marks of the palette; as the kinds are numbered if left
   *   out
   */
  setColours(colours, marks) {
    const { uColours, uMarks } = this.uniforms;
    colours.slice(0, KINDS).forEach((colour, kind) => uColours.value.set(onTerrain(colour), 3 * kind));
    for (let kind = 0; kind < KINDS; kind++) uMarks.value[kind] = marks ? (marks[kind] ?? 0) : kind % 12;
    this.dirty = true;
  }

  /**
   * Another set of balls; they show with the next frame.
   * @param {number} count
   * @param {Uint8Array} kinds of each ball, below 16
   * @param {Int32Array | number[]} [from] the number that each ball had before, -1 for none: its trail is
   *   kept
   */
  setBalls(count, kinds, from) {
    this.flock.set(count, kinds, from);
    this.#size();
    this.dirty = true;
  }

  /**
   * A frame: where the balls are now.
   * @param {Float32Array} xy two numbers a ball in the window; NaN where one is lost
   */
  push(xy) {
    this.flock.tracks.push(xy);
    this.mix = 0;
    this.dirty = true;
  }

  /**
   * Trails as a whole, such as after going back in time.
   * @param {Float32Array[]} samples oldest first; the last is where the balls are now
   */
  setTrails(samples) {
    this.flock.tracks.fill(samples);
    this.dirty = true;
  }

  /** The trails, for the page to hide; other balls come with other trails. */
  get trails() {
    return this.flock.trails;
  }

  /** Forget trails; they begin again with the next frame. */
  clearTrails() {
    this.flock.tracks.clear();
    this.dirty = true;
  }

  /**
   * Show only some kinds.
   * @param {ArrayLike<boolean | number>} mask by kind; kinds that it lacks are shown
   */
  setVisible(mask) {
    for (let kind = 0; kind < KINDS; kind++)
      this.uniforms.uMask.value[kind] = kind >= mask.length || mask[kind] ? 1 : 0;
    this.dirty = true;
  }

  /**
   * Colour balls by something other than their kind, such as the basin they are in. Marks and visibility
   * stay.
   * @param {Uint8Array | null} colours of each ball, a place in the colours; null for the kinds again
   */
  recolour(colours) {
    this.flock.tracks.recolour(colours);
    this.dirty = true;
  }

  /** Explain one ball by arrows on the surface, or none. @param {Explained | null} ball */
  setOverlay(ball) {
    this.overlay.explain(ball);
    this.dirty = true;
  }

  /** Mark minima, saddles, starts. @param {Mark[]} marks */
  setMarks(marks) {
    this.overlay.setMarks(marks);
    this.dirty = true;
  }

  /**
   * The place of the terrain under a point of the screen, or null beside it.
   * @param {number} clientX @param {number} clientY as events of the pointer have them
   * @returns {{x: number, y: number} | null} in the window
   */
  pick(clientX, clientY) {
    if (!this.surface) return null;
    const box = this.canvas.getBoundingClientRect();
    const x = (2 * (clientX - box.left)) / box.width - 1;
    const y = 1 - (2 * (clientY - box.top)) / box.height;
    if (!(Math.abs(x) <= 1 && Math.abs(y) <= 1)) return null;
    this.eye.camera.updateMatrixWorld();
    return pickPlace(this.eye.camera, this.surface, x, y);
  }

  /**
   * The ball nearest to a point of the screen.
   * @param {number} clientX @param {number} clientY as events of the pointer have them
   * @param {number} [radius] in pixels of CSS
   * @returns {number} its number, or -1
   */
  nearest(clientX, clientY, radius = 14) {
    if (!this.surface || this.flock.tracks.first) return -1;
    const box = this.canvas.getBoundingClientRect();
    const look = { mix: this.mix, mask: this.uniforms.uMask.value, lift: this.uniforms.uRadius.value };
    const at = { x: clientX - box.left, y: clientY - box.top, width: box.width, height: box.height, radius };
    return nearestBall(this.eye.camera, this.surface, this.flock.tracks, look, at);
  }

  /**
   * A place of the terrain on the canvas.
   * @param {number} x in the window @param {number} y in the window
   * @param {number} [lift] above the surface, in units of the scene
   * @returns {[number, number, boolean]} pixels of CSS from the canvas's upper left corner; whether it can be
   *   seen
   */
  project(x, y, lift = 0) {
    if (!this.surface) return [0, 0, false];
    this.eye.camera.updateMatrixWorld();
    const [across, up, seen] = projectPlace(this.eye.camera, this.surface, x, y, lift);
    return [(across * 0.5 + 0.5) * this.width, (0.5 - up * 0.5) * this.height, seen];
  }

  /**
   * Where the eye is, in plain numbers; setting takes what it knows and leaves out the rest.
   * @returns {CameraState}
   */
  get camera() {
    return this.eye.state;
  }

  set camera(state) {
    this.eye.state = state;
  }

  /** Back to the first view. */
  home() {
    this.eye.home();
  }

  /** Turn the block, or move the map. @param {number} azimuth @param {number} polar in radians */
  orbit(azimuth, polar) {
    this.eye.orbit(azimuth, polar);
  }

  /** Come closer by a factor above 1. @param {number} factor */
  zoom(factor) {
    this.eye.zoom(factor);
  }

  /** Fit the canvas's new size on the page. */
  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height || (width === this.width && height === this.height)) return;
    this.width = width;
    this.height = height;
    this.renderer.setSize(width, height, false);
    this.eye.resize(width * this.pixelRatio, height * this.pixelRatio);
    this.uniforms.uHalf.value.set((width * this.pixelRatio) / 2, (height * this.pixelRatio) / 2);
    this.#size();
    // Setting the size has emptied the canvas.
    if (!this.lost && this.surface) this.render(this.mix, true);
    this.dirty = true;
  }

  /** @param {'dark' | 'light'} theme */
  setTheme(theme) {
    this.theme = theme;
    this.uniforms.uDark.value = theme === 'light' ? 0 : 1;
    this.dirty = true;
  }

  /**
   * Draw, if anything has changed.
   * @param {number} [mix] 0 to 1 between the last two frames
   * @param {boolean} [always] even if nothing has changed
   * @returns {boolean} whether it drew
   */
  render(mix = 1, always = false) {
    if (this.lost || !this.width) return false;
    const share = Math.min(1, Math.max(0, mix));
    const moved = this.eye.update() || this.moved;
    if (!always && !moved && !this.dirty && share === this.mix) return false;
    this.mix = share;
    if (moved) this.#size();
    this.flock.update(share, { dots: this.pixelRatio, weight: this.weight });
    this.renderer.render(this.stage, this.eye.camera);
    if (moved) for (const scale of this.scales) scale.update(this.eye.camera, this.width, this.height);
    this.dirty = false;
    this.moved = false;
    return true;
  }

  /**
   * Keep the axes' numbers in place over the canvas.
   * @param {HTMLElement} element positioned over the canvas, of its size
   */
  ticks(element) {
    const scale = new Ticks(element, this.eye.flat);
    if (this.surface) scale.set(this.bounds, this.axes);
    this.scales.push(scale);
    this.moved = true;
  }

  /** The picture with its background and axes, as PNG. @returns {Promise<Blob>} */
  async toBlob() {
    this.render(this.mix, true);
    const places = (this.scales[0]?.places(this.eye.camera, this.width, this.height) ?? []).filter(
      ({ shown }) => shown,
    );
    return picture(this.canvas, { theme: this.theme, ratio: this.pixelRatio, places, flat: this.eye.flat });
  }

  /** Give everything back, the canvas's context too: the canvas cannot be used again. */
  dispose() {
    this.watch.disconnect();
    this.hand?.dispose();
    this.canvas.removeEventListener('webglcontextlost', this.#lose);
    this.canvas.removeEventListener('webglcontextrestored', this.#regain);
    this.lost = true;
    this.flock.dispose();
    const ground = /** @type {import('three').Mesh[]} */ (this.block.children);
    release([...ground, ...this.overlay.parts]);
    this.overlay.dispose();
    const { uHeights, uShade, uRamp } = this.uniforms;
    for (const texture of [uHeights.value, uShade.value, uRamp.value]) texture.dispose();
    for (const scale of this.scales) scale.element.replaceChildren();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }

  /** Whether the ticks have to be placed anew. */
  moved = true;
  /** Of the trails. */
  weight = 1;

  /** What depends on the canvas's size, the zoom, and the number of balls. */
  #size() {
    const { uPixels, uRadius } = this.uniforms;
    uPixels.value = this.eye.pixels;
    const radius = radiusOf(this.flock.tracks.count);
    if (!this.eye.flat || !this.height) {
      uRadius.value = radius;
      return;
    }
    // On a map balls have a size on the screen, which grows more slowly than the map.
    const side = Math.min(this.width, this.height);
    const pixels = (radius / 0.0165) * 3.1 * Math.min(2.2, Math.max(0.85, Math.sqrt(side / 300)));
    this.weight = Math.min(1, Math.max(0.6, side / 700));
    uRadius.value = (pixels * this.pixelRatio) / this.eye.pixels;
  }

  #lose = () => {
    this.lost = true;
  };

  #regain = () => {
    this.lost = false;
    this.dirty = true;
    this.moved = true;
  };
}
