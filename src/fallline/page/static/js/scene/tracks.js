// @ts-check
/**
 * Where the balls are and were: one array texture, read by the shaders of balls, shadows and trails alike.
 *
 * A frame costs one upload of 8 bytes a ball. The last two layers hold the last two frames, between which
 * balls are drawn; the layers before them are a ring of older places, the trails.
 */
import {
  BufferGeometry,
  DataArrayTexture,
  DataTexture,
  FloatType,
  NearestFilter,
  RGFormat,
  UnsignedByteType,
} from 'three';

/** The most samples of a trail, and of all trails together. */
const MOST_SAMPLES = 72;
const MOST_SEGMENTS = { high: 120000, low: 24000 };
const WIDEST = 2048;
/** Stands for "nowhere": a ball that is lost, or was not there yet. */
const LOST = 1e4;
/** Beyond this a place is only known to be far outside of the window. */
const FAR = 50;

/** In the vertex shaders: `whereIs(ball)` now, `whereWas(ball, layer)`, and what a ball looks like. */
export const TRACKS = /* glsl */ `
uniform sampler2DArray uTracks;
uniform sampler2D uLooks;
uniform int uWide;
uniform int uNow;
uniform int uBefore;
uniform float uMix;
uniform float uMask[16];
uniform vec3 uColours[16];

vec2 whereWas(int ball, int layer) {
  return texelFetch(uTracks, ivec3(ball % uWide, ball / uWide, layer), 0).rg;
}

vec2 whereIs(int ball) {
  return mix(whereWas(ball, uBefore), whereWas(ball, uNow), uMix);
}

bool outside(vec2 p) {
  return abs(p.x) > 1.0 || abs(p.y) > 1.0;
}

ivec2 looks(int ball) {
  return ivec2(texelFetch(uLooks, ivec2(ball % uWide, ball / uWide), 0).rg * 255.0 + 0.5);
}
`;

export class Tracks {
  /**
   * @param {number} count balls
   * @param {Uint8Array} kinds of each ball, below 16
   * @param {'high' | 'low'} quality
   */
  constructor(count, kinds, quality) {
    this.count = count;
    this.wide = Math.max(1, Math.min(count, WIDEST));
    this.tall = Math.max(1, Math.ceil(count / this.wide));
    this.samples = Math.max(
      2,
      Math.min(MOST_SAMPLES, Math.floor(MOST_SEGMENTS[quality] / Math.max(1, count))),
    );
    /** So many frames for a sample: few samples still make a long trail. */
    this.stride = Math.ceil(MOST_SAMPLES / this.samples / (quality === 'low' ? 3 : 1));
    this.layer = 2 * this.wide * this.tall;
    this.places = new Float32Array(this.layer * (this.samples + 2)).fill(LOST);
    this.texture = new DataArrayTexture(this.places, this.wide, this.tall, this.samples + 2);
    this.texture.format = RGFormat;
    this.texture.type = FloatType;
    this.texture.minFilter = NearestFilter;
    this.texture.magFilter = NearestFilter;
    this.texture.needsUpdate = true;
    this.kinds = new Uint8Array(count);
    this.looks = new Uint8Array(this.layer);
    this.looksTexture = new DataTexture(this.looks, this.wide, this.tall, RGFormat, UnsignedByteType);
    this.looksTexture.unpackAlignment = 1;
    for (let ball = 0; ball < count; ball++) {
      const kind = kinds[ball] & 15;
      this.kinds[ball] = kind;
      this.looks[2 * ball] = kind;
      this.looks[2 * ball + 1] = kind;
    }
    this.looksTexture.needsUpdate = true;
    this.uniforms = {
      uTracks: { value: this.texture },
      uLooks: { value: this.looksTexture },
      uWide: { value: this.wide },
      uNow: { value: this.samples },
      uBefore: { value: this.samples + 1 },
      uSamples: { value: this.samples },
      uNewest: { value: 0 },
      uFilled: { value: 0 },
      uPhase: { value: 0 },
      uCount: { value: count },
    };
    /** Whether no frame has come yet. */
    this.first = true;
    /** Whether trails are to begin with the next frame. */
    this.fresh = true;
    this.filled = 0;
    this.newest = 0;
    this.waited = 0;
  }

  /** Forget the trails; the balls stay where they are. */
  clear() {
    this.fresh = true;
    this.filled = 0;
    this.waited = 0;
    this.#ring();
  }

  /**
   * The last frame's places, as they were given, with what is lost far away.
   * @returns {Float32Array} a view, not a copy
   */
  get now() {
    const at = this.uniforms.uNow.value * this.layer;
    return this.places.subarray(at, at + 2 * this.count);
  }

  /** @returns {Float32Array} the places of the frame before; a view, not a copy */
  get before() {
    const at = this.uniforms.uBefore.value * this.layer;
    return this.places.subarray(at, at + 2 * this.count);
  }

  /**
   * A new frame.
   * @param {Float32Array} xy two numbers a ball, [-1, 1] over the window; NaN where a ball is lost
   */
  push(xy) {
    const { uNow, uBefore } = this.uniforms;
    if (this.first) {
      this.#write(xy, uNow.value);
      this.#write(xy, uBefore.value);
      this.first = false;
      this.fresh = false;
      return;
    }
    // The ring takes the places that are left now, so that no trail runs ahead of its ball.
    this.waited += 1;
    if (this.fresh) {
      this.fresh = false;
    } else if (this.waited >= this.stride || this.filled === 0) {
      this.#keep(uNow.value * this.layer);
      this.waited = 0;
    }
    [uNow.value, uBefore.value] = [uBefore.value, uNow.value];
    this.#write(xy, uNow.value);
  }

  /**
   * Trails as a whole, and the balls at their ends.
   * @param {Float32Array[]} samples oldest first, two numbers a ball each
   */
  fill(samples) {
    this.clear();
    const last = samples.length - 1;
    if (last < 0) return;
    const older = Math.min(last, this.samples);
    for (let i = 0; i < older; i++) {
      this.newest = (this.newest + 1) % this.samples;
      this.#write(samples[older === last ? i : Math.round((i * last) / older)], this.newest);
    }
    this.filled = older;
    this.fresh = false;
    this.#ring();
    this.#write(samples[last], this.uniforms.uNow.value);
    this.#write(samples[last], this.uniforms.uBefore.value);
    this.first = false;
  }

  /**
   * Carry over the trails of balls that were there before.
   * @param {Tracks} other
   * @param {Int32Array | number[]} from the number that each ball had there, -1 for none
   */
  adopt(other, from) {
    const older = Math.min(other.filled, this.samples);
    for (let i = older - 1; i >= 0; i--) {
      const source = ((other.newest - i + other.samples) % other.samples) * other.layer;
      this.newest = (this.newest + 1) % this.samples;
      this.#gather(other.places, source, from, this.newest);
    }
    this.filled = older;
    this.first = other.first;
    this.fresh = other.fresh;
    this.#ring();
    this.#gather(other.places, other.uniforms.uNow.value * other.layer, from, this.uniforms.uNow.value);
    this.#gather(other.places, other.uniforms.uBefore.value * other.layer, from, this.uniforms.uBefore.value);
  }

  /**
   * Other colours for the same kinds.
   * @param {Uint8Array | null} colours of each ball, below 16; null for its kind's own
   */
  recolour(colours) {
    for (let ball = 0; ball < this.count; ball++) {
      this.looks[2 * ball + 1] = (colours ? colours[ball] : this.kinds[ball]) & 15;
    }
    this.looksTexture.needsUpdate = true;
  }

  /** How far the trails have moved on between two of their samples. @param {number} mix */
  age(mix) {
    this.uniforms.uPhase.value = Math.min(1, (this.waited + mix) / this.stride);
  }

  dispose() {
    this.texture.dispose();
    this.looksTexture.dispose();
  }

  #ring() {
    this.uniforms.uNewest.value = this.newest;
    this.uniforms.uFilled.value = this.filled;
  }

  /** @param {number} source where the places to keep begin */
  #keep(source) {
    this.newest = (this.newest + 1) % this.samples;
    this.places.copyWithin(this.newest * this.layer, source, source + 2 * this.count);
    this.#touch(this.newest);
    this.filled = Math.min(this.samples, this.filled + 1);
    this.#ring();
  }

  /**
   * @param {Float32Array} places
   * @param {number} source
   * @param {Int32Array | number[]} from
   * @param {number} layer
   */
  #gather(places, source, from, layer) {
    const target = layer * this.layer;
    for (let ball = 0; ball < this.count; ball++) {
      const old = from[ball];
      this.places[target + 2 * ball] = old >= 0 ? places[source + 2 * old] : LOST;
      this.places[target + 2 * ball + 1] = old >= 0 ? places[source + 2 * old + 1] : LOST;
    }
    this.#touch(layer);
  }

  /**
   * Numbers that shaders cannot be trusted with, NaN above all, are marked here.
   * @param {Float32Array} xy
   * @param {number} layer
   */
  #write(xy, layer) {
    const target = layer * this.layer;
    const places = this.places;
    const length = Math.min(xy.length, 2 * this.count);
    for (let i = 0; i < length; i += 2) {
      const x = xy[i];
      const y = xy[i + 1];
      if (x - x === 0 && y - y === 0) {
        places[target + i] = x > FAR ? FAR : x < -FAR ? -FAR : x;
        places[target + i + 1] = y > FAR ? FAR : y < -FAR ? -FAR : y;
      } else {
        places[target + i] = LOST;
        places[target + i + 1] = LOST;
      }
    }
    this.#touch(layer);
  }

  /** @param {number} layer */
  #touch(layer) {
    // Until the texture has been drawn once, all of it is sent anyway.
    this.texture.addLayerUpdate(layer);
    this.texture.needsUpdate = true;
  }
}

/** A geometry without any data: its shader knows each vertex by its number. @param {number} vertices */
export function bare(vertices) {
  const geometry = new BufferGeometry();
  geometry.setDrawRange(0, vertices);
  return geometry;
}
