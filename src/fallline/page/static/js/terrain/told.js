// @ts-check
/** What the engine tells, brought to where it is seen. */
import { BasinMap, basinColours } from 'fallline/terrain/basins';
import { facesOf } from 'fallline/terrain/marks';
import { PER_RACER } from 'fallline/terrain/race';
import { firstSetup } from 'fallline/terrain/setup';

/** @typedef {import('fallline/terrain/view').TerrainView} TerrainView */
/** @typedef {import('fallline/terrain/race').Surface} Surface */
/** @typedef {import('fallline/terrain/engine').Listener} Listener */

/** Losses that far above the terrain's height, in its heights, are cut off from the curves. */
const STEEP = 3;
/** Milliseconds for which nothing is said of what takes time. */
const PATIENCE = 350;
const LATE = 250;

/** @implements {Listener} */
export class Told {
  /** @param {TerrainView} view */
  constructor(view) {
    this.view = view;
    /** Names of the racers that everything was made for. */
    this.entered = '';
    /** Run and number of balls that the sentence tells of. */
    this.described = '';
    /** Has a link been given up? */
    this.fallen = false;
  }

  /** @param {Surface} surface @param {boolean} same */
  onbegin(surface, same) {
    const { view } = this;
    const { stage, side, panel } = view;
    if (!stage || !side || !panel) {
      return;
    }
    panel.surface.told(surface, view.engine.setup);
    const [low, high] = [surface.low ?? 0, surface.high ?? 1];
    const lowest = Math.min(low, ...surface.minima.map((one) => one.value));
    side.curves.limits(lowest, high + STEEP * (high - low));
    side.curves.restart(same);
    side.ghost.hidden = side.curves.past === null;
    side.basins.update([]);
    stage.timeline.restart();
    this.entered = '';
    view.basinMap = same ? view.basinMap : null;
    view.attention.pinned = null;
    view.attention.forget();
  }

  /** @param {Float32Array} heights */
  onheights(heights) {
    const { view } = this;
    const { race } = view.engine;
    const { surface } = race;
    if (surface && view.stage) {
      view.both((picture) => picture.setSurface(surface, race, heights));
      view.stage.setScale();
    }
  }

  /** The racers are known, or their numbers have changed. */
  onracers() {
    const { view } = this;
    const { race, setup } = view.engine;
    if (view.panel && !view.panel.noise.input.matches(':focus')) {
      view.panel.noise.value = setup.noise;
    }
    const names = race.names().join();
    if (names !== this.entered) {
      this.entered = names;
      this.dress();
    } else {
      view.panel?.racers.show(race.racers, view.faces, view.visible());
    }
  }

  /** Names, colours and marks, wherever they are shown. */
  dress() {
    const { view } = this;
    const { race } = view.engine;
    const { stage, side, panel } = view;
    const optimizers = race.racers.map((racer) => racer.optimizer);
    const faces = facesOf(optimizers, race.names(), view.services.theme());
    view.faces = faces;
    if (!stage || !side || !panel || !faces.length) {
      return;
    }
    const visible = view.visible();
    stage.legend.show(faces, visible);
    side.setRacers(race, faces, visible);
    panel.racers.show(race.racers, faces, visible);
    view.describe();
    const colours = basinColours(faces.map((face) => face.colour));
    const marks = faces.map((face) => face.mark);
    view.both((picture) => {
      picture.scene.setColours(colours, marks);
      picture.scene.setVisible(visible);
    });
    view.attention.highlight();
  }

  onmove() {
    const { view } = this;
    const { stage, side } = view;
    const { race } = view.engine;
    if (!stage || !side || !race.n) {
      return;
    }
    view.both((picture) => picture.move(race, view.trails));
    const now = performance.now();
    if (view.moved) {
      view.period = 0.9 * view.period + 0.1 * Math.min(LATE, now - view.moved);
    }
    view.moved = now;
    view.paint();
    const described = `${race.run} ${race.each}`;
    if (described !== this.described) {
      this.described = described;
      view.describe();
      stage.legend.drawn = 0;
    }
    stage.timeline.at(race.step);
    const mark = stage.timeline.behind && !view.engine.running ? race.step : null;
    if (mark !== side.curves.mark) {
      side.curves.mark = mark;
      side.curves.redraw();
    }
  }

  /** @param {number} step @param {Float32Array} row */
  onrow(step, row) {
    const curves = this.view.side?.curves;
    if (!curves) {
      return;
    }
    const { columns } = curves;
    // A step that is shown again is no new row.
    if (!columns.rows || step > columns.steps[columns.rows - 1]) {
      const values = [];
      for (let at = 1; at < row.length; at += PER_RACER) {
        values.push(row[at], row[at + 1], row[at + 2]);
      }
      curves.push(step, values);
    }
  }

  /** @param {Float32Array[]} samples */
  ontrails(samples) {
    this.view.both((picture) => picture.scene.setTrails(samples));
  }

  /** @param {Float32Array} labels */
  onbasinmap(labels) {
    this.view.basinMap = new BasinMap(labels);
    this.view.paint();
  }

  /** @param {any} message */
  onmessage(message) {
    const { view } = this;
    const { stage, side, panel } = view;
    if (!stage || !side || !panel) {
      return;
    }
    const deeds = /** @type {Record<string, () => void>} */ ({
      limits: () => panel.racers.limit(message.racers),
      basins: () => side.basins.update(message.minima),
      timeline: () => stage.timeline.known(message),
      ball: () => view.attention.hear(message),
      busy: () => this.onbusy(message.what ?? (view.engine.starting ? 'start' : null)),
      advanced: () => {
        view.root.dataset.advanced = String(message.step);
      },
    });
    deeds[message.type]?.();
  }

  /** Something takes time: say so, unless it is over soon. @param {string|null} what */
  onbusy(what) {
    clearTimeout(this.waiting);
    const { stage } = this.view;
    if (stage && what) {
      this.waiting = setTimeout(() => stage.setBusy(what), stage.busy.hidden ? PATIENCE : 0);
    } else {
      stage?.setBusy(null);
    }
  }

  /** @param {number} step */
  onforked(step) {
    const { view } = this;
    const { setup } = view.engine;
    setup.drops = setup.drops.filter((drop) => drop[4] <= step);
    view.stage?.timeline.fork(step);
    if (view.side) {
      view.side.curves.fork(step);
      view.side.ghost.hidden = view.side.curves.past === null;
    }
    view.services.announce(view.services.t('terrain.forked', { n: step }));
    view.services.touched();
  }

  onrunning() {
    const { view } = this;
    if (view.panel) {
      view.panel.transport.running = view.engine.running;
    }
  }

  /** @param {'surface'|'run'} where @param {string} sentence */
  onerror(where, sentence) {
    const { view } = this;
    this.onbusy(null);
    if (!view.engine.race.surface && !this.fallen) {
      // A link that asks for what is not there: what it says is shown, and a race that there is.
      this.fallen = true;
      Object.assign(view.engine.setup, firstSetup());
      view.panel?.show(view.engine.setup);
      view.engine.start();
      view.services.fail(sentence);
    } else if (where === 'surface' && view.panel) {
      view.panel.surface.complain(sentence);
    } else {
      view.services.fail(sentence);
    }
  }
}
