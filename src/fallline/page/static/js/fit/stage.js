// @ts-check
/** The middle of the view: the data space with what stands over it, and the tools to paint with. */
import { button, segmented } from 'fallline/controls';
import { h } from 'fallline/dom';
import { Head } from 'fallline/fit/head';
import { Painting } from 'fallline/fit/painting';
import { Plane } from 'fallline/fit/plane';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/fit/state').Facts} Facts */
/** @typedef {import('fallline/fit/state').State} State */

export class Stage {
  /**
   * @param {Services} services
   * @param {{painted: (points: number[]) => void, hovered: (point: number) => void}} told
   */
  constructor(services, told) {
    this.services = services;
    this.canvas = h('canvas', { role: 'img', tabindex: '0', class: 'plane' });
    this.tools = segmented(services, {
      label: 'fit.tool',
      value: 'paint',
      options: [
        { value: 'paint', t: 'fit.tool.paint' },
        { value: 'erase', t: 'fit.tool.erase' },
      ],
      onchange: (value) => this.take(value),
    });
    this.residuals = button(services, {
      t: 'fit.residuals',
      pressed: false,
      class: 'small',
      onclick: () => {
        this.showResiduals(!this.plane.residuals);
        services.touched();
      },
    });
    this.head = new Head(services);
    this.toolbar = h('div', { class: 'tools-of' }, this.residuals.element, this.tools.element);
    this.element = h(
      'div',
      { class: 'stage' },
      this.canvas,
      this.head.element,
      this.toolbar,
      this.head.legend,
      this.head.table,
    );
    this.plane = new Plane(this.canvas, services);
    this.painting = new Painting(this.plane, {
      changed: () => told.painted(this.plane.points),
      hovered: told.hovered,
      full: () => services.fail(services.t('fit.full')),
    });
    const watch = new ResizeObserver(() => this.resize());
    watch.observe(this.element);
    // The picture begins below the words, however many lines they take.
    watch.observe(this.head.element);
  }

  /** @param {string} tool "paint" or "erase" */
  take(tool) {
    this.painting.tool = tool === 'erase' ? 'erase' : 'paint';
    this.tools.value = this.painting.tool;
    this.canvas.classList.toggle('erases', tool === 'erase');
  }

  /** @param {boolean} on */
  showResiduals(on) {
    this.plane.residuals = on;
    this.residuals.value = on;
    this.plane.dirty = true;
  }

  /**
   * A run begins, or something about it has changed.
   * @param {Facts} facts
   * @param {{colour: string, points: number[], fresh: boolean, paintable: boolean}} more
   */
  tell(facts, { colour, points, fresh, paintable }) {
    const { plane } = this;
    plane.window = facts.window;
    plane.names = facts.names;
    // What is being painted is ahead of what the server knows.
    if (facts.points) plane.points = facts.points;
    else if (!this.painting.down) plane.points = [...points];
    if (fresh) plane.forget();
    plane.colour = colour;
    plane.best = facts.best_curve ?? null;
    if (!facts.n) plane.batch = null;
    plane.dirty = true;
    this.painting.enabled = paintable;
    this.tools.element.hidden = !paintable;
    this.head.facts(facts, colour);
    this.resize();
  }

  /** @param {State} state @param {Facts} facts */
  push(state, facts) {
    this.plane.setCurve(state.curve);
    this.plane.batch = facts.batches.full ? null : new Set(state.rows);
    this.head.state(state, facts);
  }

  draw() {
    this.plane.draw();
    this.head.draw();
  }

  resize() {
    this.plane.top = this.head.room();
    this.plane.resize();
  }

  retheme() {
    this.plane.retheme();
  }
}
