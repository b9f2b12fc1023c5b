// @ts-check
/**
 * What the terrain stands on: the walls of the block with their strata, and the floor with its shadow and
 * grid.
 */
import { BufferAttribute, BufferGeometry, Mesh } from 'three';
import { CONTOUR, HEIGHT, material } from 'fallline/scene/shared';

/** @typedef {import('fallline/scene/shared').Uniforms} Uniforms */

/** The height of the block's lower edge. */
export const BASE = -0.11;

const WALL_VERTEX = /* glsl */ `
${HEIGHT}
uniform int uSide;
out vec3 vPoint;
out vec3 vNormal;
out float vTop;
void main() {
  int wall = gl_VertexID / (2 * uSide);
  int along = (gl_VertexID - wall * 2 * uSide) / 2;
  float t = float(along) / float(uSide - 1) * 2.0 - 1.0;
  vec2 p = wall == 0 ? vec2(t, -1.0) : wall == 1 ? vec2(t, 1.0) : wall == 2 ? vec2(-1.0, t) : vec2(1.0, t);
  vNormal = wall < 2 ? vec3(0.0, 0.0, -p.y) : vec3(p.x, 0.0, 0.0);
  vPoint = place(p);
  vTop = vPoint.y;
  if (gl_VertexID % 2 == 1) vPoint.y = ${BASE};
  gl_Position = projectionMatrix * modelViewMatrix * vec4(vPoint, 1.0);
}
`;

const WALL_FRAGMENT = /* glsl */ `
${CONTOUR}
uniform sampler2D uRamp;
uniform float uRaise;
uniform float uLevels;
in vec3 vPoint;
in vec3 vNormal;
in float vTop;
void main() {
  float level = vPoint.y / uRaise;
  vec3 rock = mix(toLinear(vec3(0.80, 0.78, 0.74)), toLinear(vec3(0.19, 0.225, 0.285)), uDark);
  vec3 tint = toLinear(texture(uRamp, vec2(clamp(level, 0.004, 0.996), 0.5)).rgb);
  vec3 result = mix(rock, tint, level > 0.0 ? 0.26 : 0.0);
  float light = 0.72 + 0.28 * abs(vNormal.x) + 0.22 * max(dot(vNormal, uSun), 0.0);
  result *= light * mix(0.7, 1.0, smoothstep(${BASE}, 0.25, vPoint.y));
  float lines = level * uLevels;
  float away = abs(fract(lines - 0.5) - 0.5) / fwidth(lines);
  result = mix(result, result * 0.72, (1.0 - smoothstep(0.1, 1.1 * uDots, away)) * step(0.0, level));
  // The rim catches the light.
  float rim = 1.0 - smoothstep(0.0, 1.6 * uDots, (vTop - vPoint.y) / max(fwidth(vPoint.y), 1e-5));
  result = mix(result, result * 1.5 + 0.02, 0.5 * rim);
  colour = vec4(toScreen(result), 1.0);
}
`;

const FLOOR_VERTEX = /* glsl */ `
out vec3 vPoint;
void main() {
  vec2 corner = vec2(float(gl_VertexID % 2), float(gl_VertexID / 2)) * 2.0 - 1.0;
  vPoint = vec3(corner.x * 4.5, ${BASE - 0.002}, corner.y * 4.5);
  gl_Position = projectionMatrix * modelViewMatrix * vec4(vPoint, 1.0);
}
`;

const FLOOR_FRAGMENT = /* glsl */ `
in vec3 vPoint;
void main() {
  vec2 p = vPoint.xz - vec2(0.10, 0.08);
  vec2 outside = abs(p) - 1.0;
  float away = length(max(outside, 0.0)) + min(max(outside.x, outside.y), 0.0);
  float shadow = mix(0.26, 0.62, uDark) * exp(-max(away, 0.0) * 5.5);
  // Darkest where block and floor meet.
  vec2 edge = abs(vPoint.xz) - 1.0;
  float close = length(max(edge, 0.0)) + min(max(edge.x, edge.y), 0.0);
  shadow = max(shadow, mix(0.34, 0.72, uDark) * exp(-max(close, 0.0) * 16.0));
  vec2 cells = abs(fract(vPoint.xz * 4.0 - 0.5) - 0.5) / fwidth(vPoint.xz * 4.0);
  float lines = 1.0 - smoothstep(0.0, uDots, min(cells.x, cells.y));
  lines *= 0.10 * exp(-max(length(vPoint.xz) - 1.1, 0.0) * 1.6);
  vec3 ink = mix(vec3(0.1, 0.13, 0.2), vec3(0.75, 0.85, 1.0), uDark);
  float cover = shadow + lines * (1.0 - shadow);
  colour = vec4(ink * lines * (1.0 - shadow) / max(cover, 1e-4), cover);
}
`;

/**
 * The four walls.
 * @param {Uniforms} uniforms
 * @returns {Mesh}
 */
export function makeWalls(uniforms) {
  const side = 257;
  const index = new Uint32Array(4 * 6 * (side - 1));
  let at = 0;
  for (let wall = 0; wall < 4; wall++) {
    for (let along = 0; along < side - 1; along++) {
      const first = 2 * (wall * side + along);
      for (const step of [0, 1, 2, 2, 1, 3]) index[at++] = first + step;
    }
  }
  return still(
    index,
    material({ ...uniforms, uSide: { value: side } }, { vertex: WALL_VERTEX, fragment: WALL_FRAGMENT }),
  );
}

/**
 * The floor.
 * @param {Uniforms} uniforms
 * @returns {Mesh}
 */
export function makeFloor(uniforms) {
  const floor = still(
    new Uint32Array([0, 1, 2, 2, 1, 3]),
    material(uniforms, {
      vertex: FLOOR_VERTEX,
      fragment: FLOOR_FRAGMENT,
      transparent: true,
      depthWrite: false,
    }),
  );
  floor.renderOrder = -1;
  return floor;
}

/**
 * @param {Uint32Array} index
 * @param {import('three').RawShaderMaterial} look
 */
function still(index, look) {
  const geometry = new BufferGeometry();
  geometry.setIndex(new BufferAttribute(index, 1));
  const mesh = new Mesh(geometry, look);
  mesh.frustumCulled = false;
  return mesh;
}
