// @ts-check
/** The data space: points, curves of now and before, least squares, residuals; on a 2-D canvas. */
import { roundNumbers } from 'fallline/axis';
import { few } from 'fallline/fit/state';
import { faded } from 'fallline/palette';

/** @typedef {import('fallline/services').Services} Services */

const MARGIN = { left: 58, right: 26, top: 26, bottom: 44 };
const GHOSTS = 16;
const RADIUS = 4.6;

/** @param {Element} element @param {'dark' | 'light'} theme */
function coloursOf(element, theme) {
  const style = getComputedStyle(element.isConnected ? element : document.documentElement);
  const read = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const dark = theme === 'dark';
  return {
    text: read('--text'),
    muted: read('--muted'),
    accent: read('--accent'),
    panel: read('--panel'),
    danger: read('--danger'),
    grid: dark ? '#ffffff0f' : '#1b243012',
    zero: dark ? '#ffffff30' : '#1b243038',
    point: dark ? '#58b8f0' : '#1a6fb5',
    rim: dark ? '#06090fd0' : '#ffffffe0',
    best: dark ? '#c4ccd8' : '#3d4655',
  };
}

/** A number at an axis. @param {number} value @param {number} step between the numbers around it */
function written(value, step) {
  if (Math.abs(value) < 1e-6 * step) return '0';
  const size = Math.abs(value);
  const text =
    size >= 1e7 || size < 1e-4
      ? String(Number(value.toPrecision(3)).toExponential()).replace('e+', 'e')
      : Number(value.toPrecision(7)).toLocaleString('en', {
          maximumFractionDigits: 8,
          useGrouping: size >= 1e4,
        });
  return text.replace('-', '−');
}

export class Plane {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Services} services
   */
  constructor(canvas, services) {
    this.canvas = canvas;
    this.services = services;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    this.window = [-3, 3, -3, 3];
    this.names = ['x', 'y'];
    /** @type {number[]} x, y by turns */
    this.points = [];
    /** @type {Float32Array | null} over the window from left to right */
    this.curve = null;
    /** @type {Float32Array[]} oldest first */
    this.ghosts = [];
    /** @type {ArrayLike<number> | null} */
    this.best = null;
    /** @type {ArrayLike<number> | null} of the place pointed at in parameter space */
    this.preview = null;
    /** @type {Set<number> | null} the next batch; null where it is all points */
    this.batch = null;
    /** The point under the pointer, -1 for none. */
    this.hovered = -1;
    /** Shown residuals of all points. */
    this.residuals = false;
    /** @type {{x: number, y: number, erase: boolean, radius: number} | null} in the units of the points */
    this.brush = null;
    this.colour = '#ff5d5d';
    this.top = MARGIN.top;
    this.dirty = true;
    this.width = 0;
    this.height = 0;
    this.colours = coloursOf(canvas, services.theme());
  }

  retheme() {
    this.colours = coloursOf(this.canvas, this.services.theme());
    this.dirty = true;
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const ratio = this.services.pixelRatio;
    this.width = width;
    this.height = height;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.dirty = true;
  }

  /** The rectangle of the plot in pixels of CSS: left, top, right, bottom. */
  get area() {
    return [MARGIN.left, this.top, this.width - MARGIN.right, this.height - MARGIN.bottom];
  }

  /** @param {number} x */
  across(x) {
    const [left, , right] = this.area;
    const [low, high] = this.window;
    return left + ((x - low) / (high - low)) * (right - left);
  }

  /** @param {number} y */
  down(y) {
    const [, top, , bottom] = this.area;
    const [, , low, high] = this.window;
    return bottom - ((y - low) / (high - low)) * (bottom - top);
  }

  /**
   * The place under a point of the screen, in the units of the points; null outside the plot.
   * @param {{clientX: number, clientY: number}} event
   * @returns {{x: number, y: number} | null}
   */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const [left, top, right, bottom] = this.area;
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    if (px < left || px > right || py < top || py > bottom) return null;
    const [x0, x1, y0, y1] = this.window;
    return {
      x: x0 + ((px - left) / (right - left)) * (x1 - x0),
      y: y0 + ((bottom - py) / (bottom - top)) * (y1 - y0),
    };
  }

  /**
   * The point nearest to a place, -1 if none is so near.
   * @param {{x: number, y: number}} place
   * @param {number} radius in pixels
   */
  nearest(place, radius) {
    let best = -1;
    let least = radius * radius;
    for (let i = 0; 2 * i < this.points.length; i += 1) {
      const away =
        (this.across(this.points[2 * i]) - this.across(place.x)) ** 2 +
        (this.down(this.points[2 * i + 1]) - this.down(place.y)) ** 2;
      if (away <= least) {
        best = i;
        least = away;
      }
    }
    return best;
  }

  /** A curve in place of the one before, which stays as a ghost for a while. @param {Float32Array} curve */
  setCurve(curve) {
    if (this.curve) {
      // In a fast run ghosts stand for some distance, not for frames: those that look alike say nothing.
      const last = this.ghosts.at(-1);
      if (!last || this.apart(last, this.curve) > 5) this.ghosts.push(this.curve);
      if (this.ghosts.length > GHOSTS) this.ghosts.shift();
    }
    this.curve = curve.slice();
    this.dirty = true;
  }

  forget() {
    this.curve = null;
    this.ghosts = [];
    this.preview = null;
    this.dirty = true;
  }

  /** How far two curves are apart at most, in pixels. @param {Float32Array} a @param {Float32Array} b */
  apart(a, b) {
    let most = 0;
    for (let i = 0; i < a.length; i += 10) most = Math.max(most, Math.abs(this.down(a[i]) - this.down(b[i])));
    return most;
  }

  /** The curve at a place. @param {number} x */
  at(x) {
    if (!this.curve) return NaN;
    const [low, high] = this.window;
    const along = ((x - low) / (high - low)) * (this.curve.length - 1);
    const first = Math.max(0, Math.min(this.curve.length - 2, Math.floor(along)));
    return this.curve[first] + (along - first) * (this.curve[first + 1] - this.curve[first]);
  }

  draw() {
    if (!this.dirty || !this.width) return;
    this.dirty = false;
    const { context } = this;
    const ratio = this.services.pixelRatio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    this.drawAxes();
    context.save();
    const [left, top, right, bottom] = this.area;
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    this.ghosts.forEach((ghost, i) => {
      const age = (i + 1) / (this.ghosts.length + 1);
      this.drawCurve(ghost, faded(this.colour, 0.04 + 0.26 * age * age), 1.4);
    });
    if (this.best) this.drawCurve(this.best, this.colours.best, 1.3, [6, 5]);
    if (this.residuals || this.hovered >= 0) this.drawResiduals();
    if (this.preview) this.drawCurve(this.preview, this.colours.text, 1.5, [2, 4]);
    if (this.curve) {
      this.drawCurve(this.curve, faded(this.colour, 0.16), 8);
      this.drawCurve(this.curve, this.colour, 2.6);
    }
    this.drawPoints();
    this.drawBrush();
    context.restore();
    this.drawHovered();
  }

  drawAxes() {
    const { context, colours } = this;
    const [left, top, right, bottom] = this.area;
    const [x0, x1, y0, y1] = this.window;
    context.lineWidth = 1;
    context.font = '11px "JetBrains Mono", monospace';
    context.textBaseline = 'middle';
    const xs = roundNumbers(x0, x1, Math.max(3, (right - left) / 110));
    const ys = roundNumbers(y0, y1, Math.max(3, (bottom - top) / 80));
    const line = (/** @type {number[]} */ [ax, ay, bx, by], /** @type {string} */ colour) => {
      context.strokeStyle = colour;
      context.beginPath();
      context.moveTo(ax, ay);
      context.lineTo(bx, by);
      context.stroke();
    };
    const sharp = (/** @type {number} */ v) => Math.round(v) + 0.5;
    context.fillStyle = colours.muted;
    context.textAlign = 'center';
    for (const x of xs) {
      const px = sharp(this.across(x));
      line([px, top, px, bottom], Math.abs(x) < 1e-9 * (x1 - x0) ? colours.zero : colours.grid);
      context.fillText(written(x, xs[1] - xs[0]), px, bottom + 15);
    }
    context.textAlign = 'right';
    for (const y of ys) {
      const py = sharp(this.down(y));
      line([left, py, right, py], Math.abs(y) < 1e-9 * (y1 - y0) ? colours.zero : colours.grid);
      context.fillText(written(y, ys[1] - ys[0]), left - 9, py);
    }
    context.fillStyle = colours.text;
    context.font = this.names[0] === 'x' ? 'italic 500 15px Georgia, serif' : '500 12px Inter, sans-serif';
    context.textAlign = 'right';
    context.fillText(this.names[0], right, bottom + 33);
    context.textAlign = 'center';
    context.save();
    context.translate(14, (top + bottom) / 2);
    if (this.names[1].length > 1) context.rotate(-Math.PI / 2);
    context.fillText(this.names[1], 0, 0);
    context.restore();
  }

  /**
   * @param {ArrayLike<number>} curve
   * @param {string} colour
   * @param {number} width
   * @param {number[]} [dash]
   */
  drawCurve(curve, colour, width, dash = []) {
    const { context } = this;
    const [left, , right] = this.area;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.lineJoin = 'round';
    context.lineCap = dash.length ? 'butt' : 'round';
    context.setLineDash(dash);
    context.beginPath();
    let down = false;
    for (let i = 0; i < curve.length; i += 1) {
      const y = this.down(curve[i]);
      if (!Number.isFinite(y)) {
        down = false;
        continue;
      }
      const x = left + (i / (curve.length - 1)) * (right - left);
      // Canvases lose lines that go on for millions of pixels.
      const held = Math.max(-4 * this.height, Math.min(5 * this.height, y));
      if (down) context.lineTo(x, held);
      else context.moveTo(x, held);
      down = true;
    }
    context.stroke();
    context.setLineDash([]);
  }

  drawResiduals() {
    const { context, colours, points } = this;
    for (let i = 0; 2 * i < points.length; i += 1) {
      const alone = i === this.hovered;
      const x = this.across(points[2 * i]);
      context.strokeStyle = alone ? colours.accent : faded(this.colour, 0.38);
      context.lineWidth = alone ? 2 : 1;
      context.beginPath();
      context.moveTo(x, this.down(points[2 * i + 1]));
      context.lineTo(x, this.down(this.at(points[2 * i])));
      context.stroke();
    }
  }

  drawPoints() {
    const { context, colours, points, batch } = this;
    const count = points.length / 2;
    const radius = RADIUS * Math.max(0.42, Math.min(1, (260 / Math.max(count, 1)) ** 0.35));
    const dot = (/** @type {number} */ i, /** @type {number} */ size) => {
      context.beginPath();
      context.arc(this.across(points[2 * i]), this.down(points[2 * i + 1]), size, 0, 7);
    };
    const many = count > 600;
    context.lineWidth = 1.4;
    for (let i = 0; i < count; i += 1) {
      if (batch?.has(i)) continue;
      dot(i, radius);
      context.globalAlpha = batch ? 0.42 : many ? 0.72 : 1;
      context.fillStyle = colours.point;
      context.fill();
      context.strokeStyle = colours.rim;
      if (!many) context.stroke();
    }
    context.globalAlpha = 1;
    for (const i of batch ?? []) {
      if (i >= count) continue;
      dot(i, radius + 3.4);
      context.strokeStyle = colours.accent;
      context.lineWidth = 1.6;
      context.stroke();
      dot(i, radius);
      context.fillStyle = colours.accent;
      context.fill();
      context.strokeStyle = colours.rim;
      context.lineWidth = 1.2;
      context.stroke();
    }
  }

  drawBrush() {
    const { context, colours, brush } = this;
    if (!brush) return;
    context.strokeStyle = brush.erase ? colours.danger : colours.muted;
    context.lineWidth = 1.3;
    context.setLineDash(brush.erase ? [4, 3] : []);
    context.beginPath();
    context.arc(this.across(brush.x), this.down(brush.y), brush.radius, 0, 7);
    context.stroke();
    context.setLineDash([]);
    if (!brush.erase) {
      context.beginPath();
      context.moveTo(this.across(brush.x) - 4, this.down(brush.y));
      context.lineTo(this.across(brush.x) + 4, this.down(brush.y));
      context.moveTo(this.across(brush.x), this.down(brush.y) - 4);
      context.lineTo(this.across(brush.x), this.down(brush.y) + 4);
      context.stroke();
    }
  }

  /** The point under the pointer, with its numbers. */
  drawHovered() {
    const { context, colours, points, hovered } = this;
    if (hovered < 0 || 2 * hovered + 1 >= points.length) return;
    const [x, y] = [points[2 * hovered], points[2 * hovered + 1]];
    const [px, py] = [this.across(x), this.down(y)];
    context.strokeStyle = colours.text;
    context.lineWidth = 1.8;
    context.beginPath();
    context.arc(px, py, RADIUS + 3, 0, 7);
    context.stroke();
    const seen = this.at(x);
    const lines = [`(${few(x, 3)}, ${few(y, 3)})`];
    if (Number.isFinite(seen)) lines.push(`ŷ − y = ${few(seen - y, 3)}`);
    context.font = '11px "JetBrains Mono", monospace';
    const wide = Math.max(...lines.map((line) => context.measureText(line).width)) + 16;
    const tall = 17 * lines.length + 8;
    const [, top, right] = this.area;
    const left = px + 14 + wide > right ? px - 14 - wide : px + 14;
    const above = Math.max(top, py - tall - 10);
    context.fillStyle = colours.panel;
    context.strokeStyle = colours.grid;
    context.lineWidth = 1;
    context.beginPath();
    context.roundRect(left, above, wide, tall, 7);
    context.fill();
    context.stroke();
    context.textAlign = 'left';
    context.textBaseline = 'middle';
    lines.forEach((line, i) => {
      context.fillStyle = i ? colours.accent : colours.text;
      context.fillText(line, left + 8, above + 13 + 17 * i);
    });
  }
}
