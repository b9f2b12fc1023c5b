// @ts-check
/** The left column: surface, racers, how the run is run, and its buttons. */
import { number, section, segmented, slider, transport } from 'fallline/controls';
import { h, svg } from 'fallline/dom';
import { count, short } from 'fallline/terrain/format';
import { Racers } from 'fallline/terrain/racers';
import { MOST_BALLS } from 'fallline/terrain/setup';
import { SurfaceChoice } from 'fallline/terrain/surface';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/terrain/setup').Setup} Setup */
/** @typedef {import('fallline/terrain/engine').Engine} Engine */
/**
 * @typedef {object} Actions
 * @property {import('fallline/terrain/racers').Actions} racers
 * @property {(fields: Partial<Setup>) => void} restart with other settings
 * @property {() => void} run
 * @property {() => void} step
 * @property {() => void} reset
 * @property {() => void} choosePoint the next click on the terrain is the start
 */

const MOST_NOISE = 3;
const MOST_SEED = 2 ** 31 - 1;

export class Panel {
  /**
   * @param {Services} services
   * @param {Engine} engine
   * @param {Actions} actions
   */
  constructor(services, engine, actions) {
    this.services = services;
    const { setup } = engine;
    this.surface = new SurfaceChoice(services, { onchange: (fields) => actions.restart(fields) });
    this.racers = new Racers(services, actions.racers);
    this.balls = slider(services, {
      label: 'terrain.balls',
      low: 1,
      high: MOST_BALLS,
      value: setup.balls,
      log: true,
      format: count,
      onchange: (value) => actions.restart({ balls: Math.round(value), drops: [] }),
    });
    this.noise = slider(services, {
      label: 'terrain.noise',
      low: 0,
      high: MOST_NOISE,
      step: 0.02,
      value: setup.noise,
      format: short,
      oninput: (value) => engine.noise(value),
    });
    this.steps = slider(services, {
      label: 'terrain.steps',
      low: 1,
      high: 200,
      value: setup.steps,
      log: true,
      format: count,
      oninput: (value) => {
        setup.steps = Math.round(value);
        engine.pace();
      },
    });
    this.frames = slider(services, {
      label: 'terrain.frames',
      low: 1,
      high: 60,
      step: 1,
      value: setup.frames,
      format: count,
      oninput: (value) => {
        setup.frames = Math.round(value);
        engine.pace();
      },
    });
    this.spread = segmented(services, {
      label: 'terrain.starts',
      options: [
        { value: 'scatter', t: 'terrain.starts_scatter' },
        { value: 'point', t: 'terrain.starts_point' },
      ],
      value: setup.spread,
      onchange: (value) => actions.restart({ spread: value === 'point' ? 'point' : 'scatter', drops: [] }),
    });
    this.place = h('button', {
      type: 'button',
      class: 'link',
      t: 'terrain.choose_point',
      onclick: actions.choosePoint,
    });
    this.seed = number(services, {
      label: 'terrain.seed',
      low: 0,
      high: MOST_SEED,
      step: 1,
      value: setup.seed,
      onchange: (value) => actions.restart({ seed: Math.round(value), drops: [] }),
    });
    const dice = h('button', { type: 'button', class: 'button icon', label: 'terrain.new_seed' }, diceIcon());
    dice.addEventListener('click', () =>
      actions.restart({ seed: (this.seed.value + 1) % MOST_SEED, drops: [] }),
    );
    this.seed.element.append(dice);
    this.transport = transport(services, {
      onrun: actions.run,
      onstep: actions.step,
      onreset: actions.reset,
    });
    this.element = h(
      'aside',
      { class: 'column left' },
      h(
        'div',
        { class: 'scroll' },
        this.surface.element,
        this.racers.element,
        section('terrain.motion', this.steps.element, this.frames.element, this.noise.element),
        section('terrain.starts', this.balls.element, this.spread.element, this.place, this.seed.element),
      ),
      this.transport.element,
    );
    this.element.setAttribute('data-label', 'terrain.controls');
    this.element.setAttribute('aria-label', services.t('terrain.controls'));
    this.show(setup);
  }

  /** All controls as the setup has it. @param {Setup} setup */
  show(setup) {
    this.surface.show(setup);
    this.balls.value = setup.balls;
    this.noise.value = setup.noise;
    this.steps.value = setup.steps;
    this.frames.value = setup.frames;
    this.spread.value = setup.spread;
    this.seed.value = setup.seed;
    this.place.hidden = setup.spread !== 'point';
  }
}

function diceIcon() {
  const dots = [
    [5.4, 5.4],
    [10.6, 10.6],
    [8, 8],
    [10.6, 5.4],
    [5.4, 10.6],
  ];
  return svg(
    'svg',
    { class: 'line-icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    svg('rect', { x: 2.2, y: 2.2, width: 11.6, height: 11.6, rx: 2.6 }),
    ...dots.map(([x, y]) => svg('circle', { cx: x, cy: y, r: 0.5 })),
  );
}
