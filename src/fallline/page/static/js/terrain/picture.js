// @ts-check
/** A picture of the terrain with its balls, as a block or as a map: canvas, ticks, and the hand on it. */
import { h } from 'fallline/dom';
import { Scene } from 'fallline/scene/scene';
import { Pointer } from 'fallline/terrain/pointer';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/terrain/pointer').Hands} Hands */
/** @typedef {import('fallline/terrain/race').Race} Race */
/** @typedef {import('fallline/terrain/inspector').Ball} Ball */

export class Picture {
  /**
   * @param {Services} services
   * @param {'block'|'map'} mode
   * @param {Hands} hands
   */
  constructor(services, mode, hands) {
    this.mode = mode;
    this.canvas = h('canvas', { role: 'img' });
    if (mode === 'block') {
      this.canvas.tabIndex = 0;
    }
    this.scene = new Scene(this.canvas, {
      mode,
      theme: services.theme(),
      quality: services.quality,
      pixelRatio: services.pixelRatio,
      reduced: services.reduced(),
    });
    this.ticks = h('div', { class: 'ticks', 'aria-hidden': 'true' });
    this.scene.ticks(this.ticks);
    this.element = h('div', { class: 'picture' }, this.canvas, this.ticks);
    // A frame around the canvas tells of the keyboard; the hand knows where it is.
    this.element.addEventListener('pointerdown', () => this.element.classList.add('by-hand'), {
      capture: true,
    });
    this.canvas.addEventListener('blur', () => this.element.classList.remove('by-hand'));
    this.pointer = new Pointer(this.element, this.scene, hands, { turns: mode === 'block' });
    this.element.append(this.pointer.over);
    /** Balls of each racer, as the scene has them. */
    this.each = 0;
    this.racers = 0;
  }

  /**
   * @param {import('fallline/terrain/race').Surface} surface
   * @param {Race} race
   * @param {Float32Array} heights
   */
  setSurface(surface, race, heights) {
    this.scene.setSurface({
      heights,
      grid: surface.grid,
      bounds: race.bounds,
      axes: /** @type {any} */ (surface.axes),
    });
    const mark =
      (/** @type {'minimum'|'saddle'} */ kind) => (/** @type {{x: number, y: number}} */ point) => {
        const [x, y] = race.normal(point.x, point.y);
        return { x, y, kind };
      };
    const marks = [...surface.minima.map(mark('minimum')), ...surface.saddles.map(mark('saddle'))];
    this.scene.setMarks(marks.filter(({ x, y }) => Math.abs(x) <= 1 && Math.abs(y) <= 1));
    this.scene.setOverlay(null);
    this.racers = 0;
  }

  /**
   * Balls have moved.
   * @param {Race} race
   * @param {boolean} trails
   */
  move(race, trails) {
    if (race.each !== this.each || race.racers.length !== this.racers) {
      const grown = this.racers === race.racers.length && this.each > 0;
      this.scene.setBalls(race.n, race.kinds(), grown ? race.numbersBefore(this.each) : undefined);
      this.each = race.each;
      this.racers = race.racers.length;
    }
    this.scene.push(race.positions);
    this.showTrails(trails);
  }

  /** @param {boolean} on */
  showTrails(on) {
    if (this.scene.trails && this.scene.trails.visible !== on) {
      this.scene.trails.visible = on;
      this.scene.dirty = true;
    }
  }

  /**
   * What is known of a ball, drawn around it.
   * @param {Ball|null} ball
   * @param {Race} race
   */
  look(ball, race) {
    this.scene.setOverlay(
      ball && ball.place.every((part) => Number.isFinite(part)) ? overlay(ball, race) : null,
    );
  }
}

/**
 * In the window [-1, 1]², where the scene draws: slopes grow with the window's width, curvatures with its
 * square.
 * @param {Ball} ball
 * @param {Race} race
 * @returns {import('fallline/scene/overlay').Explained}
 */
function overlay(ball, race) {
  const [a, b, c, d] = race.bounds;
  const half = [(b - a) / 2, (d - c) / 2];
  const { values, vectors } = ball.hessian ?? { values: [], vectors: [] };
  const axes = vectors.map((vector) => [vector[0] / half[0], vector[1] / half[1]]);
  return {
    place: race.normal(ball.place[0], ball.place[1]),
    gradient: [ball.gradient[0] * half[0], ball.gradient[1] * half[1]],
    next: race.normal(ball.next[0], ball.next[1]),
    ellipse: ball.hessian
      ? { values: values.map((value, at) => value / (Math.hypot(...axes[at]) ** 2 || 1)), vectors: axes }
      : undefined,
  };
}
