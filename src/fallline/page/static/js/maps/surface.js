// @ts-check
/** Slices of the loss surface around the end of a run, as a map in relief with the way of the descent on it. */
import { segmented } from 'fallline/controls';
import { h } from 'fallline/dom';
import { Scale, drawAxes, drawBar, limits, roomFor, upright } from 'fallline/maps/axes';
import { Drawn } from 'fallline/maps/drawn';
import { Ground } from 'fallline/maps/ground';
import { fitted } from 'fallline/maps/ink';
import { drawChip, drawContours } from 'fallline/maps/lettering';
import { figure, percent } from 'fallline/maps/numbers';
import { between } from 'fallline/maps/raster';
import { Ramp, solid } from 'fallline/maps/ramps';
import { drawTrail, placesOf } from 'fallline/maps/trail';
import { hex } from 'fallline/palette';

/** @typedef {import('fallline/maps/drawn').Given} Given */
/**
 * @typedef {object} Slice
 * @property {'random' | 'pca' | 'hessian'} kind
 * @property {number[]} x @property {number[]} y
 * @property {(number | null)[][]} values values[j][i]: the loss at x[i], y[j]
 * @property {{x: (number | null)[], y: (number | null)[], step: number[]} | null} path
 * @property {number[] | null} explained shares of the path's variance, along x and y
 * @property {number[] | null} eigenvalues
 * @property {number} start @property {number} end
 * @property {number} rows
 */

const KINDS = ['random', 'pca', 'hessian'];
/** Pixels of the relief along its longer side, before it is drawn on the canvas. */
const PIXELS = 520;
/** A panel of less height has no room for sentences. */
const ROOMY = 330;
/** Less of the path than this is hardly in the plane. */
const HARDLY = 0.05;

/** What was worked out already: tabs go back and forth. @type {WeakMap<Slice, Ground>} */
const grounds = new WeakMap();

export class Surface extends Drawn {
  /** @param {HTMLElement} element @param {Given} services @param {{kind?: string, about?: boolean}} [options] kind: shown at first; about: false if its sentence stands elsewhere */
  constructor(element, services, options = {}) {
    super(element, services, { kind: 'surface', empty: 'maps.surface.empty' });
    this.options = options;
    /** @type {Slice[]} */
    this.slices = [];
    /** What was chosen; kept while it is there. */
    this.kind = options.kind ?? 'pca';
    /** @type {{key: string, slice: Slice, canvas: HTMLCanvasElement} | null} */
    this.made = null;
    /** @type {import('fallline/maps/axes').Area} */
    this.area = [0, 0, 0, 0];
    this.tabs = segmented(/** @type {any} */ ({ touched() {} }), {
      label: 'maps.surface.kinds',
      value: this.kind,
      options: KINDS.map((value) => ({ value, t: `maps.surface.kind.${value}` })),
      onchange: (value) => this.choose(value),
    });
    this.about = h('p', { class: 'maps-about' });
    this.root.prepend(h('div', { class: 'maps-head' }, this.tabs.element));
    this.root.append(this.about);
    this.tell();
  }

  /** @returns {Slice | null} */
  get slice() {
    return this.slices.find((slice) => slice.kind === this.kind) ?? null;
  }

  get full() {
    return this.slice !== null;
  }

  /** @param {Slice[] | null} surfaces */
  set(surfaces) {
    this.slices = (surfaces ?? []).filter(
      ({ x, y, values }) => x?.length > 1 && y?.length > 1 && values?.length === y.length,
    );
    if (!this.slice && this.slices.length) {
      this.kind = (this.slices.find(({ kind }) => kind === 'pca') ?? this.slices[0]).kind;
    }
    this.tabs.value = this.kind;
    this.tell();
    this.changed();
  }

  /** @param {string} kind */
  choose(kind) {
    this.kind = kind;
    this.tabs.value = kind;
    this.tell();
    this.look();
    this.changed();
  }

  resize() {
    super.resize();
    this.about.hidden = !this.slice || this.options.about === false || this.root.clientHeight < ROOMY;
  }

  retranslate() {
    super.retranslate();
    this.tell();
  }

  /** Which tabs there are, and what the chosen one is. */
  tell() {
    const there = KINDS.map((kind) => this.slices.some((slice) => slice.kind === kind));
    [...this.tabs.element.children].forEach((button, i) => {
      /** @type {HTMLElement} */ (button).hidden = !there[i];
    });
    this.tabs.element.hidden = there.filter(Boolean).length < 2;
    this.about.hidden = !this.slice || this.options.about === false || this.root.clientHeight < ROOMY;
    if (this.slice) {
      const rows = this.slice.rows.toLocaleString('en');
      this.about.textContent = this.services.t(`maps.surface.about.${this.kind}`, { rows });
    }
  }

  /** @param {Slice} slice */
  groundOf(slice) {
    let ground = grounds.get(slice);
    if (!ground) {
      ground = new Ground(slice);
      grounds.set(slice, ground);
    }
    return ground;
  }

  /** How much of the path this plane shows, in words; empty without a path. */
  explained() {
    const { slice } = this;
    const { t } = this.services;
    if (!slice?.explained || !slice.path?.x.length) return '';
    const all = this.share();
    return t(all < HARDLY ? 'maps.surface.hardly' : 'maps.surface.explains', { share: percent(all) });
  }

  /** The share of the path's variance in this plane. */
  share() {
    return (this.slice?.explained ?? []).reduce((one, other) => one + other, 0);
  }

  /** @param {0 | 1} axis @returns {string} the name of a direction */
  direction(axis) {
    const { slice } = this;
    const { t } = this.services;
    if (!slice) return '';
    const name = t(`maps.surface.axis.${slice.kind}`, { n: axis + 1 });
    if (slice.kind === 'hessian' && slice.eigenvalues) return `${name} · λ = ${figure(slice.eigenvalues[axis], 3)}`;
    if (slice.kind === 'pca' && slice.explained) return `${name} · ${percent(slice.explained[axis])}`;
    return name;
  }

  words() {
    const { slice } = this;
    if (!slice) return '';
    const ground = this.groundOf(slice);
    const said = this.services.t('maps.surface.words', {
      x: this.direction(0),
      y: this.direction(1),
      low: figure(ground.scale.low),
      high: figure(ground.scale.high),
      start: figure(slice.start),
      end: figure(slice.end),
    });
    return `${said} ${this.explained()}`.trim();
  }

  paint() {
    const { context: pen, ink, slice, width, height, services } = this;
    if (!slice) return;
    const ground = this.groundOf(slice);
    const x = new Scale(...limits([slice.x[0], slice.x[slice.x.length - 1]], { room: 0 }));
    const y = new Scale(...limits([slice.y[0], slice.y[slice.y.length - 1]], { room: 0 }));
    const bar = width >= 300;
    const right = width - (bar ? 66 : 10);
    const aspect = (x.high - x.low) / (y.high - y.low);
    // A lower map may have finer numbers at its side, which take more room.
    let left = roomFor(pen, ink, y, height) + 26;
    const [, lower] = this.shaped(right - left, height - 46, aspect);
    left = Math.max(left, roomFor(pen, ink, y, lower) + 26);
    const [wide, tall] = this.shaped(right - left, height - 46, aspect);
    const shift = Math.max(0, (right - left - wide) / 2);
    this.area = [left + shift, 8, left + shift + wide, 8 + tall];
    if (wide < 20 || tall < 20) return;
    pen.save();
    pen.beginPath();
    pen.roundRect(this.area[0], this.area[1], wide, tall, 7);
    pen.clip();
    pen.imageSmoothingQuality = 'high';
    pen.drawImage(this.relief(slice, ground, wide, tall), this.area[0], this.area[1], wide, tall);
    const places = placesOf(slice.path, x, y, this.area);
    const way = places.flatMap((place) => (place ? [place] : []));
    drawContours(pen, ink, ground.contours(), this.area, way);
    const roomy = wide > 170 && tall > 120;
    drawTrail(pen, ink, places, {
      start: roomy && places.length > 1 ? services.t('maps.surface.start', { loss: figure(slice.start, 3) }) : '',
      end: roomy ? services.t('maps.surface.end', { loss: figure(slice.end, 3) }) : '',
      area: this.area,
    });
    const explained = this.explained();
    if (explained) drawChip(pen, ink, explained, percent(this.share()), this.area, way);
    pen.restore();
    drawAxes(pen, ink, this.area, {
      x: { scale: x, name: this.direction(0) },
      y: { scale: y },
      grid: false,
      outside: true,
    });
    upright(pen, ink, this.direction(1), this.area[0] - left + 9, (this.area[1] + this.area[3]) / 2, tall);
    if (!bar || !ground.any) return;
    const ramp = new Ramp();
    const from = this.area[2] + 14;
    drawBar(pen, ink, [from, 26, from + 9, 8 + Math.min(tall, 320)], {
      colour: (share) => ramp.hex(share),
      marks: ground.marks(),
      name: '',
    });
    pen.font = ink.letters(11);
    pen.textAlign = 'left';
    pen.textBaseline = 'middle';
    pen.fillStyle = ink.muted;
    pen.fillText(fitted(pen, services.t('maps.surface.loss'), width - from), from, 14);
  }

  /** The size of the map: both directions alike where that leaves it in shape. @param {number} wide @param {number} tall @param {number} aspect */
  shaped(wide, tall, aspect) {
    const wanted = aspect > 0.55 && aspect < 1.8 ? aspect : Math.max(0.8, Math.min(1.9, wide / tall));
    return wide / tall > wanted ? [Math.round(tall * wanted), tall] : [wide, Math.round(wide / wanted)];
  }

  /** @param {Slice} slice @param {Ground} ground @param {number} wide @param {number} tall */
  relief(slice, ground, wide, tall) {
    const { context: pen, ink } = this;
    const share = Math.min(this.services.pixelRatio || 1, PIXELS / Math.max(wide, tall));
    const key = `${ink.theme} ${Math.round(wide * share)} ${Math.round(tall * share)}`;
    if (this.made?.slice !== slice || this.made.key !== key) {
      const bytes = (/** @type {string} */ colour) => hex(solid(pen, colour)).map((v) => Math.round(255 * v));
      const look = { dark: ink.dark, bare: bytes(ink.raise), stripe: bytes(ink.dark ? '#6b4a4a' : '#d8b0ac') };
      this.made = { key, slice, canvas: ground.picture(wide * share, tall * share, look) };
    }
    return this.made.canvas;
  }

  look() {
    this.point(...(this.pointer ?? [-99, -99]));
  }

  /** @param {number} px @param {number} py */
  point(px, py) {
    const { slice, services } = this;
    const [left, top, right, bottom] = this.area;
    if (!slice || px < left || px > right || py < top || py > bottom) {
      this.hint(null);
      return;
    }
    const ground = this.groundOf(slice);
    const [across, up] = [(px - left) / (right - left), (bottom - py) / (bottom - top)];
    const grid = { columns: ground.columns, rows: ground.rows, values: ground.numbers };
    const loss = between(grid, across, up);
    const [x0, x1] = [slice.x[0], slice.x[slice.x.length - 1]];
    const [y0, y1] = [slice.y[0], slice.y[slice.y.length - 1]];
    this.hint(
      [
        Number.isFinite(loss) ? services.t('maps.surface.here', { loss: figure(loss) }) : services.t('maps.surface.hole'),
        `${figure(x0 + across * (x1 - x0), 3)}, ${figure(y0 + up * (y1 - y0), 3)}`,
      ],
      px,
      py,
    );
  }

  /** For tests: what is shown. */
  get test() {
    const { slice, slices } = this;
    return {
      kinds: slices.map(({ kind }) => kind),
      kind: slice?.kind ?? null,
      explained: this.explained(),
      path: slice?.path?.x.length ?? 0,
      scale: slice ? this.groundOf(slice).scale : null,
      holes: slice ? this.groundOf(slice).holes : false,
      contours: slice ? this.groundOf(slice).contours().levels.length : 0,
    };
  }
}
