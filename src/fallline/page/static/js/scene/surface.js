// @ts-check
/** The terrain itself: its mesh, its light, its contours. */
import { BufferAttribute, BufferGeometry, Mesh } from 'three';
import { CONTOUR, HEIGHT, material } from 'fallline/scene/shared';

/** @typedef {import('fallline/scene/shared').Uniforms} Uniforms */

// The mesh has no attributes: a vertex knows its place by its number, and its height from the texture.
const VERTEX = /* glsl */ `
${HEIGHT}
uniform int uSide;
out vec2 vPlace;
out vec3 vPoint;
void main() {
  vPlace = vec2(float(gl_VertexID % uSide), float(gl_VertexID / uSide)) / float(uSide - 1) * 2.0 - 1.0;
  vPoint = place(vPlace);
  gl_Position = projectionMatrix * modelViewMatrix * vec4(vPoint, 1.0);
}
`;

const FRAGMENT = /* glsl */ `
${CONTOUR}
${HEIGHT}
uniform sampler2D uRamp;
uniform sampler2D uShade;
uniform float uLevels;
in vec2 vPlace;
in vec3 vPoint;
void main() {
  float level = (uFlat > 0.5 ? height(vPlace) : vPoint.y) / uRaise;
  vec4 shade = texture(uShade, ((vPlace * 0.5 + 0.5) * (uGrid - 1.0) + 0.5) / uGrid);
  vec2 lean = shade.rg * 2.0 - 1.0;
  vec3 normal = normalize(vec3(lean.x, sqrt(max(1.0 - dot(lean, lean), 0.02)), lean.y));
  float open = pow(clamp((shade.b - 0.251) / 0.749, 0.0, 1.0), 0.9);
  float lit = shade.a;
  float known = smoothstep(0.08, 0.24, shade.b);

  vec3 base = toLinear(texture(uRamp, vec2(level * 0.992 + 0.004, 0.5)).rgb);
  vec3 bare = mix(vec3(0.46, 0.45, 0.43), vec3(0.105, 0.12, 0.15), uDark);
  base = mix(bare, base, known);
  open = mix(1.0, open, known);

  vec3 eye = towardsEye(vPoint);
  float facing = max(dot(normal, uSun), 0.0) * lit;
  vec3 ambient = mix(vec3(0.20, 0.18, 0.20), vec3(0.50, 0.57, 0.68), normal.y * 0.5 + 0.5);
  vec3 light = ambient * open * mix(1.18, 0.92, uDark) + vec3(1.06, 0.98, 0.86) * facing * 1.12;
  float gleam = pow(max(dot(normal, normalize(eye + uSun)), 0.0), 28.0) * 0.035 * lit * known;
  vec3 result = base * light + gleam * vec3(1.0, 0.96, 0.88);
  result += base * 0.05 * pow(1.0 - max(dot(normal, eye), 0.0), 3.0) * vec3(0.7, 0.85, 1.0);

  float thin = contour(level * uLevels, 0.55 * uDots);
  float thick = contour(level * uLevels / 5.0, 0.85 * uDots);
  result = mix(result, result * 0.42, 0.50 * known * thin * (1.0 - thick));
  result = mix(result, result * 0.22, 0.62 * known * thick);
  colour = vec4(toScreen(result), 1.0);
}
`;

/**
 * The terrain.
 * @param {Uniforms} uniforms
 * @param {{mode: 'block' | 'map', quality: 'high' | 'low'}} options
 * @returns {Mesh}
 */
export function makeSurface(uniforms, { mode, quality }) {
  // Seen from above, two triangles do: the height is read at every pixel.
  const side = mode === 'map' ? 2 : quality === 'high' ? 257 : 129;
  const geometry = new BufferGeometry();
  geometry.setIndex(new BufferAttribute(gridIndex(side), 1));
  const look = { vertex: VERTEX, fragment: FRAGMENT, depthWrite: mode === 'block' };
  const mesh = new Mesh(geometry, material({ ...uniforms, uSide: { value: side } }, look));
  mesh.frustumCulled = false;
  return mesh;
}

/**
 * Two triangles for every cell of a grid.
 * @param {number} side points a side
 */
function gridIndex(side) {
  const index = new Uint32Array(6 * (side - 1) ** 2);
  let at = 0;
  for (let row = 0; row < side - 1; row++) {
    for (let column = 0; column < side - 1; column++) {
      const corner = row * side + column;
      // Diagonals in turn, so that ridges have no grain.
      if ((row + column) % 2 === 0) {
        index[at++] = corner;
        index[at++] = corner + 1;
        index[at++] = corner + side + 1;
        index[at++] = corner;
        index[at++] = corner + side + 1;
        index[at++] = corner + side;
      } else {
        index[at++] = corner;
        index[at++] = corner + 1;
        index[at++] = corner + side;
        index[at++] = corner + 1;
        index[at++] = corner + side + 1;
        index[at++] = corner + side;
      }
    }
  }
  return index;
}
