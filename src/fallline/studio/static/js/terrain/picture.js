// @ts-check
/** A picture of the terrain with its balls, as a block or as a map: a canvas, its ticks, and the hand on it. */
import { h } from 'fallline/dom';
import { Scene } from 'fallline/scene/scene';
import { Pointer } from 'fallline/terrain/pointer';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/terrain/pointer').Hands} Hands */
/** @typedef {import('fallline/terrain/race').Race} Race */
/** @typedef {import('fallline/terrain/inspector').Ball} Ball */

/** The longest arrow of a gradient, in half widths of the window. */
const LONGEST_ARROW = 0.34;

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
    this.pointer = new Pointer(this.canvas, this.scene, hands, { turns: mode === 'block' });
    this.ticks = h('div', { class: 'ticks', 'aria-hidden': 'true' });
    this.scene.ticks(this.ticks);
    this.parts = [this.canvas, this.ticks, this.pointer.over];
    this.n = -1;
  }

  /**
   * @param {import('fallline/terrain/race').Surface} surface
   * @param {Race} race
   * @param {Float32Array} heights
   */
  setSurface(surface, race, heights) {
    this.scene.setSurface({ heights, grid: surface.grid, bounds: race.bounds, axes: /** @type {any} */ (surface.axes) });
    const mark = (/** @type {'minimum'|'saddle'} */ kind) => (/** @type {{x: number, y: number}} */ point) => {
      const [x, y] = race.normal(point.x, point.y);
      return { x, y, kind };
    };
    const marks = [...surface.minima.map(mark('minimum')), ...surface.saddles.map(mark('saddle'))];
    this.scene.setMarks(marks.filter(({ x, y }) => Math.abs(x) <= 1 && Math.abs(y) <= 1));
    this.scene.setOverlay(null);
    this.n = -1;
  }

  /**
   * Balls have moved.
   * @param {Race} race
   * @param {Uint8Array} kinds
   * @param {boolean} trails
   */
  move(race, kinds, trails) {
    if (race.n !== this.n) {
      this.n = race.n;
      this.scene.setBalls(race.n, kinds);
      if (trails && race.samples.length > 1) {
        this.scene.setTrails(race.samples.slice(0, -1));
      }
    }
    this.scene.push(race.positions);
    if (!trails) {
      this.scene.clearTrails();
    }
  }

  /**
   * What is known of a ball, drawn around it.
   * @param {Ball|null} ball
   * @param {Race} race
   */
  look(ball, race) {
    this.scene.setOverlay(ball && ball.place.every(Number.isFinite) ? overlay(ball, race) : null);
  }
}

/**
 * @param {Ball} ball
 * @param {Race} race
 */
function overlay(ball, race) {
  const [a, b, c, d] = race.bounds;
  const place = race.normal(ball.place[0], ball.place[1]);
  const next = ball.next.every(Number.isFinite) ? race.normal(ball.next[0], ball.next[1]) : place;
  const slope = [ball.gradient[0] * (b - a), ball.gradient[1] * (d - c)];
  const surface = race.surface;
  const height = surface ? Math.abs(surface.high - surface.low) || 1 : 1;
  // The slope across the whole window against the terrain's height; steep ones all look steep.
  const steep = Math.hypot(...slope) / height;
  const length = LONGEST_ARROW * Math.tanh(0.6 * steep);
  const away = [ball.gradient[0] / (b - a), ball.gradient[1] / (d - c)];
  const scale = length / (Math.hypot(...away) || 1);
  return {
    place,
    gradient: /** @type {[number, number]} */ ([away[0] * scale, away[1] * scale]),
    next,
    ellipse: ball.hessian,
  };
}
