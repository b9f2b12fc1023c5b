// @ts-check
/** What is looked at: a racer that is pointed at or chosen, a ball that is hovered over or pinned. */
import { loss } from 'fallline/terrain/format';

/** @typedef {import('fallline/terrain/view').TerrainView} TerrainView */
/** @typedef {import('fallline/terrain/inspector').Ball} Ball */

/** A ball is left only when the hand has been away from it for so long: it rolls on under the pointer. */
const LINGER = 700;

export class Attention {
  /** @param {TerrainView} view */
  constructor(view) {
    this.view = view;
    this.chosen = -1;
    this.pointed = -1;
    /** @type {{racer: number, ball: number}|null} */
    this.pinned = null;
    /** @type {Ball|null} */
    this.ball = null;
  }

  get engine() {
    return this.view.engine;
  }

  /** Choose a racer, or none if it was chosen. @param {number} racer */
  select(racer) {
    this.chosen = racer === this.chosen ? -1 : racer;
    this.highlight();
    const face = this.view.faces[this.chosen];
    if (face) {
      this.view.services.announce(this.view.services.t('terrain.selected', { n: face.name }));
    }
  }

  /** @param {number} racer -1 for none */
  point(racer) {
    if (racer !== this.pointed) {
      this.pointed = racer;
      this.highlight();
    }
  }

  highlight() {
    const { stage, side, panel, faces } = this.view;
    if (this.chosen >= faces.length) {
      this.chosen = -1;
    }
    const shown = this.pointed >= 0 ? this.pointed : this.chosen;
    if (side && shown < faces.length) {
      side.curves.selected = shown;
    }
    stage?.legend.select(this.chosen);
    panel?.racers.select(this.chosen);
  }

  /** The hand is over a ball, or over none. @param {number} ball its number, -1 for none */
  look(ball) {
    if (this.pinned) {
      return;
    }
    clearTimeout(this.leaving);
    if (ball >= 0) {
      this.engine.inspect(this.engine.race.place(ball));
    } else if (this.engine.inspected) {
      this.leaving = setTimeout(() => this.release(), LINGER);
    }
  }

  /** Keep looking at a ball wherever it rolls. @param {{racer: number, ball: number}} one */
  pin(one) {
    clearTimeout(this.leaving);
    this.pinned = one;
    this.engine.inspect(one);
    this.view.side?.choose('ball');
  }

  /** Pin what is hovered over. */
  hold() {
    if (this.engine.inspected) {
      this.pin(this.engine.inspected);
    }
  }

  release() {
    clearTimeout(this.leaving);
    this.pinned = null;
    if (this.engine.inspected) {
      this.engine.inspect(null);
    }
    this.forget();
  }

  /** The next ball, or the one before, of the racer looked at. @param {number} by */
  next(by) {
    const { race } = this.engine;
    if (!race.n) {
      return;
    }
    const now = this.engine.inspected ?? { racer: Math.max(0, this.chosen), ball: by > 0 ? -1 : race.each };
    const racers = race.racers.length;
    let number = (now.racer * race.each + now.ball + by + race.n) % race.n;
    // Balls of a racer that is hidden are passed over.
    const visible = this.view.visible();
    for (
      let tries = 0;
      tries < race.n && !visible[Math.min(racers - 1, Math.floor(number / race.each))];
      tries += 1
    ) {
      number = (number + by + race.n) % race.n;
    }
    this.pin(race.place(number));
  }

  /** The engine tells of a ball. @param {Ball} ball */
  hear(ball) {
    const { view } = this;
    const { inspected, race } = this.engine;
    if (!inspected || inspected.racer !== ball.racer || inspected.ball !== ball.ball) {
      return;
    }
    const face = view.faces[ball.racer];
    if (!face) {
      return;
    }
    this.ball = ball;
    const { services, stage, side } = view;
    side?.inspector.show(ball, face, this.state());
    view.both((picture) => picture.look(ball, race));
    const verdict = ball.verdict === 'none' ? '' : ` \u00b7 ${services.t(`control.${ball.verdict}`)}`;
    const known = ball.place.every((part) => Number.isFinite(part));
    stage?.setTag(
      `${face.name} \u00b7 ${loss(ball.value)}${verdict}`,
      known ? race.normal(ball.place[0], ball.place[1]) : null,
    );
  }

  /** How the ball is looked at, for the inspector. */
  state() {
    const graph = this.typed() !== null;
    return { pinned: this.pinned !== null, graph };
  }

  /** The formula of the surface as it was typed; a listed terrain has none. */
  typed() {
    const { surface } = this.engine.race;
    return surface && surface.name === null ? (surface.formula ?? null) : null;
  }

  /** Nothing is looked at any more. */
  forget() {
    const { view } = this;
    this.ball = null;
    view.side?.inspector.show(null, null);
    view.stage?.setTag('', null);
    view.both((picture) => picture.look(null, this.engine.race));
  }

  /** The computational graph of f where the ball is. */
  toGraph() {
    const expression = this.typed();
    if (this.ball && expression !== null) {
      const [x, y] = this.ball.place.map((part) => Number(part.toPrecision(6)));
      this.view.services.open('graph', { source: 'expression', formula: expression, values: { x, y } });
    }
  }

  /** All balls anew, from where this one is. */
  startHere() {
    if (this.ball) {
      const at = this.ball.place.map((part) => Number(part.toPrecision(6)));
      this.view.deeds.restart({ spread: 'point', at, drops: [] });
    }
  }
}
