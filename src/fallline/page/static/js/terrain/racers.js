// @ts-check
/** The racers: one card for each optimizer, with its own learning rate and its other settings, all live. */
import { section, slider, toggle } from 'fallline/controls';
import { clear, h, mathml, svg } from 'fallline/dom';
import { percent, setting } from 'fallline/terrain/format';
import { swatch } from 'fallline/terrain/marks';
import { MOST_RACERS } from 'fallline/terrain/setup';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/terrain/race').RacerFacts} RacerFacts */
/** @typedef {import('fallline/terrain/marks').Face} Face */
/** @typedef {{rate?: number, settings?: Record<string, number>, decay?: number}} Numbers */
/**
 * @typedef {object} Actions
 * @property {(racer: number, fields: Numbers) => void} live
 * @property {(racer: number, name: string, value: boolean) => void} shape a choice that needs a new start
 * @property {(racer: number) => void} honest go back to the rate that was searched
 * @property {(racer: number, visible: boolean) => void} see
 * @property {(racer: number) => void} select
 * @property {(optimizer: string) => void} add
 * @property {(racer: number) => void} remove
 */
/** @typedef {{limit: number|null, safe: number, edge: number, explode: number}} Limit */

const ICONS = {
  more: 'M4 6.5 8 10.5 12 6.5',
};
const VERDICTS = /** @type {('safe'|'edge'|'explode')[]} */ (['safe', 'edge', 'explode']);
const MOST_DECAY = 0.2;
/** Milliseconds after a move of the hand in which what the engine answers is not yet what is wanted. */
const HELD = 700;

/** @param {keyof typeof ICONS} name */
function icon(name) {
  return svg(
    'svg',
    { class: 'line-icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    svg('path', { d: ICONS[name] }),
  );
}

/** One racer. */
class Card {
  /**
   * @param {Services} services
   * @param {number} index
   * @param {RacerFacts} facts
   * @param {Face} face
   * @param {{visible: boolean, open: boolean, last: boolean}} state
   * @param {Actions} actions
   */
  constructor(services, index, facts, face, state, actions) {
    this.services = services;
    this.facts = facts;
    const name = { n: face.name };
    this.see = h(
      'button',
      { type: 'button', class: 'see', 'aria-pressed': String(state.visible) },
      swatch(face),
    );
    this.see.setAttribute('aria-label', services.t('terrain.show_racer', name));
    this.see.title = services.t('terrain.show_racer', name);
    this.see.addEventListener('click', () => {
      const visible = this.see.getAttribute('aria-pressed') !== 'true';
      this.setVisible(visible);
      actions.see(index, visible);
    });
    this.name = h(
      'button',
      { type: 'button', class: 'name', onclick: () => actions.select(index) },
      face.name,
    );
    this.name.title = services.t('terrain.select_racer', { n: face.name, k: index + 1 });
    this.remove = h('button', { type: 'button', class: 'link remove', onclick: () => actions.remove(index) });
    this.remove.textContent = services.t('terrain.remove_racer', name);
    this.remove.hidden = state.last;
    this.word = h('span', { class: 'verdict' });
    this.more = h(
      'button',
      { type: 'button', class: 'tiny more', onclick: () => this.toggleMore() },
      icon('more'),
    );
    this.more.setAttribute('aria-label', services.t('terrain.more_settings', name));
    this.more.title = services.t('terrain.more_settings', name);
    const [low, high] = rateRange(facts);
    this.rate = slider(services, {
      label: 'terrain.rate',
      low,
      high,
      value: facts.rate,
      log: true,
      format: setting,
      oninput: (rate) => {
        this.showHonest(rate);
        actions.live(index, { rate });
      },
    });
    this.honest = h('button', { type: 'button', class: 'link honest', onclick: () => actions.honest(index) });
    this.shares = h(
      'div',
      { class: 'shares', 'aria-hidden': 'true' },
      ...VERDICTS.map((kind) => h('i', { class: kind })),
    );
    this.sharesText = h('p', { class: 'shares-text' });
    /** @type {Record<string, {value: any}>} */
    this.controls = {};
    this.rule = h(
      'div',
      { class: 'rule', role: 'group', tabindex: 0 },
      facts.mathml ? mathml(facts.mathml) : null,
    );
    this.rule.setAttribute('aria-label', services.t('terrain.rule', name));
    this.settings = h('div', { class: 'settings' });
    this.touched = 0;
    this.settings.addEventListener('input', () => this.hold());
    this.rate.element.addEventListener('input', () => this.hold());
    this.fill(index, actions);
    this.element = h(
      'div',
      { class: 'racer', role: 'group' },
      h('div', { class: 'racer-head' }, this.see, this.name, this.word, this.more),
      this.rate.element,
      this.settings,
    );
    this.element.setAttribute('aria-label', face.name);
    this.element.style.setProperty('--c', face.colour);
    /** @type {'safe'|'edge'|'explode'|null} */
    this.verdict = null;
    this.setVisible(state.visible);
    this.setOpen(state.open);
    this.showHonest(facts.rate);
  }

  /** @param {number} index @param {Actions} actions */
  fill(index, actions) {
    this.settings.append(this.honest, this.shares, this.sharesText, this.rule);
    for (const [name, about] of Object.entries(this.facts.settings)) {
      const label = `terrain.setting_${name}`;
      const control = about.static
        ? toggle(this.services, {
            label,
            value: about.value === true,
            onchange: (on) => actions.shape(index, name, on),
          })
        : slider(this.services, {
            label,
            low: about.low ?? 0,
            high: about.high ?? 1,
            log: about.log,
            step: 0.001,
            value: about.value,
            format: setting,
            oninput: (value) => actions.live(index, { settings: { [name]: value } }),
          });
      this.controls[name] = control;
      this.settings.append(control.element);
    }
    const decay = slider(this.services, {
      label: 'terrain.setting_decay',
      low: 0,
      high: Math.max(MOST_DECAY, this.facts.decay),
      step: 0.001,
      value: this.facts.decay,
      format: setting,
      oninput: (value) => actions.live(index, { decay: value }),
    });
    this.controls.decay = decay;
    this.settings.append(decay.element, this.remove);
  }

  hold() {
    this.touched = performance.now();
  }

  toggleMore() {
    this.setOpen(this.settings.hidden);
  }

  /** @param {boolean} open */
  setOpen(open) {
    this.settings.hidden = !open;
    this.more.setAttribute('aria-expanded', String(open));
  }

  /** @param {boolean} visible */
  setVisible(visible) {
    this.see.setAttribute('aria-pressed', String(visible));
    this.element.classList.toggle('off', !visible);
  }

  /**
   * What the engine has; while a hand is on a slider, that knows better.
   * @param {RacerFacts} facts
   * @param {boolean} visible
   */
  update(facts, visible) {
    this.setVisible(visible);
    if (facts.mathml !== this.facts.mathml) {
      this.rule.replaceChildren(...(facts.mathml ? [mathml(facts.mathml)] : []));
    }
    this.facts = facts;
    if (performance.now() - this.touched < HELD) {
      return;
    }
    this.rate.value = facts.rate;
    this.showHonest(facts.rate);
    for (const [name, about] of Object.entries(facts.settings)) {
      this.controls[name].value = about.value;
    }
    this.controls.decay.value = facts.decay;
  }

  /** @param {number} rate */
  showHonest(rate) {
    const best = this.facts.honest;
    const there = best !== null && best !== undefined && Math.abs(rate / best - 1) < 0.005;
    this.honest.textContent = this.services.t(there ? 'terrain.honest_there' : 'terrain.honest', {
      n: best === null || best === undefined ? '' : setting(best),
    });
    this.honest.disabled = there;
  }

  /** @param {Limit} limit */
  setLimit(limit) {
    this.rate.limit = limit.limit;
    const known = VERDICTS.some((kind) => limit[kind] > 0);
    const most = VERDICTS.reduce((best, kind) => (limit[kind] > limit[best] ? kind : best), VERDICTS[0]);
    // Said once, when it changes: a verdict that is written anew twenty times a second cannot be read out.
    /** @type {'safe'|'edge'|'explode'|null} */
    const verdict = known ? most : null;
    if (verdict !== this.verdict) {
      this.verdict = verdict;
      this.word.className = `verdict ${verdict ?? ''}`;
      this.word.textContent = verdict ? this.services.t(`control.${verdict}`) : '';
    }
    VERDICTS.forEach((kind, at) => {
      /** @type {HTMLElement} */ (this.shares.children[at]).style.flexGrow = String(limit[kind] || 0);
    });
    const said = this.services.t('terrain.shares', {
      safe: percent(limit.safe),
      edge: percent(limit.edge),
      explode: percent(limit.explode),
    });
    this.shares.hidden = !known;
    this.sharesText.hidden = !known;
    if (this.sharesText.textContent !== said) {
      this.sharesText.textContent = said;
      this.word.title = said;
    }
  }
}

/** A slider's reach: some powers of ten around the best rate. @param {RacerFacts} facts */
function rateRange(facts) {
  const best = facts.honest || facts.rate || 0.01;
  const low = 10 ** (Math.floor(Math.log10(best)) - 2);
  const high = 10 ** (Math.ceil(Math.log10(best)) + 2);
  const rate = facts.rate || best;
  return [Math.min(low, rate), Math.max(high, rate)];
}

export class Racers {
  /**
   * @param {Services} services
   * @param {Actions} actions
   */
  constructor(services, actions) {
    this.services = services;
    this.actions = actions;
    /** @type {Card[]} */
    this.cards = [];
    /** @type {Limit[]} */
    this.limits = [];
    /** What the cards were made for. */
    this.made = '';
    this.list = h('div', { class: 'racers' });
    this.adder = h('select', { class: 'adder', label: 'terrain.add_racer' });
    this.adder.addEventListener('change', () => {
      const name = this.adder.value;
      this.adder.value = '';
      if (name) {
        actions.add(name);
      }
    });
    this.element = section('terrain.racers', this.list, this.adder);
    this.offer();
  }

  offer() {
    const known = this.services.catalogue?.optimizers ?? [];
    clear(this.adder);
    this.adder.append(
      h('option', { value: '', t: 'terrain.add_racer' }),
      ...known.map((optimizer) => h('option', { value: optimizer.name }, optimizer.title)),
    );
  }

  /**
   * @param {RacerFacts[]} facts
   * @param {Face[]} faces
   * @param {boolean[]} visible
   */
  show(facts, faces, visible) {
    const settled = JSON.stringify([
      facts.map((one) => [one.optimizer, rateRange(one), Object.keys(one.settings)]),
      faces.map((face) => [face.name, face.colour, face.mark]),
      this.services.language(),
    ]);
    if (settled === this.made) {
      this.cards.forEach((card, index) => card.update(facts[index], visible[index]));
      return;
    }
    this.made = settled;
    const open = new Set(
      this.cards.filter((card) => !card.settings.hidden).map((card) => card.facts.optimizer),
    );
    this.cards = facts.map((one, index) => {
      const state = { visible: visible[index], open: open.has(one.optimizer), last: facts.length === 1 };
      return new Card(this.services, index, one, faces[index], state, this.actions);
    });
    this.list.replaceChildren(...this.cards.map((card) => card.element));
    if (this.limits.length === facts.length) {
      this.limit(this.limits);
    }
    this.adder.hidden = facts.length >= MOST_RACERS;
  }

  /** @param {Limit[]} limits */
  limit(limits) {
    this.limits = limits;
    limits.forEach((limit, index) => this.cards[index]?.setLimit(limit));
  }

  /** @param {number} chosen -1 for none */
  select(chosen) {
    this.cards.forEach((card, index) => card.element.classList.toggle('chosen', index === chosen));
  }
}
