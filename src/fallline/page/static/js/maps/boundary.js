// @ts-check
/** What a model of two features says everywhere, and the rows it was asked about. */
import { h } from 'fallline/dom';
import { Scale, drawAxes, drawBar, limits, roomFor } from 'fallline/maps/axes';
import { Drawn } from 'fallline/maps/drawn';
import { drawFields, drawLines } from 'fallline/maps/fields';
import { figure, mark as written, percent } from 'fallline/maps/numbers';
import { Ramp, hueAmong, mixed, shape } from 'fallline/maps/ramps';

/** @typedef {import('fallline/maps/drawn').Given} Given */
/** @typedef {{name: string, low: number, high: number}} Feature */
/**
 * @typedef {object} Data
 * @property {Feature} x @property {Feature} y
 * @property {number} n numbers along each axis
 * @property {(number | null)[]} values n * n, the lowest row first
 * @property {(number | null)[]} [certainty] of the most probable class, n * n
 * @property {'classes' | 'probability' | 'value'} kind
 * @property {string[] | null} classes
 * @property {number} low @property {number} high
 * @property {{x: (number | null)[], y: (number | null)[], target: (number | string | null)[]}} points
 */

/** Pixels of the fields along their longer side: they are smooth, and drawn anew while a model trains. */
const PIXELS = 230;
const NEAR = 12;
/** Classes that are named; beyond, the colours come again. */
const NAMED = 12;

export class Boundary extends Drawn {
  /** @param {HTMLElement} element @param {Given} services @param {Record<string, never>} [options] */
  constructor(element, services, options = {}) {
    super(element, services, { kind: 'boundary', empty: 'maps.boundary.empty' });
    this.options = options;
    /** @type {Data | null} */
    this.data = null;
    /** @type {{key: string, canvas: HTMLCanvasElement} | null} */
    this.made = null;
    /** @type {import('fallline/maps/axes').Area} */
    this.area = [0, 0, 0, 0];
    this.hovered = -1;
    this.key = h('ul', { class: 'maps-key' });
    this.root.append(this.key);
  }

  get full() {
    return Boolean(this.data && this.data.n > 1 && this.data.values.length === this.data.n ** 2);
  }

  get classes() {
    return this.data?.kind === 'value' ? [] : (this.data?.classes ?? ['0', '1']);
  }

  /** @param {Data | null} data */
  set(data) {
    this.data = data;
    this.made = null;
    this.hovered = -1;
    this.look();
    this.changed();
  }

  /** @param {number | string | null} target of a point @returns {number} the place of its class */
  classOf(target) {
    if (typeof target !== 'string') return target ?? 0;
    const found = this.classes.indexOf(target);
    return found < 0 ? Number(target) || 0 : found;
  }

  words() {
    const { data, services, classes } = this;
    if (!data) return '';
    const { x, y } = data;
    return classes.length
      ? services.t('maps.boundary.words_classes', { x: x.name, y: y.name, n: classes.length, points: data.points.x.length })
      : services.t('maps.boundary.words_value', {
          x: x.name,
          y: y.name,
          low: figure(data.low),
          high: figure(data.high),
          points: data.points.x.length,
        });
  }

  /** The colours of values, for numbers. */
  get scale() {
    const { low = 0, high = 1 } = this.data ?? {};
    return new Scale(...(high > low ? /** @type {[number, number]} */ ([low, high]) : limits([low])));
  }

  paint() {
    const { context: pen, ink, data, width, height } = this;
    if (!data) return;
    const value = data.kind === 'value';
    const x = new Scale(...limits([data.x.low, data.x.high], { room: 0 }));
    const y = new Scale(...limits([data.y.low, data.y.high], { room: 0 }));
    const left = roomFor(pen, ink, y, height) + 26;
    this.area = [left, 8, width - (value ? 74 : 10), height - 38];
    const [, top, right, bottom] = this.area;
    const [wide, tall] = [right - left, bottom - top];
    if (wide < 20 || tall < 20) return;
    const share = Math.min(1, PIXELS / Math.max(wide, tall));
    const key = `${ink.theme} ${Math.round(wide * share)} ${Math.round(tall * share)}`;
    const said = { data, classes: this.classes, scale: this.scale };
    if (this.made?.key !== key) {
      this.made = { key, canvas: drawFields(pen, ink, said, wide * share, tall * share) };
    }
    pen.save();
    pen.beginPath();
    pen.roundRect(left, top, wide, tall, 6);
    pen.clip();
    pen.imageSmoothingQuality = 'high';
    pen.drawImage(this.made.canvas, left, top, wide, tall);
    drawLines(pen, ink, said, this.area);
    this.points();
    pen.restore();
    pen.strokeStyle = ink.line;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.roundRect(left + 0.5, top + 0.5, wide - 1, tall - 1, 6);
    pen.stroke();
    drawAxes(pen, ink, this.area, {
      x: { scale: x, name: data.x.name },
      y: { scale: y, name: data.y.name },
      grid: false,
      outside: true,
    });
    if (value) this.bar();
    this.named();
  }

  points() {
    const { context: pen, ink, data, classes } = this;
    if (!data) return;
    const [left, top, right, bottom] = this.area;
    const { points } = data;
    const count = points.x.length;
    const radius = 4.3 * Math.max(0.62, Math.min(1, (120 / Math.max(count, 1)) ** 0.3)) * (right - left < 260 ? 0.8 : 1);
    const ramp = new Ramp();
    pen.lineWidth = 1.1;
    for (let i = 0; i < count; i += 1) {
      const [px, py] = this.place(i);
      if (px < left || px > right || py < top || py > bottom) continue;
      const target = points.target[i];
      const kind = this.classOf(target);
      pen.fillStyle = classes.length
        ? mixed(hueAmong(kind, classes.length), '#ffffff', ink.dark ? 0.16 : 0.04)
        : ramp.hex(this.scale.share(Number(target)));
      const alone = i === this.hovered;
      shape(pen, classes.length ? kind : 0, px, py, alone ? radius + 2 : radius);
      pen.fill();
      pen.strokeStyle = classes.length ? ink.rim : '#ffffffd8';
      if (!classes.length) {
        pen.lineWidth = 0.55 * radius;
        pen.strokeStyle = '#05080e80';
        pen.stroke();
        pen.lineWidth = 0.2 * radius;
        pen.strokeStyle = '#fffffff0';
      }
      pen.stroke();
      if (alone) {
        pen.strokeStyle = ink.text;
        pen.lineWidth = 1.8;
        pen.stroke();
        pen.lineWidth = 1.1;
      }
    }
  }

  /** Where a point stands, in pixels. @param {number} i */
  place(i) {
    const { x, y, points } = /** @type {Data} */ (this.data);
    const [left, top, right, bottom] = this.area;
    return [
      left + ((Number(points.x[i] ?? NaN) - x.low) / (x.high - x.low)) * (right - left),
      bottom - ((Number(points.y[i] ?? NaN) - y.low) / (y.high - y.low)) * (bottom - top),
    ];
  }

  bar() {
    const { context: pen, ink, scale, width } = this;
    const [, top, , bottom] = this.area;
    const ramp = new Ramp();
    drawBar(pen, ink, [width - 62, top, width - 53, bottom], {
      colour: (share) => ramp.hex(share),
      marks: scale.ticks(7).map((value) => ({ share: scale.share(value), text: written(value) })),
    });
  }

  /** The classes by name, under the picture. */
  named() {
    const { classes, ink } = this;
    const shown = classes.slice(0, NAMED);
    const mark = `${ink.theme} ${classes.length} ${shown.join('\n')}`;
    if (this.key.dataset.mark === mark) return;
    this.key.dataset.mark = mark;
    this.key.hidden = !shown.length;
    this.key.replaceChildren(
      ...shown.map((name, i) => {
        const face = h('canvas', { width: '26', height: '26', 'aria-hidden': 'true' });
        const pen = /** @type {CanvasRenderingContext2D} */ (face.getContext('2d'));
        shape(pen, i, 13, 13, 8.6);
        pen.fillStyle = mixed(hueAmong(i, classes.length), '#ffffff', ink.dark ? 0.16 : 0.04);
        pen.fill();
        return h('li', {}, face, h('span', { title: name }, name));
      }),
      ...(classes.length > NAMED ? [h('li', {}, `+ ${classes.length - NAMED}`)] : []),
    );
  }

  look() {
    this.point(...(this.pointer ?? [-99, -99]));
  }

  /** @param {number} px @param {number} py */
  point(px, py) {
    const { data, services, classes } = this;
    if (!data) return;
    const before = this.hovered;
    this.hovered = -1;
    let least = NEAR * NEAR;
    data.points.x.forEach((_, i) => {
      const [x, y] = this.place(i);
      const away = (x - px) ** 2 + (y - py) ** 2;
      if (away < least) {
        least = away;
        this.hovered = i;
      }
    });
    if (before !== this.hovered) this.changed();
    const [left, top, right, bottom] = this.area;
    if (px < left || px > right || py < top || py > bottom) {
      this.hint(null);
      return;
    }
    const [across, up] = [(px - left) / (right - left), (bottom - py) / (bottom - top)];
    const lines = [];
    if (this.hovered >= 0) {
      const { x, y, target } = data.points;
      const said = target[this.hovered];
      const name = classes.length ? (classes[this.classOf(said)] ?? String(said)) : figure(Number(said));
      lines.push(services.t('maps.boundary.row', { name }));
      lines.push(`${data.x.name} ${figure(x[this.hovered])} · ${data.y.name} ${figure(y[this.hovered])}`);
    }
    const spot = services.t('maps.boundary.here', { said: this.said(across, up) });
    const [x0, y0] = [data.x.low + across * (data.x.high - data.x.low), data.y.low + up * (data.y.high - data.y.low)];
    lines.push(spot);
    if (this.hovered < 0) lines.push(`${data.x.name} ${figure(x0, 3)} · ${data.y.name} ${figure(y0, 3)}`);
    this.hint(lines, px, py);
  }

  /** What the model says at a place. @param {number} across @param {number} up 0 to 1 */
  said(across, up) {
    const { classes } = this;
    const { n, values, kind, certainty } = /** @type {Data} */ (this.data);
    const nearest = Math.round(up * (n - 1)) * n + Math.round(across * (n - 1));
    const value = values[nearest];
    if (value === null) return figure(null);
    if (kind === 'value') return figure(value);
    const second = value >= 0.5 ? 1 : 0;
    const index = kind === 'probability' ? second : value;
    const sure = kind === 'probability' ? (second ? value : 1 - value) : certainty?.[nearest];
    return sure === undefined ? classes[index] : `${classes[index]}, ${percent(sure)}`;
  }

  /** For tests: what is shown. */
  get test() {
    const { data, hovered, classes } = this;
    return { kind: data?.kind ?? null, points: data?.points.x.length ?? 0, classes, hovered, tip: this.tip.textContent };
  }
}
