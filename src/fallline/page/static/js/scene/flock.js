// @ts-check
/** The balls of a scene with their shadows and trails, drawn anew from what `Tracks` holds. */
import { makeBalls } from 'fallline/scene/balls';
import { release } from 'fallline/scene/renderer';
import { Tracks } from 'fallline/scene/tracks';
import { makeTrails, updateTrails } from 'fallline/scene/trails';

/** @typedef {import('fallline/scene/shared').Uniforms} Uniforms */
/** @typedef {import('three').Mesh} Mesh */

export class Flock {
  /**
   * @param {import('three').Scene} stage
   * @param {Uniforms} uniforms
   * @param {'high' | 'low'} quality
   */
  constructor(stage, uniforms, quality) {
    this.stage = stage;
    this.uniforms = uniforms;
    this.quality = quality;
    this.tracks = new Tracks(0, new Uint8Array(0), quality);
    /** @type {Mesh[]} */
    this.parts = [];
    /** @type {Mesh | null} */
    this.trails = null;
  }

  /**
   * Other balls in place of those before.
   * @param {number} count
   * @param {Uint8Array} kinds of each ball
   * @param {Int32Array | number[]} [from] the number that each ball had before, -1 for none
   */
  set(count, kinds, from) {
    const tracks = new Tracks(count, kinds, this.quality);
    if (from) tracks.adopt(this.tracks, from);
    this.dispose();
    this.tracks = tracks;
    if (!count) return;
    const { shadows, balls } = makeBalls(this.uniforms, tracks);
    this.trails = makeTrails(this.uniforms, tracks);
    this.parts = [shadows, this.trails, balls];
    this.stage.add(...this.parts);
  }

  /**
   * Before drawing.
   * @param {number} mix 0 to 1 between the last two frames
   * @param {{dots: number, weight: number}} look of the trails
   */
  update(mix, look) {
    this.uniforms.uMix.value = mix;
    this.tracks.age(mix);
    if (this.trails) updateTrails(this.trails, this.tracks, look);
  }

  dispose() {
    this.stage.remove(...this.parts);
    release(this.parts);
    this.parts = [];
    this.trails = null;
    this.tracks.dispose();
  }
}
