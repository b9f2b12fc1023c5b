// @ts-check
/** What was predicted against what came, and how the errors are spread. */
import { Scale, drawAxes, limits, roomFor } from 'fallline/maps/axes';
import { Drawn } from 'fallline/maps/drawn';
import { figure } from 'fallline/maps/numbers';
import { most } from 'fallline/axis';

/** @typedef {import('fallline/maps/drawn').Given} Given */
/** @typedef {import('fallline/maps/axes').Area} Area */
/**
 * @typedef {object} Data
 * @property {(number | null)[]} actual @property {(number | null)[]} predicted
 * @property {number} low the histogram's lower end @property {number} high its upper end
 * @property {number[]} counts of actual - predicted
 * @property {string} name of the target
 */

const NEAR = 14;
/** From this width on the histogram stands beside the points. */
const WIDE = 560;

export class Residuals extends Drawn {
  /** @param {HTMLElement} element @param {Given} services @param {Record<string, never>} [options] */
  constructor(element, services, options = {}) {
    super(element, services, { kind: 'residuals', empty: 'maps.residuals.empty' });
    this.options = options;
    /** @type {Data | null} */
    this.data = null;
    this.scale = new Scale(0, 1);
    this.errors = new Scale(-1, 1);
    /** @type {Area} */
    this.area = [0, 0, 0, 0];
    /** @type {Area} */
    this.bars = [0, 0, 0, 0];
    this.hovered = -1;
    this.bar = -1;
  }

  get full() {
    return Boolean(this.data && (this.data.actual?.length || this.data.counts?.length));
  }

  /** @param {Data | null} data */
  set(data) {
    this.data = data;
    this.hovered = -1;
    this.bar = -1;
    if (data) {
      this.scale = new Scale(...limits([...data.actual, ...data.predicted]));
      const [low, high] = [data.low, data.high];
      this.errors = new Scale(...(high > low ? /** @type {[number, number]} */ ([low, high]) : limits([low])));
    }
    this.look();
    this.changed();
  }

  words() {
    const { data, services } = this;
    if (!data) return '';
    return services.t('maps.residuals.words', {
      n: data.actual.length,
      name: data.name,
      low: figure(data.low),
      high: figure(data.high),
    });
  }

  paint() {
    const { context: pen, ink, data, width, height, scale, services } = this;
    if (!data) return;
    const wide = width >= WIDE;
    const left = roomFor(pen, ink, scale, height) + 26;
    const below = 38;
    const side = wide ? Math.min(280, 0.36 * width) : 0;
    const beneath = wide || height < 230 ? 0 : Math.max(92, 0.27 * height);
    const right = wide ? width - side - 30 : width - 12;
    this.area = [left, 8, right, height - below - beneath];
    const [, top, , bottom] = this.area;
    const t = services.t;
    drawAxes(pen, ink, this.area, {
      x: { scale, name: t('maps.residuals.actual', { name: data.name }) },
      y: { scale, name: t('maps.residuals.predicted') },
    });
    this.points(this.area);
    if (wide) this.bars = [width - side + 12, 8, width - 10, height - below];
    else if (beneath) this.bars = [left, bottom + below + 6, right, height - below];
    else this.bars = [0, 0, 0, 0];
    if (this.bars[3] - this.bars[1] > 20) this.histogram(this.bars);
    else if (bottom - top < 20) this.area = [0, 0, 0, 0];
  }

  /** @param {Area} area */
  points([left, top, right, bottom]) {
    const { context: pen, ink, data, scale } = this;
    if (!data) return;
    const x = (/** @type {number} */ v) => left + scale.share(v) * (right - left);
    const y = (/** @type {number} */ v) => bottom - scale.share(v) * (bottom - top);
    pen.save();
    pen.beginPath();
    pen.rect(left, top, right - left, bottom - top);
    pen.clip();
    pen.strokeStyle = ink.accent;
    pen.lineWidth = 1.5;
    pen.setLineDash([6, 5]);
    pen.beginPath();
    pen.moveTo(left, bottom);
    pen.lineTo(right, top);
    pen.stroke();
    pen.setLineDash([]);
    const count = data.actual.length;
    const radius = 4.2 * Math.max(0.5, Math.min(1, (120 / Math.max(count, 1)) ** 0.3));
    pen.lineWidth = 0.8;
    pen.strokeStyle = ink.rim;
    pen.fillStyle = ink.point;
    pen.globalAlpha = count > 150 ? 0.66 : 0.88;
    for (let i = 0; i < count; i += 1) {
      const [actual, predicted] = [data.actual[i], data.predicted[i]];
      if (actual === null || predicted === null) continue;
      pen.beginPath();
      pen.arc(x(actual), y(predicted), radius, 0, 7);
      pen.fill();
      pen.stroke();
    }
    pen.globalAlpha = 1;
    const [actual, predicted] = [data.actual[this.hovered], data.predicted[this.hovered]];
    if (typeof actual === 'number' && typeof predicted === 'number') {
      pen.strokeStyle = ink.accent;
      pen.lineWidth = 1.6;
      pen.beginPath();
      pen.moveTo(x(actual), y(predicted));
      pen.lineTo(x(actual), y(actual));
      pen.stroke();
      pen.strokeStyle = ink.text;
      pen.beginPath();
      pen.arc(x(actual), y(predicted), radius + 2.5, 0, 7);
      pen.stroke();
    }
    pen.restore();
  }

  /** @param {Area} area */
  histogram([left, top, right, bottom]) {
    const { context: pen, ink, data, errors, services } = this;
    if (!data) return;
    const tallest = Math.max(1, most(data.counts));
    drawAxes(pen, ink, [left, top, right, bottom], {
      x: { scale: errors, name: services.t('maps.residuals.error') },
      grid: false,
      outside: true,
    });
    pen.strokeStyle = ink.zero;
    pen.beginPath();
    pen.moveTo(left, bottom + 0.5);
    pen.lineTo(right, bottom + 0.5);
    pen.stroke();
    const step = (right - left) / data.counts.length;
    data.counts.forEach((n, i) => {
      const tall = (n / tallest) * (bottom - top - 6);
      if (!n) return;
      pen.fillStyle = ink.point;
      pen.globalAlpha = i === this.bar ? 1 : 0.62;
      pen.beginPath();
      pen.roundRect(left + i * step + 0.5, bottom - Math.max(1.5, tall), Math.max(1, step - 1), Math.max(1.5, tall), [2, 2, 0, 0]);
      pen.fill();
    });
    pen.globalAlpha = 1;
    const zero = left + errors.share(0) * (right - left);
    if (zero < left || zero > right) return;
    pen.strokeStyle = ink.accent;
    pen.lineWidth = 1.5;
    pen.setLineDash([6, 5]);
    pen.beginPath();
    pen.moveTo(zero, top);
    pen.lineTo(zero, bottom);
    pen.stroke();
    pen.setLineDash([]);
  }

  look() {
    this.point(...(this.pointer ?? [-99, -99]));
  }

  /** @param {number} px @param {number} py */
  point(px, py) {
    const { data, scale, services } = this;
    if (!data) return;
    const [left, top, right, bottom] = this.area;
    const [hovered, bar] = [this.hovered, this.bar];
    this.hovered = -1;
    let least = NEAR * NEAR;
    data.actual.forEach((actual, i) => {
      const predicted = data.predicted[i];
      if (actual === null || predicted === null) return;
      const dx = left + scale.share(actual) * (right - left) - px;
      const dy = bottom - scale.share(predicted) * (bottom - top) - py;
      if (dx * dx + dy * dy < least) {
        least = dx * dx + dy * dy;
        this.hovered = i;
      }
    });
    const [x0, y0, x1, y1] = this.bars;
    const within = px >= x0 && px < x1 && py >= y0 && py <= y1;
    this.bar = within ? Math.floor(((px - x0) / (x1 - x0)) * data.counts.length) : -1;
    if (this.hovered >= 0) {
      const [actual, predicted] = [Number(data.actual[this.hovered]), Number(data.predicted[this.hovered])];
      this.hint(
        [
          services.t('maps.residuals.tip', { actual: figure(actual), predicted: figure(predicted) }),
          services.t('maps.residuals.off', { error: figure(actual - predicted) }),
        ],
        px,
        py,
      );
    } else if (this.bar >= 0) {
      const edge = (/** @type {number} */ i) => figure(this.errors.value(i / data.counts.length), 3);
      this.hint(
        [services.t('maps.residuals.bar', { n: data.counts[this.bar] ?? 0 }), `${edge(this.bar)} … ${edge(this.bar + 1)}`],
        px,
        py,
      );
    } else this.hint(null);
    if (hovered !== this.hovered || bar !== this.bar) this.changed();
  }

  /** For tests: what is shown. */
  get test() {
    const { data, hovered, bar } = this;
    return { points: data?.actual.length ?? 0, counts: data?.counts ?? null, hovered, bar, limits: [this.scale.low, this.scale.high] };
  }
}
