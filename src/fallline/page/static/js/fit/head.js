// @ts-check
/** What stands over the picture: the model, its equation, where the run is, what it has come to. */
import { h, say } from 'fallline/dom';
import { few, parameterName } from 'fallline/fit/state';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/fit/state').Facts} Facts */
/** @typedef {import('fallline/fit/state').State} State */

/** Rows of the hidden table at most. */
const MOST = 24;
const SUPERSCRIPTS = ['', '', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

export class Head {
  /** @param {Services} services */
  constructor(services) {
    this.services = services;
    this.title = h('h2', { class: 'title' });
    this.equation = h('p', { class: 'equation number' });
    this.place = h('p', { class: 'place' });
    this.cells = {
      loss: h('dd', { class: 'number' }),
      floor: h('dd', { class: 'number' }),
      norm: h('dd', { class: 'number' }),
    };
    this.row = h(
      'dl',
      { class: 'metrics' },
      ...Object.entries(this.cells).map(([name, cell]) =>
        h('div', {}, h('dt', { t: `fit.metric.${name}` }), cell),
      ),
    );
    this.element = h(
      'div',
      { class: 'head' },
      h('div', { class: 'head-words' }, this.title, this.equation, this.place),
      this.row,
    );
    this.legend = h('div', { class: 'legend keys', 'aria-hidden': 'true' });
    /** The same numbers as a table, for those who do not see the picture. */
    this.table = h('table', { class: 'visually-hidden' });
    this.hint = h('p', { class: 'hint', t: 'fit.hint' });
    this.element.append(this.hint);
    /** @type {State | null} */
    this.now = null;
    /** @type {Facts | null} */
    this.known = null;
    this.dirty = false;
  }

  /** Pixels that the words take at the top of the stage. */
  room() {
    return Math.max(40, this.element.offsetTop + this.element.offsetHeight + 14);
  }

  /** @param {Facts} facts @param {string} colour */
  facts(facts, colour) {
    this.known = facts;
    this.hint.hidden = facts.n > 0;
    this.row.hidden = !facts.n;
    this.place.hidden = !facts.n;
    this.equation.hidden = !facts.n;
    if (!facts.n) {
      say(this.title, 'fit.emptyTitle');
      this.legend.replaceChildren();
      this.now = null;
      return;
    }
    const { t } = this.services;
    const model = t(`fit.title.${facts.model}`, {
      degree: facts.parameters.length - 1,
      layers: this.layers(facts).join('–'),
    });
    this.title.replaceChildren(
      h('i', { class: 'swatch', 'aria-hidden': 'true' }),
      `${model} · ${t(`fit.loss.${facts.loss}`)} · ${facts.optimizer}`,
    );
    this.element.style.setProperty('--run', colour);
    this.legend.style.setProperty('--run', colour);
    this.cells.floor.textContent = few(facts.floor ?? NaN);
    this.cells.floor.parentElement?.toggleAttribute('hidden', facts.floor === null);
    if (facts.model === 'polynomial') this.equation.title = t('fit.powers');
    else this.equation.removeAttribute('title');
    const shown = [
      ['curve', true],
      ['least', facts.best_curve !== null],
      ['next', !facts.batches.full],
    ];
    this.legend.replaceChildren(
      ...shown
        .filter(([, on]) => on)
        .map(([name]) =>
          h('span', { class: `key key-${name}` }, h('i', {}), h('span', { t: `fit.legend.${name}` })),
        ),
    );
    this.dirty = true;
  }

  /** The layers of a network by their units. @param {Facts} facts */
  layers(facts) {
    const widths = [1];
    facts.parameters.forEach(([leaf, index], i) => {
      const last = facts.parameters[i + 1]?.[0] !== leaf;
      if (leaf.endsWith('bias') && last) widths.push(index[0] + 1);
    });
    return widths;
  }

  /** @param {State} state @param {Facts} facts */
  state(state, facts) {
    this.now = state;
    this.known = facts;
    this.dirty = true;
  }

  draw() {
    const { now, known } = this;
    if (!this.dirty || !now || !known?.n) return;
    this.dirty = false;
    this.equation.textContent = this.formula(known, now);
    const values = this.values(known, now);
    say(this.place, known.batches.full ? 'fit.placeFull' : 'fit.place', values);
    this.cells.loss.textContent = few(now.loss);
    this.cells.norm.textContent = few(now.norm, 3);
  }

  /**
   * The equation of now, in the units of the axes where it is a line.
   * @param {Facts} facts @param {State} state
   */
  formula(facts, state) {
    const { parameters } = state;
    const signed = (/** @type {number} */ v) => `${v < 0 ? '−' : '+'} ${few(Math.abs(v))}`;
    if (facts.two) {
      const { center, scale, target_center: middle, target_scale: spread } = facts.scaling;
      const slope = (parameters[0] / scale) * spread;
      const level = (parameters[1] - (parameters[0] * center) / scale) * spread + middle;
      const [x, y] = facts.names;
      return `${y} = ${few(slope)} ${x === 'x' ? 'x' : `· ${x}`} ${signed(level)}`;
    }
    if (facts.model === 'network') return this.services.t('fit.count.parameters', { n: parameters.length });
    const terms = Array.from(
      parameters.slice(0, -1),
      (w, i) => `${i ? signed(w) : few(w)} z${SUPERSCRIPTS[i + 1] ?? ''}`,
    );
    const shown = terms.length > 4 ? [...terms.slice(0, 2), '+ …', ...terms.slice(-1)] : terms;
    return `${shown.join(' ')} ${signed(parameters.at(-1) ?? NaN)}`;
  }

  /** Numbers for sentences. @param {Facts | null} facts @param {State | null} now */
  values(facts, now) {
    return {
      n: facts?.n ?? 0,
      parameters: facts?.parameters?.length ?? 0,
      iteration: now?.step ?? 0,
      epoch: now?.epoch ?? 0,
      batch: now?.batch ?? 0,
      batches: now?.batches ?? 0,
      loss: now ? few(now.loss) : '–',
      equation: facts?.n && now ? this.formula(facts, now) : '–',
    };
  }

  /** @param {Facts | null} facts @param {State | null} now */
  fill(facts, now) {
    const { t } = this.services;
    const rows =
      now && facts?.n
        ? [
            [t('fit.metric.iteration'), now.step],
            [t('fit.metric.epoch'), now.epoch],
            [t('fit.metric.loss'), few(now.loss)],
            [t('fit.metric.norm'), few(now.norm)],
            ...Array.from(now.parameters.slice(0, MOST), (value, i) => [parameterName(facts, i), few(value)]),
          ]
        : [];
    this.table.replaceChildren(
      h('caption', { t: 'fit.numbers' }),
      h(
        'tbody',
        {},
        ...rows.map(([name, value]) => h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, value))),
      ),
    );
  }

  retranslate() {
    this.dirty = true;
  }
}
