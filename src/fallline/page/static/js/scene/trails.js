// @ts-check
/** Trails: a ribbon of constant width on the screen behind each ball, all in one draw. */
import { BufferAttribute, BufferGeometry, Mesh } from 'three';
import { HEIGHT, material } from 'fallline/scene/shared';
import { TRACKS } from 'fallline/scene/tracks';

/** @typedef {import('fallline/scene/shared').Uniforms} Uniforms */
/** @typedef {import('fallline/scene/tracks').Tracks} Tracks */

// Four vertices a segment; segments in order of age, the youngest first, all balls of one age together: what
// is filled of the trails is then the beginning of one range.
const VERTEX = /* glsl */ `
${HEIGHT}
${TRACKS}
uniform vec2 uHalf;
uniform float uRadius;
uniform float uWidth;
uniform float uStrength;
uniform float uPhase;
uniform int uCount;
uniform int uSamples;
uniform int uNewest;
uniform int uFilled;
out vec4 vColour;
out float vAcross;

vec2 onTrail(int ball, int back) {
  return back == 0 ? whereIs(ball) : whereWas(ball, (uNewest + 1 - back + uSamples) % uSamples);
}

// Where the way from a place inside the window to one outside leaves it.
vec2 edge(vec2 inner, vec2 outer) {
  vec2 way = outer - inner;
  vec2 room = (sign(way) - inner) / (way + vec2(equal(way, vec2(0.0))));
  room = mix(room, vec2(1.0), vec2(equal(way, vec2(0.0))));
  return inner + way * min(room.x, room.y);
}

void main() {
  int corner = gl_VertexID % 4;
  int segment = gl_VertexID / 4;
  int ball = segment % uCount;
  int back = segment / uCount;
  ivec2 look = looks(ball);
  gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  vColour = vec4(0.0);
  vAcross = 0.0;
  if (back >= uFilled || uMask[look.x] < 0.5) return;
  vec2 head = onTrail(ball, back);
  vec2 tail = onTrail(ball, back + 1);
  if (any(greaterThan(abs(head), vec2(100.0))) || any(greaterThan(abs(tail), vec2(100.0)))) return;
  bool head_out = outside(head);
  bool tail_out = outside(tail);
  if (head_out && tail_out) return;
  if (head_out) head = edge(tail, head);
  if (tail_out) tail = edge(head, tail);

  vec3 lift = vec3(0.0, uRadius * 0.35, 0.0);
  vec4 first = onScreen(place(head) + lift, 0.015);
  vec4 second = onScreen(place(tail) + lift, 0.015);
  vec2 way = (second.xy / second.w - first.xy / first.w) * uHalf;
  float far = length(way);
  vec2 along = far > 1e-4 ? way / far : vec2(1.0, 0.0);
  float side = corner % 2 == 0 ? -1.0 : 1.0;
  vec4 end = corner < 2 ? first : second;
  float steps = float(back + (corner < 2 ? 0 : 1));
  float age = steps == 0.0 ? 0.0 : min(1.0, (steps - 1.0 + uPhase) / float(uSamples - 1));
  float width = uWidth * (1.0 - 0.65 * age);
  end.xy += vec2(-along.y, along.x) * side * (width + 1.0) / uHalf * end.w;
  gl_Position = end;
  vAcross = side * (width + 1.0);
  vColour = vec4(mix(uColours[look.y], vec3(1.0), 0.12), 0.92 * uStrength * pow(1.0 - age, 1.6));
}
`;

const FRAGMENT = /* glsl */ `
uniform float uWidth;
in vec4 vColour;
in float vAcross;
void main() {
  float cover = vColour.a * (1.0 - smoothstep(uWidth - 0.6, uWidth + 0.6, abs(vAcross)));
  if (cover < 0.004) discard;
  colour = vec4(vColour.rgb, cover);
}
`;

/**
 * The trails of all balls.
 * @param {Uniforms} uniforms
 * @param {Tracks} tracks
 * @returns {Mesh}
 */
export function makeTrails(uniforms, tracks) {
  const { count, samples } = tracks;
  const index = new Uint32Array(6 * count * samples);
  for (let at = 0, first = 0; at < index.length; at += 6, first += 4) {
    index[at] = first;
    index[at + 1] = first + 1;
    index[at + 2] = first + 2;
    index[at + 3] = first + 2;
    index[at + 4] = first + 1;
    index[at + 5] = first + 3;
  }
  const geometry = new BufferGeometry();
  geometry.setIndex(new BufferAttribute(index, 1));
  geometry.setDrawRange(0, 0);
  const own = { uWidth: { value: 1 }, uStrength: { value: 1 } };
  const trails = new Mesh(
    geometry,
    material(
      { ...uniforms, ...tracks.uniforms, ...own },
      { vertex: VERTEX, fragment: FRAGMENT, transparent: true, depthWrite: false },
    ),
  );
  trails.renderOrder = 2;
  trails.frustumCulled = false;
  return trails;
}

/**
 * Set what a frame changes: how much is filled, and how wide and strong the ribbons are.
 * @param {Mesh} trails
 * @param {Tracks} tracks
 * @param {{dots: number, weight: number}} look dots: pixels of the device for one of CSS; weight: 1, or less
 *   on a small map
 */
export function updateTrails(trails, tracks, { dots, weight }) {
  const { count, filled } = tracks;
  const { uWidth, uStrength } = trails.material.uniforms;
  trails.geometry.setDrawRange(0, 6 * count * filled);
  uWidth.value = (count > 1500 ? 0.75 : 1) * dots * weight;
  // Many trails are fainter each, so that the terrain stays visible.
  uStrength.value = Math.min(1, (600 / Math.max(1, count)) ** 0.55) * weight;
}
