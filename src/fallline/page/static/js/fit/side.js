// @ts-check
/** The right column: the parameter space above, the loss or a derivative below. */
import { button, segmented } from 'fallline/controls';
import { h, say } from 'fallline/dom';
import { Derivative } from 'fallline/fit/derivative';
import { Losses } from 'fallline/fit/losses';
import { Slice } from 'fallline/fit/slice';
import { Space } from 'fallline/fit/space';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/fit/state').Facts} Facts */
/** @typedef {import('fallline/fit/state').State} State */

export class Side {
  /**
   * @param {Services} services
   * @param {{start: (place: number[]) => void, pointed: (place: number[] | null) => void,
   *   hovered: (point: number) => void, derivative: () => void}} told
   */
  constructor(services, told) {
    this.services = services;
    this.told = told;
    /** @type {Facts | null} */
    this.facts = null;
    this.spaceBox = h('div', { class: 'space' });
    this.space = new Space(this.spaceBox, services, {
      start: told.start,
      pointed: (place) => {
        told.pointed(place);
        this.caption();
      },
      hovered: told.hovered,
      scaled: () => this.caption(),
    });
    this.mode = segmented(services, {
      label: 'fit.mode',
      value: 'map',
      options: [
        { value: 'map', t: 'fit.mode.map' },
        { value: 'block', t: 'fit.mode.block' },
      ],
      onchange: (value) => this.space.setMode(value === 'block' ? 'block' : 'map'),
    });
    this.cloud = button(services, {
      t: 'fit.cloud',
      label: 'fit.cloudAbout',
      pressed: true,
      class: 'small',
      onclick: () => {
        this.showCloud(!this.space.showCloud);
        services.touched();
      },
    });
    this.note = h('p', { class: 'note space-note' });
    this.slice = new Slice(services, { chosen: (parameter) => this.differentiate(parameter) });
    this.slice.element.hidden = true;
    this.title = h('h2', { class: 'heading', t: 'fit.parameterSpace' });
    this.tools = h('div', { class: 'space-tools' }, this.cloud.element, this.mode.element);
    this.losses = new Losses(services);
    this.derivative = new Derivative(services, { chosen: (parameter) => this.differentiate(parameter) });
    this.derivative.element.hidden = true;
    this.tab = segmented(services, {
      label: 'fit.tab',
      value: 'loss',
      options: [
        { value: 'loss', t: 'fit.tab.loss' },
        { value: 'derivative', t: 'fit.tab.derivative' },
      ],
      onchange: (value) => this.open(value),
    });
    const upper = h(
      'section',
      { class: 'part upper' },
      h('div', { class: 'part-head' }, this.title, this.tools),
      this.spaceBox,
      this.note,
      this.slice.element,
    );
    const lower = h(
      'section',
      { class: 'part lower' },
      this.tab.element,
      this.losses.element,
      this.derivative.element,
    );
    this.element = h(
      'div',
      { class: 'column right' },
      h('div', { class: 'scroll', tabindex: '-1' }, upper, lower),
    );
    new ResizeObserver(() => this.space.resize()).observe(this.spaceBox);
    new ResizeObserver(() => {
      this.slice.dirty = true;
    }).observe(this.slice.bars);
  }

  /** @param {'map' | 'block'} mode */
  setMode(mode) {
    this.mode.value = mode;
    this.space.setMode(mode);
  }

  /** @param {boolean} on */
  showCloud(on) {
    this.space.showCloud = on;
    this.space.dirty = true;
    this.cloud.value = on;
    this.caption();
  }

  /** @param {string} tab "loss" or "derivative" */
  open(tab) {
    this.tab.value = tab;
    this.losses.element.hidden = tab !== 'loss';
    this.derivative.element.hidden = tab !== 'derivative';
    this.losses.redraw();
    this.told.derivative();
  }

  /** Look at the derivative by a parameter. @param {number} parameter */
  differentiate(parameter) {
    this.derivative.choose(parameter);
    this.open('derivative');
    this.services.touched();
  }

  /** What the server is to be asked about derivatives. */
  get wanted() {
    return this.tab.value === 'derivative'
      ? { on: true, parameter: this.derivative.parameter }
      : { on: false };
  }

  /** @param {Facts} facts @param {string} colour @param {boolean} fresh */
  tell(facts, colour, fresh) {
    this.facts = facts;
    const { space, slice, losses } = this;
    if (fresh) {
      space.begin();
      losses.restart();
      slice.state = null;
    }
    if (!facts.n) {
      losses.set({ colour, full: true, floor: null });
      space.surface = null;
      space.dirty = true;
      return;
    }
    Object.assign(space, {
      best: facts.best,
      colour,
      cloud: facts.cloud,
      full: facts.batches.full,
      dirty: true,
    });
    for (const part of [this.spaceBox, this.note, this.tools]) part.hidden = !facts.two;
    slice.element.hidden = facts.two;
    say(this.title, facts.two ? 'fit.parameterSpace' : 'fit.parameters');
    slice.begin(facts, colour);
    losses.set({ colour, full: facts.batches.full, floor: facts.floor });
    this.derivative.begin(facts);
    this.caption();
  }

  /** @param {State} state @param {Float32Array} rows of metrics */
  push(state, rows) {
    if (this.facts?.two) this.space.push(state, rows);
    else this.slice.push(state);
    this.losses.push(rows);
  }

  caption() {
    const { facts, space } = this;
    if (!facts?.two) return;
    if (space.pointed) {
      const [w, b] = space.pointed.map((value) => Number(value.toPrecision(3)));
      say(this.note, 'fit.startHere', { w, b });
    } else if (space.showCloud && space.stretch) {
      say(this.note, 'fit.arrows', { k: Number(space.stretch.toPrecision(1)) });
    } else say(this.note, 'fit.clickStart');
  }

  draw() {
    if (this.facts?.two) this.space.draw();
    else this.slice.draw();
    if (this.tab.value === 'loss') this.losses.draw();
  }

  retheme() {
    this.space.retheme();
    this.slice.retheme();
    this.derivative.retheme();
    this.losses.rebuild();
  }
}
