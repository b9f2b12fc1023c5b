// @ts-check
/** What the scene's materials share: uniforms, pieces of shader, and how a material is made. */
import {
  ClampToEdgeWrapping,
  DataTexture,
  DoubleSide,
  FloatType,
  GLSL3,
  LinearFilter,
  NearestFilter,
  RawShaderMaterial,
  RedFormat,
  RGBAFormat,
  UnsignedByteType,
  Vector2,
  Vector3,
} from 'three';
import { lut } from 'fallline/palette';
import { RAISE, SUN } from 'fallline/scene/relief';

/** @typedef {ReturnType<typeof makeUniforms>} Uniforms */

/** Kinds of balls that can be told apart. */
export const KINDS = 16;

/** Under every shader: precision, the view, and the terrain's height. */
const COMMON = /* glsl */ `
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp sampler2DArray;

uniform mat4 modelViewMatrix;
uniform mat4 projectionMatrix;
uniform mat4 viewMatrix;
uniform vec3 cameraPosition;
uniform vec3 uSun;
uniform float uDark;   // 1 in the dark theme, 0 in the light one
uniform float uFlat;   // 1 seen from above without perspective
uniform float uDots;   // pixels of the device for one of CSS

vec3 toLinear(vec3 c) {
  return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c));
}

vec3 toScreen(vec3 c) {
  c = clamp(c, 0.0, 1.0);
  return mix(12.92 * c, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
}

vec3 towardsEye(vec3 place) {
  return uFlat > 0.5 ? vec3(0.0, 1.0, 0.0) : normalize(cameraPosition - place);
}
`;

/** The height of the terrain at a place of the window [-1, 1]², and that place in the scene. */
export const HEIGHT = /* glsl */ `
uniform sampler2D uHeights;
uniform float uGrid;
uniform float uRaise;

float height(vec2 p) {
  vec2 q = clamp((p * 0.5 + 0.5) * (uGrid - 1.0), vec2(0.0), vec2(uGrid - 1.001));
  ivec2 i = ivec2(q);
  vec2 f = q - vec2(i);
  float a = texelFetch(uHeights, i, 0).r;
  float b = texelFetch(uHeights, i + ivec2(1, 0), 0).r;
  float c = texelFetch(uHeights, i + ivec2(0, 1), 0).r;
  float d = texelFetch(uHeights, i + ivec2(1, 1), 0).r;
  return mix(mix(a, b, f.x), mix(c, d, f.x), f.y) * uRaise;
}

vec3 place(vec2 p) {
  return vec3(p.x, height(p), -p.y);
}

// On the screen, a little nearer to the eye than it is, so that what lies on the terrain is not cut by it.
vec4 onScreen(vec3 point, float nearer) {
  vec4 view = modelViewMatrix * vec4(point, 1.0);
  vec4 screen = projectionMatrix * view;
  vec4 moved = projectionMatrix * (view + vec4(0.0, 0.0, nearer, 0.0));
  screen.z = moved.z / moved.w * screen.w;
  return screen;
}

vec3 slopeAt(vec2 p) {
  float e = 0.008;
  float across = height(p - vec2(e, 0.0)) - height(p + vec2(e, 0.0));
  float along = height(p - vec2(0.0, e)) - height(p + vec2(0.0, e));
  return normalize(vec3(across, 2.0 * e, -along));
}
`;

/** A line of the contour kind: 1 where `value` is near a whole number, `half_width` in pixels. */
export const CONTOUR = /* glsl */ `
float contour(float value, float half_width) {
  float change = fwidth(value);
  float away = abs(fract(value - 0.5) - 0.5) / max(change, 1e-5);
  // Where lines would run together they fade out instead of turning to noise.
  return (1.0 - smoothstep(half_width - 0.5, half_width + 0.5, away)) * (1.0 - smoothstep(0.25, 0.7, change));
}
`;

/**
 * A texture of numbers, read by whole places only.
 * @param {Float32Array} data
 * @param {number} width
 * @param {number} height
 */
export function numberTexture(data, width, height) {
  const texture = new DataTexture(data, width, height, RedFormat, FloatType);
  texture.minFilter = NearestFilter;
  texture.magFilter = NearestFilter;
  texture.needsUpdate = true;
  return texture;
}

/**
 * A texture of colours, smooth between its places.
 * @param {Uint8Array} data RGBA
 * @param {number} width
 * @param {number} height
 */
export function colourTexture(data, width, height) {
  const texture = new DataTexture(data, width, height, RGBAFormat, UnsignedByteType);
  texture.minFilter = LinearFilter;
  texture.magFilter = LinearFilter;
  texture.wrapS = ClampToEdgeWrapping;
  texture.wrapT = ClampToEdgeWrapping;
  texture.needsUpdate = true;
  return texture;
}

/** The uniforms of a scene; every material of it holds the same objects, so that one change reaches all. */
export function makeUniforms() {
  return {
    uHeights: { value: numberTexture(new Float32Array(4), 2, 2) },
    uShade: { value: colourTexture(new Uint8Array(16).fill(255), 2, 2) },
    uRamp: { value: colourTexture(lut(), 256, 1) },
    uGrid: { value: 2 },
    uRaise: { value: RAISE },
    uSun: { value: new Vector3(...SUN) },
    uDark: { value: 1 },
    uFlat: { value: 0 },
    uDots: { value: 1 },
    uHalf: { value: new Vector2(1, 1) }, // half the canvas in pixels of the device
    uPixels: { value: 1 }, // pixels of a unit of the scene, at distance 1 if there is perspective
    uRadius: { value: 0.0165 }, // of a ball, in units of the scene
    uMix: { value: 1 }, // between the last two frames
    uLevels: { value: 20 },
    uMask: { value: new Float32Array(KINDS).fill(1) },
    uColours: { value: new Float32Array(3 * KINDS).fill(0.7) },
    uMarks: { value: new Float32Array(KINDS) },
  };
}

/**
 * A material that shares the scene's uniforms.
 * @param {Record<string, {value: any}>} uniforms
 * @param {{vertex: string, fragment: string, transparent?: boolean, depthWrite?: boolean, depthTest?:
 *   boolean}} parts
 */
export function material(uniforms, { vertex, fragment, ...options }) {
  return new RawShaderMaterial({
    glslVersion: GLSL3,
    uniforms,
    vertexShader: COMMON + vertex,
    fragmentShader: `${COMMON}\nlayout(location = 0) out vec4 colour;\n${fragment}`,
    side: DoubleSide,
    ...options,
  });
}
