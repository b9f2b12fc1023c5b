// @ts-check
/** Balls and their contact shadows: one point each, shaded as a sphere. */
import { Points } from 'three';
import { HEIGHT, material } from 'fallline/scene/shared';
import { TRACKS, bare } from 'fallline/scene/tracks';

/** @typedef {import('fallline/scene/shared').Uniforms} Uniforms */
/** @typedef {import('fallline/scene/tracks').Tracks} Tracks */

/** The steps that both shaders begin with: where the ball is, and whether it shows. */
const START = /* glsl */ `
${HEIGHT}
${TRACKS}
uniform float uRadius;
uniform float uPixels;

float pixelsAcross(float size, float depth) {
  return size * uPixels / (uFlat > 0.5 ? 1.0 : depth);
}

void hide() {
  gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = 0.0;
}
`;

const SHADOW_VERTEX = /* glsl */ `
${START}
out vec3 vNormal;
void main() {
  vec2 p = whereIs(gl_VertexID);
  if (outside(p) || uMask[looks(gl_VertexID).x] < 0.5) {
    hide();
    return;
  }
  vec3 normal = slopeAt(p);
  vec3 shifted = place(p) + normal * uRadius * 0.25 + vec3(0.35, 0.0, 0.22) * uRadius;
  vec4 view = modelViewMatrix * vec4(shifted, 1.0);
  view.z += uRadius * 1.2;
  gl_Position = projectionMatrix * view;
  gl_PointSize = max(3.0 * uDots, pixelsAcross(3.4 * uRadius, -view.z));
  vNormal = mat3(viewMatrix) * normal;
}
`;

const SHADOW_FRAGMENT = /* glsl */ `
in vec3 vNormal;
void main() {
  // The sprite faces the eye; on the slope that it lies on, a circle is further across than it looks.
  vec2 q = (gl_PointCoord * 2.0 - 1.0) * vec2(1.0, -1.0);
  float lift = dot(vNormal.xy, q) / max(vNormal.z, 0.3);
  float away = sqrt(dot(q, q) + lift * lift);
  if (away > 1.0) discard;
  colour = vec4(0.0, 0.01, 0.03, 0.58 * pow(1.0 - away, 1.4));
}
`;

const BALL_VERTEX = /* glsl */ `
${START}
uniform float uMarks[16];
flat out vec3 vColour;
flat out float vAcross;
flat out int vMark;
void main() {
  vec2 p = whereIs(gl_VertexID);
  ivec2 look = looks(gl_VertexID);
  if (outside(p) || uMask[look.x] < 0.5) {
    hide();
    return;
  }
  vec4 view = modelViewMatrix * vec4(place(p) + slopeAt(p) * uRadius, 1.0);
  gl_Position = projectionMatrix * view;
  gl_PointSize = max(2.5 * uDots, pixelsAcross(2.0 * uRadius, -view.z)) + 1.0;
  vAcross = gl_PointSize;
  vColour = uColours[look.y];
  vMark = int(uMarks[look.x] + 0.5);
}
`;

const BALL_FRAGMENT = /* glsl */ `
flat in vec3 vColour;
flat in float vAcross;
flat in int vMark;

float box(vec2 p, vec2 half_size) {
  vec2 over = abs(p) - half_size;
  return max(over.x, over.y);
}

// How far outside of a mark, in sixteenths of the ball; the same marks as in palette.js, in the same order.
float markAway(int mark, vec2 p) {
  vec2 turned = vec2(p.x + p.y, p.y - p.x) * 0.7071;
  if (mark == 1) return box(p, vec2(5.0, 1.1));
  if (mark == 2) return abs(length(p) - 3.3) - 1.1;
  if (mark == 3) return min(box(p, vec2(5.0, 1.1)), box(p, vec2(1.1, 5.0)));
  if (mark == 4) return box(p, vec2(1.1, 5.0));
  if (mark == 5) return length(p) - 2.6;
  if (mark == 6) return min(box(turned, vec2(5.4, 1.1)), box(turned, vec2(1.1, 5.4)));
  if (mark == 7) return abs(box(p, vec2(2.4))) - 1.0;
  if (mark == 8) return box(turned, vec2(5.4, 1.1));
  if (mark == 9) return box(turned, vec2(3.25));
  if (mark == 10) return box(vec2(p.x, abs(p.y) - 2.0), vec2(4.6, 0.95));
  if (mark == 11) return box(turned, vec2(1.1, 5.4));
  return 1e3;
}

void main() {
  vec2 q = (gl_PointCoord * 2.0 - 1.0) * vec2(1.0, -1.0);
  float away = length(q);
  float inside = 1.0 - smoothstep(1.0 - 2.0 / vAcross, 1.0, away);
  if (inside < 0.02) discard;
  vec3 normal = vec3(q, sqrt(max(0.0, 1.0 - away * away)));
  vec3 sun = normalize(mat3(viewMatrix) * uSun);
  vec3 up = mat3(viewMatrix) * vec3(0.0, 1.0, 0.0);
  float sky = dot(normal, up) * 0.5 + 0.5;
  float gleam = pow(max(dot(normal, normalize(sun + vec3(0.0, 0.0, 1.0))), 0.0), 48.0);

  vec3 base = toLinear(vColour);
  float large = smoothstep(8.0, 12.0, vAcross / uDots);
  if (large > 0.0 && vMark > 0) {
    float soft = 16.0 / vAcross;
    float ink = large * (1.0 - smoothstep(-0.5 * soft, 0.5 * soft, markAway(vMark, q * 8.0)));
    base = mix(base, base * 0.16, 0.85 * ink);
  }
  vec3 result = base * (mix(0.30, 0.62, sky) + 0.72 * max(dot(normal, sun), 0.0)) + vec3(0.75) * gleam;
  result += 0.10 * pow(1.0 - normal.z, 2.0) * vec3(0.8, 0.9, 1.0);
  // A dark rim, three pixels wide: neighbours stay apart.
  result *= mix(1.0, 0.42, smoothstep(1.0 - 3.2 * uDots / vAcross - 0.08, 1.0 - 0.6 * uDots / vAcross, away));
  colour = vec4(toScreen(result), inside);
}
`;

/**
 * The balls and their shadows, to be drawn in this order around the trails.
 * @param {Uniforms} uniforms
 * @param {Tracks} tracks
 * @returns {{shadows: Points, balls: Points}}
 */
export function makeBalls(uniforms, tracks) {
  const all = { ...uniforms, ...tracks.uniforms };
  const geometry = bare(tracks.count);
  const shadows = new Points(
    geometry,
    material(all, { vertex: SHADOW_VERTEX, fragment: SHADOW_FRAGMENT, transparent: true, depthWrite: false }),
  );
  const balls = new Points(
    geometry,
    material(all, { vertex: BALL_VERTEX, fragment: BALL_FRAGMENT, transparent: true }),
  );
  shadows.renderOrder = 1;
  balls.renderOrder = 3;
  shadows.frustumCulled = false;
  balls.frustumCulled = false;
  return { shadows, balls };
}

/**
 * The radius of a ball: smaller where there are more.
 * @param {number} count
 * @returns {number} in units of the scene
 */
export function radiusOf(count) {
  return 0.0165 * Math.min(1.6, Math.max(0.34, (500 / Math.max(1, count)) ** 0.3));
}
