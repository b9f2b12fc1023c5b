// @ts-check
/** One ball looked at closely: where it is, what pulls it, what its optimizer recalls, where it goes next. */
import { button } from 'fallline/controls';
import { clear, h, mathml, svg } from 'fallline/dom';
import { count, loss, setting, short } from 'fallline/terrain/format';
import { swatch } from 'fallline/terrain/marks';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/terrain/marks').Face} Face */
/** @typedef {{kind: 'symbols'|'numbers', name: string, axis?: string, mathml: string}} Line */
/**
 * @typedef {object} Ball as the engine tells of it
 * @property {number} racer
 * @property {number} ball
 * @property {number} step
 * @property {number[]} place
 * @property {number|null} value
 * @property {number[]} gradient
 * @property {{values: number[], vectors: number[][]}|null} hessian
 * @property {Record<string, number[]>} state
 * @property {number[]} next
 * @property {number} rate
 * @property {number|null} limit
 * @property {'safe'|'edge'|'explode'|'none'} verdict
 * @property {Line[]} lines
 */

/** What an optimizer remembers that is never negative: shown as squares, whose areas are the numbers. */
const SQUARES = ['square', 'sum', 'largest', 'moved'];
const KNOWN = ['velocity', 'mean', ...SQUARES];
const PERIOD = 90;
const LINES_PERIOD = 240;

export class Inspector {
  /**
   * @param {Services} services
   * @param {{onnext: (by: number) => void, onrelease: () => void, ongraph: () => void,
   *   onstart: () => void}} options
   */
  constructor(services, options) {
    this.services = services;
    /** @type {Ball|null} */
    this.ball = null;
    /** @type {Face|null} */
    this.face = null;
    this.pinned = false;
    this.drawn = 0;
    this.linesDrawn = 0;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.late = undefined;
    this.hint = h('p', { class: 'empty', t: 'terrain.inspect_hint' });
    this.heading = h('h3', {});
    this.pin = button(services, { label: 'terrain.release', icon: '\u2715', onclick: options.onrelease });
    const next = (/** @type {number} */ by) =>
      button(services, {
        label: by > 0 ? 'terrain.next_ball' : 'terrain.previous_ball',
        icon: by > 0 ? '\u203a' : '\u2039',
        onclick: () => options.onnext(by),
      }).element;
    this.steps = h('div', { class: 'stepper' }, next(-1), next(1), this.pin.element);
    this.gauge = new Gauge(services);
    this.facts = h('dl', { class: 'facts' });
    this.equations = h('div', { class: 'equations', role: 'group', tabindex: 0, label: 'terrain.equations' });
    this.graph = button(services, { t: 'terrain.to_graph', onclick: options.ongraph });
    this.start = button(services, { t: 'terrain.race_from_here', onclick: options.onstart });
    this.body = h(
      'div',
      { class: 'ball' },
      this.gauge.element,
      this.facts,
      this.equations,
      h('div', { class: 'links' }, this.graph.element, this.start.element),
    );
    this.element = h(
      'div',
      { class: 'inspector' },
      h('div', { class: 'inspector-head' }, this.heading, this.steps),
      this.hint,
      this.body,
    );
    this.show(null, null);
  }

  /**
   * @param {Ball|null} ball
   * @param {Face|null} face
   * @param {{pinned?: boolean, graph?: boolean}} [state]
   */
  show(ball, face, state = {}) {
    const other = ball?.racer !== this.ball?.racer || ball?.ball !== this.ball?.ball;
    this.ball = ball;
    this.face = face;
    this.pinned = state.pinned ?? false;
    this.hint.hidden = ball !== null;
    this.body.hidden = ball === null;
    this.pin.element.hidden = !this.pinned;
    this.graph.element.hidden = !state.graph;
    if (!ball || !face) {
      this.heading.textContent = this.services.t('terrain.no_ball');
      return;
    }
    const now = performance.now();
    if (!other && now - this.drawn < PERIOD) {
      this.late ??= setTimeout(() => {
        this.late = undefined;
        this.draw();
      }, PERIOD);
      return;
    }
    if (other) {
      this.linesDrawn = 0;
    }
    this.draw();
  }

  draw() {
    const { ball, face, services } = this;
    if (!ball || !face) {
      return;
    }
    const now = performance.now();
    this.drawn = now;
    clear(this.heading);
    this.heading.append(
      swatch(face),
      services.t('terrain.ball_of', { name: face.name, n: count(ball.ball + 1) }),
    );
    this.gauge.show(ball);
    this.fill(ball);
    if (now - this.linesDrawn > LINES_PERIOD) {
      this.linesDrawn = now;
      this.equations.hidden = !ball.lines?.length;
      this.equations.replaceChildren(...(ball.lines ?? []).map(line));
    }
  }

  /** @param {Ball} ball */
  fill(ball) {
    clear(this.facts);
    const { services } = this;
    const add = (
      /** @type {string} */ term,
      /** @type {Node|string} */ value,
      /** @type {Node|null} */ picture = null,
    ) => {
      this.facts.append(h('dt', {}, term), h('dd', {}, h('span', { class: 'number' }, value), picture));
    };
    const pair = (/** @type {number[]|null|undefined} */ two) =>
      two ? `${short(two[0])}, ${short(two[1])}` : '\u2013';
    add(services.t('terrain.ball_place'), pair(ball.place));
    add(services.t('terrain.ball_value'), loss(ball.value));
    add(services.t('terrain.ball_gradient'), pair(ball.gradient), bars(ball.gradient));
    if (ball.hessian) {
      add(services.t('terrain.ball_curvature'), pair(ball.hessian.values), curvatures(ball.hessian.values));
    }
    for (const [name, values] of Object.entries(ball.state ?? {})) {
      const known = KNOWN.includes(name) ? services.t(`terrain.state_${name}`) : name;
      add(known, pair(values), SQUARES.includes(name) ? squares(values) : bars(values));
    }
    add(services.t('terrain.ball_next'), pair(ball.next));
  }
}

/** A line of the rule: in symbols, or with the numbers of one axis. @param {Line} one */
function line(one) {
  const axis = one.axis ? h('i', {}, one.axis) : null;
  return h('div', { class: `equation ${one.kind}` }, axis, mathml(one.mathml));
}

/** Two signed numbers as bars from a middle. @param {number[]|null|undefined} values */
function bars(values) {
  if (!values) {
    return null;
  }
  const most = Math.max(...values.map(Math.abs), 1e-30);
  return svg(
    'svg',
    { class: 'bars', viewBox: '0 0 40 14', 'aria-hidden': 'true' },
    svg('path', { class: 'axis', d: 'M20 0v14' }),
    ...values.map((value, index) => {
      const length = Number.isFinite(value) ? (18 * value) / most : 0;
      return svg('rect', {
        x: (length < 0 ? 20 + length : 20).toFixed(2),
        y: 1 + 7 * index,
        width: Math.abs(length).toFixed(2),
        height: 5,
      });
    }),
  );
}

/** Two numbers that are never negative, as areas. @param {number[]|null|undefined} values */
function squares(values) {
  if (!values) {
    return null;
  }
  const most = Math.max(...values, 1e-30);
  return svg(
    'svg',
    { class: 'bars', viewBox: '0 0 40 14', 'aria-hidden': 'true' },
    ...values.map((value, index) => {
      const side = 13 * Math.sqrt(Math.max(0, value) / most) || 0;
      return svg('rect', {
        x: (8 + 20 * index - side / 2).toFixed(2),
        y: (7 - side / 2).toFixed(2),
        width: side.toFixed(2),
        height: side.toFixed(2),
      });
    }),
  );
}

/** How the ground bends along its two axes. @param {number[]} values */
function curvatures(values) {
  return svg(
    'svg',
    { class: 'bars curve', viewBox: '0 0 40 14', 'aria-hidden': 'true' },
    ...values.map((value, index) => {
      const bend = value === 0 ? 0 : Math.sign(value) * 9;
      const middle = 10 + 20 * index;
      return svg('path', {
        d: `M${middle - 8} ${7 - bend / 2}Q${middle} ${7 + bend} ${middle + 8} ${7 - bend / 2}`,
      });
    }),
  );
}

/** The rate against its limit: safe below nine tenths of it, at the edge up to it, then it explodes. */
class Gauge {
  /** @param {Services} services */
  constructor(services) {
    this.services = services;
    this.pointer = h('i', { class: 'pointer' });
    this.word = h('span', { class: 'verdict' });
    this.text = h('span', { class: 'number' });
    this.element = h(
      'div',
      { class: 'gauge' },
      h('div', { class: 'gauge-head' }, h('span', { t: 'terrain.rate_at_limit' }), this.word),
      h('div', { class: 'zones', 'aria-hidden': 'true' }, this.pointer),
      this.text,
    );
  }

  /** @param {Ball} ball */
  show(ball) {
    const { services } = this;
    const known = ball.limit !== null && Number.isFinite(ball.limit) && ball.limit > 0;
    const verdict = ball.verdict === 'none' || !known ? 'none' : ball.verdict;
    this.element.classList.toggle('unlimited', !known);
    this.word.className = `verdict ${verdict}`;
    this.word.textContent = services.t(verdict === 'none' ? 'terrain.no_limit' : `control.${verdict}`);
    // The bar ends at twice the limit.
    const share = known ? Math.min(1, ball.rate / (2 * /** @type {number} */ (ball.limit))) : 0.25;
    this.pointer.style.left = `${100 * share}%`;
    this.text.textContent = known
      ? services.t('terrain.gauge', { rate: setting(ball.rate), limit: setting(ball.limit) })
      : services.t('terrain.gauge_free', { rate: setting(ball.rate) });
  }
}
