// @ts-check
/** Many curves at once, each in the colour of a value, such as the learning rate that it was made with. */
import { h } from 'fallline/dom';
import { Scale, drawAxes, drawBar, limits, roomFor } from 'fallline/maps/axes';
import { Drawn } from 'fallline/maps/drawn';
import { fitted } from 'fallline/maps/ink';
import { figure, setting } from 'fallline/maps/numbers';
import { nearest, outline, pixelsOf } from 'fallline/maps/paths';
import { Ramp, lineStops } from 'fallline/maps/ramps';

/** @typedef {import('fallline/maps/drawn').Given} Given */
/**
 * @typedef {object} Curve
 * @property {string} name @property {number | string | null} value which colours it
 * @property {(number | null)[]} x @property {(number | null)[]} y
 * @property {boolean} [diverged]
 */
/**
 * @typedef {object} Data
 * @property {Curve[]} curves @property {string} valueName
 * @property {boolean} [log] of the numbers upwards @property {boolean} [logValue] of the colours; found out if left out
 * @property {string} [xName] @property {string} [yName]
 */

/** A curve is pointed at within so many pixels. */
const NEAR = 22;
/** Values further apart than this are coloured by their logarithm. */
const FAR = 50;

export class Bundle extends Drawn {
  /** @param {HTMLElement} element @param {Given} services @param {{onpick?: (index: number) => void}} [options] */
  constructor(element, services, options = {}) {
    super(element, services, { kind: 'bundle', empty: 'maps.bundle.empty', focusable: true });
    this.options = options;
    /** @type {Data | null} */
    this.data = null;
    this.x = new Scale(0, 1);
    this.y = new Scale(0, 1);
    this.values = new Scale(0, 1);
    /** Different values that are words, in the order they came. @type {string[] | null} */
    this.worded = null;
    /** @type {import('fallline/maps/axes').Area} */
    this.area = [0, 0, 0, 0];
    /** Pixels of each curve, x and y by turns, NaN where it is broken. @type {Float32Array[]} */
    this.pixels = [];
    /** All curves but the one pointed at. @type {HTMLCanvasElement} */
    this.below = h('canvas', {});
    this.mark = '';
    this.hovered = -1;
    this.live = h('p', { class: 'maps-hidden', 'aria-live': 'polite' });
    this.root.append(this.live);
    const { canvas } = this;
    canvas.classList.toggle('maps-picked', Boolean(options.onpick));
    canvas.addEventListener('pointermove', (event) => {
      const [px, py] = this.at(event);
      this.hover(nearest(this.pixels, px, py, NEAR), px, py);
    });
    canvas.addEventListener('pointerleave', () => this.hover(-1));
    canvas.addEventListener('blur', () => this.hover(-1));
    canvas.addEventListener('click', (event) => {
      const found = nearest(this.pixels, ...this.at(event), NEAR);
      if (found >= 0) options.onpick?.(found);
    });
    canvas.addEventListener('keydown', (event) => this.keyed(event));
  }

  get full() {
    return Boolean(this.data?.curves?.length);
  }

  /** @param {Data | null} data */
  set(data) {
    const named = this.data?.curves[this.hovered]?.name;
    this.data = data;
    const curves = data?.curves ?? [];
    this.hovered = curves.findIndex(({ name }) => named !== undefined && name === named);
    const steady = curves.filter(({ diverged }) => !diverged);
    const log = Boolean(data?.log);
    this.x = new Scale(...limits(curves.flatMap(({ x }) => x), { room: 0 }));
    // What diverges does not stretch the axis, unless there is nothing else.
    this.y = new Scale(...limits((steady.length ? steady : curves).flatMap(({ y }) => y), { log, room: 0.05 }), log);
    const values = curves.map(({ value }) => value);
    this.worded = values.some((value) => typeof value === 'string') ? [...new Set(values.map(String))] : null;
    const numbers = this.worded ? [0, this.worded.length - 1] : /** @type {number[]} */ (values.filter((v) => v !== null));
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
    const logValue = !this.worded && low > 0 && (data?.logValue ?? high / low > FAR);
    this.values = new Scale(...limits(numbers, { log: logValue, room: 0 }), logValue);
    this.mark = '';
    this.changed();
  }

  /** Where a curve's value lies between the least and the greatest. @param {Curve} curve */
  share({ value }) {
    if (this.worded) return this.worded.length > 1 ? this.worded.indexOf(String(value)) / (this.worded.length - 1) : 0.5;
    return value === null ? 0 : Math.min(1, Math.max(0, this.values.share(Number(value))));
  }

  words() {
    const { data, x, y } = this;
    if (!data) return '';
    return this.services.t('maps.bundle.words', {
      n: data.curves.length,
      value: data.valueName,
      low: figure(this.worded ? null : this.values.low, 3),
      high: figure(this.worded ? null : this.values.high, 3),
      from: figure(x.low),
      to: figure(x.high),
      least: figure(y.low, 3),
      most: figure(y.high, 3),
      diverged: data.curves.filter(({ diverged }) => diverged).length,
    });
  }

  paint() {
    const { context: pen, ink, data, width, height, services } = this;
    if (!data) return;
    const bar = width >= 260;
    const left = roomFor(pen, ink, this.y, height) + (data.yName ? 26 : 12);
    this.area = [left, 10, width - (bar ? 80 : 12), height - 38];
    const mark = `${width} ${height} ${ink.theme} ${services.pixelRatio} ${services.language()} ${left}`;
    if (mark !== this.mark) {
      this.mark = mark;
      this.pixels = pixelsOf(data.curves, this.x, this.y, this.area);
      this.drawBelow();
    }
    const lively = this.hovered >= 0;
    pen.save();
    pen.globalAlpha = lively ? 0.4 : 1;
    pen.drawImage(this.below, 0, 0, width, height);
    pen.restore();
    drawAxes(pen, ink, this.area, {
      x: { scale: this.x, name: data.xName ?? services.t('maps.bundle.step') },
      y: { scale: this.y, name: data.yName },
      grid: !lively,
    });
    if (lively) this.drawLively();
    if (bar) this.bar(data);
  }

  drawBelow() {
    const { below, data, ink, width, height } = this;
    const ratio = this.services.pixelRatio || 1;
    below.width = Math.round(width * ratio);
    below.height = Math.round(height * ratio);
    const pen = /** @type {CanvasRenderingContext2D} */ (below.getContext('2d'));
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.clip(pen);
    const ramp = new Ramp(lineStops(ink.dark));
    const count = data?.curves.length ?? 0;
    const alpha = Math.max(0.5, Math.min(0.95, (60 / Math.max(1, count)) ** 0.3));
    pen.lineJoin = 'round';
    (data?.curves ?? []).forEach((curve, i) => {
      pen.globalAlpha = curve.diverged ? 0.42 : alpha;
      pen.strokeStyle = curve.diverged ? ink.danger : ramp.hex(this.share(curve));
      pen.lineWidth = curve.diverged ? 1 : count > 150 ? 1 : 1.4;
      pen.lineCap = curve.diverged ? 'butt' : 'round';
      pen.setLineDash(curve.diverged ? [4, 4] : []);
      outline(pen, this.pixels[i], curve.diverged ? this.area[1] - 3 : null);
      pen.stroke();
    });
  }

  /** @param {CanvasRenderingContext2D} pen */
  clip(pen) {
    const [left, top, right, bottom] = this.area;
    pen.beginPath();
    pen.rect(left, top - 3, right - left, bottom - top + 4);
    pen.clip();
  }

  drawLively() {
    const { context: pen, ink, data, hovered } = this;
    const curve = data?.curves[hovered];
    if (!curve) return;
    const colour = curve.diverged ? ink.danger : new Ramp(lineStops(ink.dark)).hex(this.share(curve));
    pen.save();
    this.clip(pen);
    pen.lineJoin = 'round';
    pen.setLineDash(curve.diverged ? [6, 4] : []);
    for (const [stroke, thick] of /** @type {[string, number][]} */ ([
      [ink.panel, 6],
      [colour, 2.8],
    ])) {
      outline(pen, this.pixels[hovered], curve.diverged ? this.area[1] - 3 : null);
      pen.strokeStyle = stroke;
      pen.lineWidth = thick;
      pen.stroke();
    }
    const spots = this.pixels[hovered];
    let last = spots.length - 2;
    while (last >= 0 && Number.isNaN(spots[last])) last -= 2;
    if (last >= 0) {
      pen.setLineDash([]);
      pen.beginPath();
      pen.arc(spots[last], spots[last + 1], 4, 0, 7);
      pen.fillStyle = colour;
      pen.fill();
    }
    pen.restore();
  }

  /** @param {Data} data */
  bar(data) {
    const { context: pen, ink, width, values, worded } = this;
    const [, top, , bottom] = this.area;
    const ramp = new Ramp(lineStops(ink.dark));
    const from = width - 66;
    const curve = data.curves[this.hovered];
    const last = Math.max(1, (worded?.length ?? 1) - 1);
    const marks = worded
      ? worded.map((text, i) => ({ share: i / last, text: fitted(pen, text, 48) }))
      : this.values.ticks(6).map((value) => ({ share: values.share(value), text: setting(Number(value.toPrecision(6))) }));
    drawBar(pen, ink, [from, top + 18, from + 9, Math.min(bottom, top + 320)], { colour: (share) => ramp.hex(share), marks });
    pen.font = ink.letters(11);
    pen.textAlign = 'right';
    pen.textBaseline = 'middle';
    pen.fillStyle = ink.muted;
    pen.fillText(fitted(pen, data.valueName, 120), width - 4, top + 4);
    if (!curve) return;
    const y = Math.min(bottom, top + 320) - this.share(curve) * (Math.min(bottom, top + 320) - top - 18);
    pen.fillStyle = ink.text;
    pen.beginPath();
    pen.moveTo(from - 1, y);
    pen.lineTo(from - 8, y - 4.5);
    pen.lineTo(from - 8, y + 4.5);
    pen.fill();
  }

  /** @param {number} index @param {number} [px] @param {number} [py] */
  hover(index, px = 0, py = 0) {
    const { data, services } = this;
    const curve = data?.curves[index];
    if (index !== this.hovered) {
      this.hovered = index;
      this.changed();
    }
    if (!curve || !data) {
      this.hint(null);
      return;
    }
    this.hint(this.told(curve, data, services), px, py);
  }

  /** @param {Curve} curve @param {Data} data @param {Given} services @returns {string[]} */
  told(curve, data, services) {
    const last = curve.y.findLast((value) => value !== null && Number.isFinite(value));
    return [
      curve.name,
      `${data.valueName} ${typeof curve.value === 'string' ? curve.value : setting(curve.value)}`,
      curve.diverged ? services.t('maps.bundle.diverged') : services.t('maps.bundle.last', { value: figure(last) }),
    ];
  }

  /** Arrows go from curve to curve in the order of their values. @param {KeyboardEvent} event */
  keyed(event) {
    const { data, hovered, pixels } = this;
    const by = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
    if (!data?.curves.length || event.ctrlKey || event.altKey || event.metaKey) return;
    if (by) {
      const order = data.curves.map((_, i) => i).sort((a, b) => this.share(data.curves[a]) - this.share(data.curves[b]));
      const at = order.indexOf(hovered);
      const next = order[at < 0 ? 0 : Math.min(order.length - 1, Math.max(0, at + by))];
      const spots = pixels[next] ?? [];
      this.hover(next, spots[spots.length >> 2 << 1] || 0, spots[(spots.length >> 2 << 1) + 1] || 0);
      this.live.textContent = this.told(data.curves[next], data, this.services).join(', ');
    } else if (event.key === 'Enter' && hovered >= 0) this.options.onpick?.(hovered);
    else if (event.key === 'Escape' && hovered >= 0) this.hover(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** For tests: what is shown. */
  get test() {
    const { data, hovered, x, y, values, tip } = this;
    return {
      curves: data?.curves.length ?? 0,
      hovered,
      x: [x.low, x.high],
      y: [y.low, y.high],
      values: [values.low, values.high],
      log: y.log,
      tip: tip.hidden ? null : tip.textContent,
    };
  }
}
