// @ts-check
/** One derivative: the loss along a parameter with its tangent, and how wrong differences are at each h. */
import { select } from 'fallline/controls';
import { h, say } from 'fallline/dom';
import { Chart, dot, rule } from 'fallline/chart';
import { few, parameterName } from 'fallline/fit/state';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/fit/state').Facts} Facts */
/**
 * @typedef {{parameter: number, step: number, trouble?: string, at: number, loss: number, slope: number,
 *   reach: number, values: (number | null)[], steps: number[], forward: (number | null)[],
 *   central: (number | null)[]}} Found
 */

/** The power of ten at which an error of nothing is drawn. */
const LEAST = -17;
const POWERS = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

/** A power of ten as text. @param {number} exponent */
function power(exponent) {
  const digits = [...String(Math.abs(exponent))].map((digit) => POWERS[Number(digit)]).join('');
  return `10${exponent < 0 ? '⁻' : ''}${digits}`;
}

/** @param {number} error */
const exponentOf = (error) => Math.max(LEAST, Math.log10(error));

/** The place of the least error, -1 if there is none. @param {(number | null)[]} errors */
function bestOf(errors) {
  let best = -1;
  errors.forEach((error, i) => {
    if (error !== null && (best < 0 || error < /** @type {number} */ (errors[best]))) best = i;
  });
  return best;
}

export class Derivative {
  /**
   * @param {Services} services
   * @param {{chosen: (parameter: number) => void}} told
   */
  constructor(services, told) {
    this.services = services;
    /** @type {Found | null} */
    this.found = null;
    /** @type {Facts | null} */
    this.facts = null;
    this.parameter = 0;
    this.choice = select(services, {
      label: 'fit.parameter',
      options: [],
      value: '0',
      onchange: (value) => told.chosen(Number(value)),
    });
    this.trouble = h('p', { class: 'complaint' });
    this.profileBox = h('div', { class: 'chart' });
    this.errorBox = h('div', { class: 'chart' });
    this.numbers = h('table', { class: 'numbers' });
    this.slope = h('p', { class: 'slope number' });
    this.element = h(
      'div',
      { class: 'derivative' },
      h('div', { class: 'pick' }, this.choice.element, this.slope),
      this.trouble,
      this.profileBox,
      h(
        'h3',
        { class: 'sub' },
        h('span', { t: 'fit.errors' }),
        h(
          'span',
          { class: 'keys' },
          ...['forward', 'central'].map((name) =>
            h(
              'span',
              { class: `key key-${name}` },
              h('i', { 'aria-hidden': 'true' }),
              h('span', { t: `fit.${name}` }),
            ),
          ),
        ),
      ),
      this.errorBox,
      this.numbers,
    );
    this.profile = new Chart(this.profileBox, services, {
      lines: [
        { colour: '--text', width: 2 },
        { colour: '--accent', width: 1.8, dash: [6, 4] },
      ],
      y: () => this.heights(),
      beneath: (chart, plot) =>
        this.found && rule(plot, { x: this.found.at, colour: chart.colour('--line') }),
      above: (chart, plot) =>
        this.found &&
        dot(plot, {
          x: this.found.at,
          y: this.found.loss,
          colour: chart.colour('--accent'),
          rim: chart.colour('--panel'),
          size: 5,
        }),
    });
    this.errors = new Chart(this.errorBox, services, {
      lines: [
        { colour: '--muted', width: 1.8 },
        { colour: '--accent', width: 2 },
      ],
      // Both axes in powers of ten.
      x: () => [-13.3, -0.3],
      y: () => [LEAST - 0.5, 1.5],
      xSplits: [-12, -9, -6, -3],
      ySplits: [-16, -12, -8, -4, 0],
      xValues: (values) => values.map(power),
      yValues: (values) => values.map(power),
      above: (chart, plot) => this.drawBest(chart, plot),
    });
  }

  /** @param {Facts} facts */
  begin(facts) {
    this.facts = facts;
    const count = facts.parameters?.length ?? 0;
    if (this.parameter >= count) this.parameter = 0;
    this.choice.offer(
      Array.from({ length: count }, (_, i) => ({ value: String(i), text: parameterName(facts, i) })),
      String(this.parameter),
    );
  }

  /** @param {number} parameter */
  choose(parameter) {
    this.parameter = parameter;
    this.choice.value = String(parameter);
  }

  /** @returns {[number, number]} */
  heights() {
    const values = (this.found?.values ?? []).filter((v) => v !== null);
    if (!values.length) return [0, 1];
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = 0.08 * (high - low) || 1e-6;
    return [low - 2 * margin, high + margin];
  }

  /** @param {Found} found */
  show(found) {
    if (found.parameter !== this.parameter) return;
    this.trouble.textContent = found.trouble ?? '';
    this.found = found.trouble ? null : found;
    if (!this.found) return;
    const { at, loss, slope, reach, values, steps, forward, central } = found;
    const x = values.map((_, i) => at - reach + (2 * reach * i) / (values.length - 1));
    this.profile.set([x, values, x.map((place) => loss + slope * (place - at))]);
    const shown = (/** @type {(number | null)[]} */ errors) =>
      errors.map((error) => (error === null ? null : exponentOf(error))).reverse();
    this.errors.set([steps.map(Math.log10).reverse(), shown(forward), shown(central)]);
    this.write();
  }

  write() {
    const { found } = this;
    if (!found || !this.facts) return;
    this.slope.textContent = `∂L/∂${parameterName(this.facts, found.parameter)} = ${few(found.slope)}`;
    const rows = /** @type {['forward' | 'central', number][]} */ ([
      ['forward', 1 / 2],
      ['central', 1 / 3],
    ]);
    this.numbers.replaceChildren(
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { t: 'fit.difference' }),
          h('th', { t: 'fit.bestH' }),
          h('th', { t: 'fit.error' }),
          h('th', { t: 'fit.ruleH' }),
        ),
      ),
      h(
        'tbody',
        {},
        ...rows.map(([name, exponent]) => {
          const best = bestOf(found[name]);
          const rule = 2.220446049250313e-16 ** exponent * Math.max(1, Math.abs(found.at));
          return h(
            'tr',
            {},
            h('th', { scope: 'row', t: `fit.${name}` }),
            h('td', { class: 'number' }, best < 0 ? '–' : few(found.steps[best], 2)),
            h('td', { class: 'number' }, best < 0 ? '–' : few(found[name][best] ?? NaN, 2)),
            h('td', { class: 'number' }, few(rule, 2)),
          );
        }),
      ),
    );
    const exact = found.central.slice(0, 6).every((error) => error !== null && error < 1e-10);
    if (exact) {
      const cell = h('td', { colspan: 4, class: 'note' });
      say(cell, 'fit.centralExact');
      this.numbers.append(h('tfoot', {}, h('tr', {}, cell)));
    }
  }

  /** The h of the least error of each. @param {Chart} chart @param {import('uplot')} plot */
  drawBest(chart, plot) {
    const { found } = this;
    if (!found) return;
    for (const [name, variable] of /** @type {['forward' | 'central', string][]} */ ([
      ['forward', '--muted'],
      ['central', '--accent'],
    ])) {
      const best = bestOf(found[name]);
      if (best < 0) continue;
      const colour = chart.colour(variable);
      const x = Math.log10(found.steps[best]);
      rule(plot, { x, colour, dash: [2, 4] });
      dot(plot, {
        x,
        y: exponentOf(found[name][best] ?? 0),
        colour,
        rim: chart.colour('--panel'),
        size: 4.5,
      });
    }
  }

  retheme() {
    this.profile.rebuild();
    this.errors.rebuild();
  }
}
