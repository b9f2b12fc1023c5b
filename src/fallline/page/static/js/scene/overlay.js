// @ts-check
/**
 * What is drawn over the terrain to explain one ball: the gradient, the next step, the ellipse of curvature;
 * and the marks of minima, saddles and starts. Lines lie on the surface and keep their width on the screen.
 */
import {
  BufferAttribute,
  BufferGeometry,
  DataTexture,
  FloatType,
  Mesh,
  NearestFilter,
  Points,
  RGBAFormat,
} from 'three';
import { hex } from 'fallline/palette';
import { HEIGHT, material } from 'fallline/scene/shared';
import { bare } from 'fallline/scene/tracks';

/** @typedef {import('fallline/scene/shared').Uniforms} Uniforms */
/** @typedef {[number, number]} Place in the window, [-1, 1]² */

/**
 * @typedef {object} Explained one ball, taken apart
 * @property {Place} place
 * @property {Place} [gradient] drawn as an arrow of this length from the place
 * @property {Place} [next] where the next step leads
 * @property {{values: number[], vectors: number[][]}} [ellipse] eigenvalues and eigenvectors of the Hessian
 * @property {{direction: Place, colour: string}[]} [arrows] further arrows, such as a velocity, of their own
 *   length
 */

/** @typedef {{x: number, y: number, kind: 'minimum' | 'saddle' | 'start'}} Mark */

const MOST_LINES = 512;
const MOST_MARKS = 512;
const PARTS = 3;
const MARK_KINDS = ['minimum', 'saddle', 'start'];

const COLOURS = { gradient: '#ffffff', next: '#ffb454', ellipse: '#dce6ff', downward: '#ff9c7d' };

const LINE_VERTEX = /* glsl */ `
${HEIGHT}
uniform sampler2D uLines;
uniform vec2 uHalf;
out vec3 vColour;
out float vAcross;
out float vWidth;
out vec2 vDash;
void main() {
  int corner = gl_VertexID % 4;
  int line = gl_VertexID / 4;
  vec4 ends = texelFetch(uLines, ivec2(0, line), 0);
  vec4 look = texelFetch(uLines, ivec2(1, line), 0);
  vec4 dash = texelFetch(uLines, ivec2(2, line), 0);
  vec4 first = onScreen(place(ends.xy) + vec3(0.0, 0.004, 0.0), 0.02);
  vec4 second = onScreen(place(ends.zw) + vec3(0.0, 0.004, 0.0), 0.02);
  vec2 way = (second.xy / second.w - first.xy / first.w) * uHalf;
  float far = length(way);
  vec2 along = far > 1e-4 ? way / far : vec2(1.0, 0.0);
  float side = corner % 2 == 0 ? -1.0 : 1.0;
  vec4 end = corner < 2 ? first : second;
  float width = look.w * uDots;
  // Ends reach over by half a width, so that the joints of a curve close.
  vec2 reach = vec2(-along.y, along.x) * side * (width + 2.0 * uDots);
  reach += along * (corner < 2 ? -0.5 : 0.5) * width;
  end.xy += reach / uHalf * end.w;
  gl_Position = end;
  vColour = look.rgb;
  vAcross = side * (width + 2.0 * uDots);
  vWidth = width;
  vDash = vec2(corner < 2 ? dash.x : dash.y, dash.z);
}
`;

const LINE_FRAGMENT = /* glsl */ `
uniform float uStrength;
in vec3 vColour;
in float vAcross;
in float vWidth;
in vec2 vDash;
void main() {
  float away = abs(vAcross);
  float core = 1.0 - smoothstep(vWidth - 0.6, vWidth + 0.6, away);
  float rim = 1.0 - smoothstep(vWidth + 0.2 * uDots, vWidth + 1.8 * uDots, away);
  float on = 1.0;
  if (vDash.y > 0.0) {
    float period = fract(vDash.x / vDash.y);
    float soft = fwidth(vDash.x / vDash.y);
    on = smoothstep(0.0, soft, period) * (1.0 - smoothstep(0.62, 0.62 + soft, period));
  }
  float cover = max(core, 0.55 * rim) * on * uStrength;
  if (cover < 0.01) discard;
  colour = vec4(mix(vec3(0.03, 0.045, 0.08), vColour, core), cover);
}
`;

const MARK_VERTEX = /* glsl */ `
${HEIGHT}
uniform sampler2D uPoints;
flat out int vKind;
flat out float vAcross;
void main() {
  vec4 mark = texelFetch(uPoints, ivec2(gl_VertexID, 0), 0);
  gl_Position = onScreen(place(mark.xy) + vec3(0.0, 0.01, 0.0), 0.03);
  gl_PointSize = 15.0 * uDots;
  vAcross = gl_PointSize;
  vKind = int(mark.z + 0.5);
}
`;

const MARK_FRAGMENT = /* glsl */ `
flat in int vKind;
flat in float vAcross;
void main() {
  // In pixels of CSS from the middle.
  vec2 p = (gl_PointCoord * 2.0 - 1.0) * vec2(0.5, -0.5) * vAcross / uDots;
  vec2 turned = vec2(p.x + p.y, p.y - p.x) * 0.7071;
  float away;
  if (vKind == 0) {
    away = min(abs(length(p) - 4.2) - 0.7, length(p) - 1.3);
  } else if (vKind == 1) {
    vec2 arm = abs(turned);
    away = min(max(arm.x - 4.6, arm.y - 0.7), max(arm.y - 4.6, arm.x - 0.7));
  } else {
    vec2 frame = abs(turned);
    away = abs(max(frame.x, frame.y) - 3.4) - 0.7;
  }
  float soft = 0.5 / uDots;
  float core = 1.0 - smoothstep(-soft, soft, away);
  float rim = 1.0 - smoothstep(0.4, 2.0, away);
  float cover = max(core, 0.6 * rim);
  if (cover < 0.02) discard;
  colour = vec4(mix(vec3(0.03, 0.045, 0.08), vec3(0.97), core), cover);
}
`;

export class Overlay {
  /** @param {Uniforms} uniforms */
  constructor(uniforms) {
    this.lines = new Float32Array(4 * PARTS * MOST_LINES);
    this.count = 0;
    this.points = new Float32Array(4 * MOST_MARKS);
    this.linesTexture = table(this.lines, PARTS, MOST_LINES);
    this.pointsTexture = table(this.points, MOST_MARKS, 1);
    const index = new Uint32Array(6 * MOST_LINES);
    for (let line = 0; line < MOST_LINES; line++) {
      index.set(
        [0, 1, 2, 2, 1, 3].map((corner) => 4 * line + corner),
        6 * line,
      );
    }
    this.geometry = new BufferGeometry();
    this.geometry.setIndex(new BufferAttribute(index, 1));
    this.geometry.setDrawRange(0, 0);
    const own = { ...uniforms, uLines: { value: this.linesTexture } };
    const shaders = { vertex: LINE_VERTEX, fragment: LINE_FRAGMENT, transparent: true, depthWrite: false };
    // Faint through the hills, then clear where nothing is in front.
    const hidden = new Mesh(
      this.geometry,
      material({ ...own, uStrength: { value: 0.3 } }, { ...shaders, depthTest: false }),
    );
    const clear = new Mesh(this.geometry, material({ ...own, uStrength: { value: 1 } }, shaders));
    const marks = new Points(
      bare(0),
      material(
        { ...uniforms, uPoints: { value: this.pointsTexture } },
        { vertex: MARK_VERTEX, fragment: MARK_FRAGMENT, transparent: true, depthWrite: false },
      ),
    );
    this.marks = marks;
    this.parts = [marks, hidden, clear];
    const orders = [1.5, 4, 5];
    this.parts.forEach((part, place) => {
      part.renderOrder = orders[place];
      part.frustumCulled = false;
    });
  }

  /**
   * The marks, in place of those before.
   * @param {Mark[]} marks
   */
  setMarks(marks) {
    const count = Math.min(marks.length, MOST_MARKS);
    for (let place = 0; place < count; place++) {
      const { x, y, kind } = marks[place];
      this.points.set([x, y, Math.max(0, MARK_KINDS.indexOf(kind)), 0], 4 * place);
    }
    this.pointsTexture.needsUpdate = true;
    this.marks.geometry.setDrawRange(0, count);
  }

  /**
   * Explain one ball, or none.
   * @param {Explained | null} ball
   */
  explain(ball) {
    this.count = 0;
    if (ball && ball.place.every(Number.isFinite)) {
      if (ball.ellipse) this.#ellipse(ball.place, ball.ellipse);
      if (ball.gradient) this.#arrow(ball.place, ball.gradient, COLOURS.gradient);
      for (const { direction, colour } of ball.arrows ?? []) this.#arrow(ball.place, direction, colour);
      if (ball.next) this.#next(ball.place, ball.next);
    }
    this.linesTexture.needsUpdate = true;
    this.geometry.setDrawRange(0, 6 * this.count);
  }

  dispose() {
    this.linesTexture.dispose();
    this.pointsTexture.dispose();
  }

  /** @param {Place} from @param {Place} way @param {string} colour */
  #arrow(from, way, colour) {
    const length = Math.hypot(...way);
    if (!(length > 1e-4) || !Number.isFinite(length)) return;
    const tip = /** @type {Place} */ ([from[0] + way[0], from[1] + way[1]]);
    this.#curve([from, tip], colour, 1.5);
    const barb = Math.min(0.045, 0.45 * length) / length;
    for (const turn of [-0.5, 0.5]) {
      const back = [-way[0] * barb, -way[1] * barb];
      const x = back[0] * Math.cos(turn) - back[1] * Math.sin(turn);
      const y = back[0] * Math.sin(turn) + back[1] * Math.cos(turn);
      this.#curve([tip, [tip[0] + x, tip[1] + y]], colour, 1.5);
    }
  }

  /** @param {Place} from @param {Place} next */
  #next(from, next) {
    if (!next.every(Number.isFinite)) return;
    this.#curve([from, next], COLOURS.next, 1.5, 0.035);
    this.#curve(circle(next, [0.022, 0], [0, 0.022], 20), COLOURS.next, 1.4);
  }

  /** @param {Place} middle @param {{values: number[], vectors: number[][]}} ellipse */
  #ellipse(middle, { values, vectors }) {
    // Where the quadratic model has risen, or fallen, by the same amount; the longer half axis is set to
    // 0.17.
    const halves = values.map((value) => 1 / Math.sqrt(Math.max(Math.abs(value), 1e-12)));
    const longest = Math.max(...halves);
    if (!values.every(Number.isFinite)) return;
    const axes = vectors.map((vector, place) => {
      const size = Math.hypot(vector[0], vector[1]) || 1;
      const half = Math.max(0.02, (0.17 * halves[place]) / longest) / size;
      return /** @type {Place} */ ([vector[0] * half, vector[1] * half]);
    });
    const saddle = values.some((value) => value < 0);
    this.#curve(circle(middle, axes[0], axes[1], 64), COLOURS.ellipse, 1.1, saddle ? 0.03 : 0);
    axes.forEach(([x, y], place) => {
      const colour = values[place] < 0 ? COLOURS.downward : COLOURS.ellipse;
      this.#curve(
        [
          [middle[0] - x, middle[1] - y],
          [middle[0] + x, middle[1] + y],
        ],
        colour,
        0.9,
      );
    });
  }

  /**
   * A curve through places, cut to the window and laid on the surface.
   * @param {Place[]} places
   * @param {string} colour
   * @param {number} width half of it, in pixels of CSS
   * @param {number} [dash] its period in units of the window; 0 for none
   */
  #curve(places, colour, width, dash = 0) {
    const [red, green, blue] = hex(colour);
    let along = 0;
    for (let place = 0; place + 1 < places.length; place++) {
      const [from, to] = [places[place], places[place + 1]];
      const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
      // Short enough to follow the surface.
      const pieces = Math.max(1, Math.min(48, Math.ceil(length / 0.015)));
      for (let piece = 0; piece < pieces; piece++) {
        if (this.count >= MOST_LINES) return;
        const [t0, t1] = [piece / pieces, (piece + 1) / pieces];
        const x0 = from[0] + t0 * (to[0] - from[0]);
        const y0 = from[1] + t0 * (to[1] - from[1]);
        const x1 = from[0] + t1 * (to[0] - from[0]);
        const y1 = from[1] + t1 * (to[1] - from[1]);
        if (Math.max(Math.abs(x0), Math.abs(y0), Math.abs(x1), Math.abs(y1)) > 1) continue;
        const ends = [x0, y0, x1, y1];
        const dashes = [along + t0 * length, along + t1 * length, dash, 0];
        this.lines.set([...ends, red, green, blue, width, ...dashes], 4 * PARTS * this.count);
        this.count += 1;
      }
      along += length;
    }
  }
}

/**
 * A closed curve around a place.
 * @param {Place} middle
 * @param {Place} first half axis
 * @param {Place} second half axis
 * @param {number} pieces
 */
function circle(middle, first, second, pieces) {
  /** @type {Place[]} */
  const places = [];
  for (let piece = 0; piece <= pieces; piece++) {
    const angle = (piece / pieces) * 2 * Math.PI;
    const c = Math.cos(angle);
    const s = Math.sin(angle);
    places.push([middle[0] + c * first[0] + s * second[0], middle[1] + c * first[1] + s * second[1]]);
  }
  return places;
}

/**
 * @param {Float32Array} data four numbers a place
 * @param {number} width
 * @param {number} height
 */
function table(data, width, height) {
  const texture = new DataTexture(data, width, height, RGBAFormat, FloatType);
  texture.minFilter = NearestFilter;
  texture.magFilter = NearestFilter;
  texture.needsUpdate = true;
  return texture;
}
