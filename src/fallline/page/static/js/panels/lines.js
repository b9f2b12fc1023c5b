// @ts-check
/** Lines over steps or rates: a legend that reads the values out, limits that suit them, zoom by dragging. */
import uPlot from 'uplot';
import { h } from 'fallline/dom';
import { Panel } from 'fallline/panels/base';
import { colourOf, dashOf } from 'fallline/panels/colours';
import { brief, count, few } from 'fallline/panels/format';
import { headOf } from 'fallline/panels/linehead';
import { chartOf, columnsOf } from 'fallline/panels/linechart';
import { described, extent, known, limits, nearest, rowsOf, spansDecades } from 'fallline/panels/reading';

/** @typedef {import('fallline/panels/reading').Rows} Rows */
/** @typedef {import('fallline/panels/reading').Values} Values */
/** @typedef {import('fallline/panels/marks').Mark} Mark */
/**
 * @typedef {object} Line
 * @property {string} name
 * @property {string} [colour] by its place in the list, if left out
 * @property {Values} x
 * @property {Values} y
 * @property {boolean} [faint] stands behind the others
 * @property {number[]} [dash] strokes and gaps; [] for none; by its place in the list, if left out
 * @property {boolean} [points] a dot at each value, where there is room
 * @property {{low: Values, high: Values} | null} [band] around the line
 */
/**
 * @typedef {object} LinesData
 * @property {Line[]} lines
 * @property {boolean} [log] is the upright axis logarithmic? By what there is to see, if left out
 * @property {boolean} [logX]
 * @property {string} xKey key of what runs to the right
 * @property {string} yKey key of what runs upwards
 * @property {Mark[]} [marks]
 */
/**
 * @typedef {object} LinesOptions
 * @property {(x: number) => string} [place] more about a place, such as the epoch of a step
 * @property {string} [empty] key of the sentence where there is nothing
 * @property {HTMLElement[]} [tools] stand before the chart's own
 */

/** Shares of the width that an arrow key moves. */
const STEP = 1 / 50;

/** @extends {Panel<LinesData, LinesOptions>} */
export class Lines extends Panel {
  /** @param {HTMLElement} element @param {import('fallline/panels/base').Given} services @param {LinesOptions} [options] */
  constructor(element, services, options = {}) {
    super(element, services, options);
    this.emptyKey = options.empty ?? 'panels.empty';
    /** @type {Rows[]} */
    this.rows = [];
    /** @type {import('fallline/chart').Chart | null} */
    this.chart = null;
    /** What the chart was built for; another asks for another chart. */
    this.structure = '';
    /** Names of the lines that are hidden. @type {Set<string>} */
    this.hidden = new Set();
    this.pointed = -1;
    this.log = false;
    /** What the user asked for. @type {boolean | null} */
    this.wished = null;
    /** @type {[number, number] | null} */
    this.zoom = null;
    /** Where one points, or null. @type {number | null} */
    this.at = null;
    const { legend, place, whole, logButton, head } = headOf(this);
    this.legend = legend;
    this.place = place;
    this.whole = whole;
    this.logButton = logButton;
    this.head = head;
    this.box = h('div', { class: 'lines-box', role: 'img', tabindex: '0' });
    this.box.addEventListener('keydown', (event) => this.key(event));
    this.box.addEventListener('blur', () => this.look(null));
    this.body = h('div', { class: 'lines' }, this.head, this.box);
  }

  /** @param {LinesData | null} data */
  set(data) {
    if (data === this.data && this.mark) return;
    this.mark = 'set';
    this.data = data ?? null;
    this.render();
  }

  render() {
    const { data } = this;
    this.rows = (data?.lines ?? []).map((line) => rowsOf(line, data?.logX ?? false));
    const any = this.rows.some(({ y }) => y.some(known));
    if (!data || !any) {
      this.chart?.dispose();
      this.chart = null;
      this.structure = '';
      this.showEmpty();
      return;
    }
    if (this.body.parentNode !== this.element) this.element.replaceChildren(this.body);
    this.log = this.wished ?? data.log ?? spansDecades(this.core(), this.log);
    if (this.log && !Number.isFinite(extent(this.seen(), null).positive)) this.log = false;
    this.logButton.value = this.log;
    const structure = JSON.stringify([
      data.lines.map(({ name, colour, faint, dash, points, band }) => [
        name,
        colour,
        faint,
        dash,
        points,
        Boolean(band),
      ]),
      data.logX,
      this.log,
      this.services.theme(),
    ]);
    if (structure !== this.structure || !this.chart) this.build(structure);
    this.whole.element.hidden = !this.zoom;
    this.chart?.set(columnsOf(this.rows, this.log));
    this.read();
    this.box.setAttribute('aria-label', described(this.services, data, this.rows));
  }

  /** Lines that are not hidden. @param {(line: Line) => boolean} [which] */
  seen(which = () => true) {
    const lines = this.data?.lines ?? [];
    return this.rows.filter((_, i) => !this.hidden.has(lines[i].name) && which(lines[i]));
  }

  /** Lines that an axis is made for: all but the faint ones, if there are others. */
  core() {
    const strong = this.seen((line) => !line.faint).filter(({ y }) => y.some(known));
    return strong.length ? strong : this.seen();
  }

  /** @param {number} index */
  styleOf(index) {
    const line = /** @type {LinesData} */ (this.data).lines[index];
    return {
      colour: line.colour ?? colourOf(index, this.services.theme()),
      dash: line.dash ?? dashOf(index),
      width: line.faint ? 1.2 : 2,
    };
  }

  /** @param {string} structure */
  build(structure) {
    const { lines } = /** @type {LinesData} */ (this.data);
    this.chart?.dispose();
    this.structure = structure;
    const hidden = lines.map((line) => this.hidden.has(line.name));
    this.legend.show(
      lines.map((line, i) => ({ ...line, ...this.styleOf(i) })),
      hidden,
    );
    this.chart = chartOf(this, hidden);
  }

  /** @returns {[number, number]} */
  full() {
    const places = this.seen().filter(({ x }) => x.length);
    const all = places.length ? places : this.rows.filter(({ x }) => x.length);
    const low = Math.min(...all.map(({ x }) => x[0]));
    const high = Math.max(...all.map(({ x }) => x[x.length - 1]));
    if (this.data?.logX) return high > low ? [low, high] : [low / 2, low * 2];
    return high > low ? [low, high] : [low - 1, low + 1];
  }

  across() {
    return this.zoom ?? this.full();
  }

  /** @returns {[number, number]} */
  up() {
    const faint = this.seen((line) => Boolean(line.faint));
    const strong = this.seen((line) => !line.faint);
    const own = strong.some(({ y }) => y.some(known)) ? strong : [];
    return limits(own, faint, this.zoom, this.log);
  }

  /** Read out what stands at a place. @param {number | null} at */
  look(at) {
    this.at = at;
    this.read();
  }

  read() {
    const { data } = this;
    if (!data) return;
    const [, end] = this.across();
    const at = this.at ?? end;
    const found = this.rows.map((rows) => nearest(rows, at));
    this.legend.read(this.rows.map((rows, i) => (found[i] < 0 ? null : (rows.y[found[i]] ?? null))));
    const places = this.rows.map((rows, i) => (found[i] < 0 ? null : rows.x[found[i]])).filter(known);
    const place = places.reduce(
      (best, x) => (Math.abs(x - at) < Math.abs(best - at) ? x : best),
      places[0] ?? at,
    );
    const text = data.logX ? brief(place, 3) : Number.isInteger(place) ? count(place) : few(place);
    const more = this.options.place?.(place);
    this.place.textContent = `${this.services.t(data.xKey)} ${text}${more ? ` · ${more}` : ''}`;
    this.place.classList.toggle('resting', this.at === null);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const plot = this.chart?.plot;
    if (event.key === 'Escape' && this.zoom) this.setZoom(null);
    else if (by && plot) {
      const width = plot.bbox.width / uPlot.pxRatio;
      const left = this.at === null ? (by > 0 ? 0 : width) : plot.valToPos(this.at, 'x') + by * STEP * width;
      plot.setCursor({ left: Math.min(width, Math.max(0, left)), top: 10 });
      this.services.announce?.(this.spoken());
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** What is read out, in words. */
  spoken() {
    const lines = this.data?.lines ?? [];
    const values = this.legend.entries.map(({ value }, i) => `${lines[i].name} ${value.textContent}`);
    return [this.place.textContent, ...values].join(', ');
  }

  /** Another upright axis than there is. */
  swap() {
    this.wished = !this.log;
    this.render();
  }

  /** @param {[number, number] | null} limits_ */
  setZoom(limits_) {
    this.zoom = limits_;
    this.render();
  }

  /** @param {number} index */
  toggle(index) {
    const lines = this.data?.lines ?? [];
    const { name } = lines[index];
    if (!this.hidden.delete(name)) this.hidden.add(name);
    // The last that is seen stays; to hide it brings back all.
    if (lines.every((line) => this.hidden.has(line.name))) this.hidden.clear();
    this.structure = '';
    this.render();
    this.legend.entries[index]?.element.focus();
  }

  /** @param {number} index */
  point(index) {
    if (index === this.pointed) return;
    this.pointed = index;
    this.chart?.plot?.redraw(false);
  }

  resize() {
    this.chart?.resize();
  }

  dispose() {
    this.chart?.dispose();
    super.dispose();
  }

  get test() {
    return {
      lines: (this.data?.lines ?? []).map((line, i) => ({
        name: line.name,
        points: this.rows[i].y.filter(known).length,
      })),
      log: this.log,
      zoom: this.zoom,
      at: this.at,
      drawn: Boolean(this.chart?.plot),
      legend: this.legend.entries.map(({ element }) => element.textContent),
      place: this.place.textContent,
      x: this.data ? this.across() : null,
      y: this.data ? this.up() : null,
    };
  }
}
