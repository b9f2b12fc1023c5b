// @ts-check
/** For more than two parameters: the loss along the next step, and every parameter as a bar. */
import { h, say } from 'fallline/dom';
import { Chart, dot, rule } from 'fallline/chart';
import { ALONG, few, parameterName } from 'fallline/fit/state';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/fit/state').State} State */
/** @typedef {import('fallline/fit/state').Facts} Facts */

export class Slice {
  /**
   * @param {Services} services
   * @param {{chosen: (parameter: number) => void}} told
   */
  constructor(services, told) {
    this.services = services;
    this.told = told;
    /** @type {Facts | null} */
    this.facts = null;
    /** @type {State | null} */
    this.state = null;
    this.colour = '#ff5d5d';
    this.hovered = -1;
    this.dirty = true;
    this.box = h('div', { class: 'chart' });
    this.keys = h('div', { class: 'keys' });
    this.bars = h('canvas', { class: 'bars', role: 'img', label: 'fit.bars' });
    this.caption = h('p', { class: 'caption number' });
    this.element = h(
      'div',
      { class: 'slice' },
      h('h3', { class: 'sub', t: 'fit.along' }),
      this.keys,
      this.box,
      h('h3', { class: 'sub', t: 'fit.bars' }),
      this.bars,
      this.caption,
    );
    this.chart = new Chart(this.box, services, {
      lines: [
        { colour: '--text', width: 2 },
        { colour: '--accent', width: 1.6, dash: [5, 4] },
      ],
      ySize: 56,
      x: () => [ALONG[0], ALONG[1]],
      xValues: (values) => values.map((v) => (Number.isInteger(v) ? String(v).replace('-', '−') : '')),
      beneath: (chart, plot) => rule(plot, { x: 1, colour: chart.colour('--muted'), dash: [3, 4] }),
      above: (chart, plot) => this.drawMarks(chart, plot),
    });
    this.bars.addEventListener('pointermove', (event) => this.hover(this.under(event)));
    this.bars.addEventListener('pointerleave', () => this.hover(-1));
    this.bars.addEventListener('click', (event) => {
      const found = this.under(event);
      if (found >= 0) told.chosen(found);
    });
  }

  /** @param {Facts} facts @param {string} colour */
  begin(facts, colour) {
    Object.assign(this, { facts, colour });
    const names = facts.batches.full ? ['whole'] : ['whole', 'upcoming'];
    this.keys.replaceChildren(
      ...names.map((name) =>
        h(
          'span',
          { class: `key key-${name}` },
          h('i', { 'aria-hidden': 'true' }),
          h('span', { t: name === 'whole' ? 'fit.key.all' : 'fit.legend.next' }),
        ),
      ),
    );
    this.hovered = -1;
    this.dirty = true;
  }

  /** @param {State} state */
  push(state) {
    this.state = state;
    this.dirty = true;
  }

  draw() {
    if (!this.dirty || !this.state || !this.facts || !this.element.clientWidth) return;
    this.dirty = false;
    const { along } = this.state;
    const count = along.length / 2;
    if (count) {
      const x = Array.from({ length: count }, (_, i) => ALONG[0] + ((ALONG[1] - ALONG[0]) * i) / (count - 1));
      const column = (/** @type {number} */ from) =>
        Array.from(along.subarray(from, from + count), (v) => (Number.isFinite(v) ? v : null));
      const all = this.facts.batches.full;
      this.chart.set([x, column(0), all ? new Array(count).fill(null) : column(count)]);
    }
    this.drawBars();
  }

  /** Where the run is, and where the next step leads. @param {Chart} chart @param {import('uplot')} plot */
  drawMarks(chart, plot) {
    if (!this.state?.along.length) return;
    const count = this.state.along.length / 2;
    const at = (/** @type {number} */ share) =>
      this.state?.along[Math.round(((share - ALONG[0]) / (ALONG[1] - ALONG[0])) * (count - 1))] ?? NaN;
    const rim = chart.colour('--panel');
    dot(plot, { x: 0, y: at(0), colour: this.colour, rim, size: 5.5 });
    dot(plot, { x: 1, y: at(1), colour: this.colour, rim, size: 4, hollow: true });
  }

  /**
   * Bars in groups by layer: where each stands.
   * @returns {{left: number, width: number, groups: number[]}}
   */
  layout() {
    const leaves = this.facts?.parameters.map(([leaf]) => leaf) ?? [];
    /** @type {number[]} first bar of each group */
    const groups = [];
    leaves.forEach((leaf, i) => {
      if (i === 0 || leaf !== leaves[i - 1]) groups.push(i);
    });
    const room = this.bars.clientWidth - 8 * (groups.length - 1) - 4;
    return { left: 2, width: room / Math.max(1, leaves.length), groups };
  }

  /** @param {number} index */
  leftOf(index) {
    const { left, width, groups } = this.layout();
    return left + index * width + 8 * (groups.filter((first) => first <= index).length - 1);
  }

  /** @param {PointerEvent | MouseEvent} event @returns {number} the bar under the pointer, -1 for none */
  under(event) {
    const count = this.facts?.parameters.length ?? 0;
    const x = event.clientX - this.bars.getBoundingClientRect().left;
    let best = -1;
    for (let i = 0; i < count; i += 1) if (this.leftOf(i) <= x + 1) best = i;
    return best;
  }

  /** @param {number} index */
  hover(index) {
    if (index !== this.hovered) {
      this.hovered = index;
      this.dirty = true;
    }
  }

  drawBars() {
    const { bars, state, facts, services } = this;
    const { clientWidth: width, clientHeight: height } = bars;
    if (!width || !height || !state || !facts) return;
    const ratio = services.pixelRatio;
    if (bars.width !== Math.round(width * ratio) || bars.height !== Math.round(height * ratio)) {
      bars.width = Math.round(width * ratio);
      bars.height = Math.round(height * ratio);
    }
    const context = /** @type {CanvasRenderingContext2D} */ (bars.getContext('2d'));
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(bars);
    const muted = style.getPropertyValue('--muted').trim();
    const values = state.parameters;
    const most = values.reduce((high, v) => (Number.isFinite(v) ? Math.max(high, Math.abs(v)) : high), 1e-9);
    const { width: each, groups } = this.layout();
    const middle = (height - 14) / 2;
    const gap = each > 6 ? 1.5 : each > 3 ? 0.6 : 0;
    values.forEach((value, i) => {
      const bias = facts.parameters[i]?.[0].endsWith('bias');
      const tall = Math.min(1, Math.abs(value) / most) * (middle - 3);
      context.fillStyle =
        i === this.hovered ? style.getPropertyValue('--text').trim() : bias ? muted : this.colour;
      context.fillRect(
        this.leftOf(i),
        value >= 0 ? middle - tall : middle,
        Math.max(0.8, each - gap),
        Math.max(0.8, tall),
      );
    });
    context.fillStyle = muted;
    context.fillRect(0, middle - 0.5, width, 1);
    context.font = '10.5px "JetBrains Mono", monospace';
    context.textAlign = 'center';
    let written = -Infinity;
    groups.forEach((first, place) => {
      const last = (groups[place + 1] ?? values.length) - 1;
      const [leaf] = facts.parameters[first] ?? [''];
      const number = facts.model === 'network' ? (/(\d+)\//.exec(leaf)?.[1] ?? '') : '';
      const from = this.leftOf(first);
      const to = this.leftOf(last) + each;
      const at = Math.min(width - 8, (from + to) / 2);
      if (at - written < 17) return;
      written = at;
      context.fillText(
        `${leaf.endsWith('bias') ? 'b' : facts.model === 'network' ? 'W' : 'w'}${number}`,
        at,
        height - 3,
      );
    });
    if (this.hovered >= 0 && this.hovered < values.length) {
      this.caption.textContent = `${parameterName(facts, this.hovered)} = ${few(values[this.hovered])}`;
    } else {
      say(this.caption, 'fit.largest', { value: few(most, 3), n: values.length });
    }
  }

  retheme() {
    this.chart.rebuild();
    this.dirty = true;
  }
}
