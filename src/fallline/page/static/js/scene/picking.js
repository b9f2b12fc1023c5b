// @ts-check
/** From the screen to the terrain and back, on the processor: no pixel is read from the graphics card. */
import { Matrix4, Vector3 } from 'three';
import { RAISE, heightAt } from 'fallline/scene/relief';

/** @typedef {import('fallline/scene/relief').Relief} Relief */
/** @typedef {import('three').Camera} Camera */

const matrix = new Matrix4();
const start = new Vector3();
const end = new Vector3();

/**
 * The place of the terrain under a point of the screen.
 * @param {Camera} camera
 * @param {Relief} surface
 * @param {number} x -1 to 1 from left to right of the canvas
 * @param {number} y -1 to 1 from its bottom to its top
 * @returns {{x: number, y: number} | null} in the window, or null beside the terrain
 */
export function pickPlace(camera, surface, x, y) {
  start.set(x, y, -1).unproject(camera);
  end.set(x, y, 1).unproject(camera).sub(start);
  const far = end.length();
  const way = end.multiplyScalar(1 / far);
  // The part of the ray within the block's box.
  let near = 0;
  let last = far;
  for (const [from, step, low, high] of [
    [start.x, way.x, -1, 1],
    [start.y, way.y, -1e-3, RAISE + 1e-3],
    [start.z, way.z, -1, 1],
  ]) {
    if (Math.abs(step) < 1e-9) {
      if (from < low || from > high) return null;
      continue;
    }
    const [a, b] = [(low - from) / step, (high - from) / step];
    near = Math.max(near, Math.min(a, b));
    last = Math.min(last, Math.max(a, b));
  }
  if (near > last) return null;
  const over = (/** @type {number} */ t) =>
    start.y + t * way.y - heightAt(surface, start.x + t * way.x, -(start.z + t * way.z));
  // From outside into a wall: the nearest place of its rim would surprise.
  if (over(near) < -1e-3) return null;
  let before = near;
  for (let t = near; ; t = Math.min(t + 0.006, last)) {
    if (over(t) <= 0) {
      let [above, below] = [before, t];
      for (let i = 0; i < 20; i++) {
        const middle = (above + below) / 2;
        if (over(middle) > 0) above = middle;
        else below = middle;
      }
      const clamp = (/** @type {number} */ value) => Math.min(1, Math.max(-1, value));
      return { x: clamp(start.x + below * way.x), y: clamp(-(start.z + below * way.z)) };
    }
    if (t >= last) return null;
    before = t;
  }
}

/**
 * A place of the terrain on the screen.
 * @param {Camera} camera
 * @param {Relief} surface
 * @param {number} x in the window
 * @param {number} y in the window
 * @param {number} lift above the surface, in units of the scene
 * @returns {[number, number, boolean]} -1 to 1 across and up the canvas, and whether it can be seen
 */
export function projectPlace(camera, surface, x, y, lift) {
  const height = heightAt(surface, x, y) + lift;
  start.set(x, height, -y).project(camera);
  const inside = Math.abs(start.x) <= 1 && Math.abs(start.y) <= 1 && start.z < 1;
  return [start.x, start.y, inside && !hidden(camera, surface, x, height, -y)];
}

/**
 * Whether the terrain is between the eye and a point.
 * @param {Camera} camera
 * @param {Relief} surface
 * @param {number} x
 * @param {number} y
 * @param {number} z
 */
function hidden(camera, surface, x, y, z) {
  if (!('fov' in camera)) return false;
  const { position } = camera;
  const far = Math.hypot(position.x - x, position.y - y, position.z - z);
  const step = [(position.x - x) / far, (position.y - y) / far, (position.z - z) / far];
  for (let t = 0.02; t < far; t += 0.012) {
    const [px, py, pz] = [x + t * step[0], y + t * step[1], z + t * step[2]];
    if (py > RAISE || Math.abs(px) > 1 || Math.abs(pz) > 1) return false;
    if (py < heightAt(surface, px, -pz) - 0.004) return true;
  }
  return false;
}

/**
 * The ball nearest to a point of the screen.
 * @param {Camera} camera
 * @param {Relief} surface
 * @param {{before: Float32Array, now: Float32Array, kinds: Uint8Array}} tracks
 * @param {{mix: number, mask: Float32Array, lift: number}} look lift: of the balls' centres
 * @param {{x: number, y: number, width: number, height: number, radius: number}} at in pixels of CSS
 * @returns {number} its number, or -1 if none is within the radius
 */
export function nearestBall(camera, surface, tracks, { mix, mask, lift }, at) {
  camera.updateMatrixWorld();
  const m = matrix.multiplyMatrices(camera.projectionMatrix, camera.matrixWorldInverse).elements;
  const { before, now, kinds } = tracks;
  const [across, up] = [at.width / 2, at.height / 2];
  let best = -1;
  let least = at.radius * at.radius;
  let nearest = Infinity;
  for (let ball = 0; ball < kinds.length; ball++) {
    if (mask[kinds[ball]] < 0.5) continue;
    const x = before[2 * ball] + mix * (now[2 * ball] - before[2 * ball]);
    const y = before[2 * ball + 1] + mix * (now[2 * ball + 1] - before[2 * ball + 1]);
    if (!(Math.abs(x) <= 1 && Math.abs(y) <= 1)) continue;
    const h = heightAt(surface, x, y) + lift;
    const w = m[3] * x + m[7] * h - m[11] * y + m[15];
    const dx = ((m[0] * x + m[4] * h - m[8] * y + m[12]) / w + 1) * across - at.x;
    const dy = (1 - (m[1] * x + m[5] * h - m[9] * y + m[13]) / w) * up - at.y;
    const away = dx * dx + dy * dy;
    // Of balls that lie over each other, the one in front.
    if (away > least || (away > least - 1 && w > nearest)) continue;
    if (hidden(camera, surface, x, h, -y)) continue;
    best = ball;
    least = away;
    nearest = w;
  }
  return best;
}
