// @ts-check
/** Curves as pixels: where they run, and which of them is nearest. */

/** @typedef {import('fallline/maps/bundle').Curve} Curve */
/** @typedef {import('fallline/maps/axes').Area} Area */
/** @typedef {import('fallline/maps/axes').Scale} Scale */

/**
 * Curves in pixels, x and y by turns, NaN where one is broken.
 * @param {Curve[]} curves @param {Scale} x @param {Scale} y @param {Area} area
 * @returns {Float32Array[]}
 */
export function pixelsOf(curves, x, y, [left, top, right, bottom]) {
  return curves.map((curve) => {
    const out = new Float32Array(2 * curve.x.length);
    curve.x.forEach((cx, k) => {
      const cy = curve.y[k];
      const usable = cx !== null && cy !== null && cy !== undefined && !(y.log && cy <= 0);
      const up = usable ? y.share(cy) : NaN;
      out[2 * k] = usable ? left + x.share(cx) * (right - left) : NaN;
      out[2 * k + 1] = bottom - Math.max(-0.5, Math.min(3, up)) * (bottom - top);
    });
    return out;
  });
}

/**
 * The path of a curve; one that diverges goes up to the top where its numbers end.
 * @param {CanvasRenderingContext2D} pen @param {Float32Array} spots @param {number | null} top null for a curve that stays
 */
export function outline(pen, spots, top) {
  pen.beginPath();
  let down = false;
  let [lastX, lastY] = [NaN, NaN];
  for (let k = 0; k < spots.length; k += 2) {
    const [px, py] = [spots[k], spots[k + 1]];
    if (Number.isNaN(px) || Number.isNaN(py)) {
      down = false;
      continue;
    }
    if (down) pen.lineTo(px, py);
    else {
      pen.moveTo(px, py);
      // A place alone is a dot.
      if (!(spots[k + 2] + spots[k + 3] < Infinity)) pen.arc(px, py, 1.6, 0, 7);
    }
    [down, lastX, lastY] = [true, px, py];
  }
  if (top !== null && lastY > top) pen.lineTo(lastX, top);
}

/**
 * The curve nearest to a place; -1 if none is near.
 * @param {Float32Array[]} pixels @param {number} px @param {number} py @param {number} near in pixels
 */
export function nearest(pixels, px, py, near) {
  let [best, least] = [-1, near * near];
  pixels.forEach((spots, i) => {
    for (let k = 0; k + 3 < spots.length; k += 2) {
      const [ax, ay] = [spots[k], spots[k + 1]];
      // Distances to pieces, not to points, which may be far apart.
      const [bx, by] = [spots[k + 2] - ax, spots[k + 3] - ay];
      const along = Math.min(1, Math.max(0, ((px - ax) * bx + (py - ay) * by) / (bx * bx + by * by || 1)));
      const away = (ax + along * bx - px) ** 2 + (ay + along * by - py) ** 2;
      if (away < least) [best, least] = [i, away];
    }
  });
  return best;
}
