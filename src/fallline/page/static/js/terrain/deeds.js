// @ts-check
/** What the user does in the terrain view, besides looking. */

/** @typedef {import('fallline/terrain/view').TerrainView} TerrainView */
/** @typedef {import('fallline/terrain/setup').Setup} Setup */

/** Balls of all racers together that a scatter adds. */
const SCATTERED = 500;

export class Deeds {
  /** @param {TerrainView} view */
  constructor(view) {
    this.view = view;
    /** Is the next click on the terrain to choose the start of all balls? */
    this.choosing = false;
  }

  /** Start anew with other settings. @param {Partial<Setup>} fields */
  restart(fields) {
    const { engine, panel, services } = this.view;
    const { setup } = engine;
    const { surface = setup.surface, formula = setup.formula } = fields;
    if (surface !== setup.surface || formula !== setup.formula) {
      // Places and rates that were set by hand belong to the surface that was.
      setup.at = null;
      setup.drops = [];
      setup.racers.forEach((racer) => {
        racer.rate = null;
      });
    }
    Object.assign(setup, fields);
    panel?.show(setup);
    this.choose(false);
    engine.start();
    services.touched();
  }

  /** @param {{x: number, y: number}} place in the window [-1, 1]² */
  drop(place) {
    const { engine, services } = this.view;
    const [x, y] = engine.race.real(place.x, place.y);
    if (this.choosing) {
      this.restart({ spread: 'point', at: [x, y].map((part) => Number(part.toPrecision(6))), drops: [] });
    } else {
      engine.drop(x, y, 1, 0);
      services.touched();
    }
  }

  /** @param {{x: number, y: number}} place in the window [-1, 1]² @param {number} radius likewise */
  scatter(place, radius) {
    const { engine, services } = this.view;
    const { race } = engine;
    const [x, y] = race.real(place.x, place.y);
    const [a, b, c, d] = race.bounds;
    const each = Math.max(1, Math.round(SCATTERED / Math.max(1, race.racers.length)));
    engine.drop(x, y, each, (radius * (b - a + d - c)) / 4);
    services.touched();
  }

  /** @param {boolean} on */
  choose(on) {
    this.choosing = on;
    this.view.stage?.say(on);
  }

  /**
   * @param {number} racer
   * @param {string} name of a setting that shapes the program
   * @param {boolean} value
   */
  shape(racer, name, value) {
    const own = this.view.engine.setup.racers[racer];
    own.settings = { ...own.settings, [name]: value };
    this.restart({});
  }

  /** @param {number} racer @param {boolean} visible */
  see(racer, visible) {
    const { engine, told, services } = this.view;
    engine.setup.racers[racer].visible = visible;
    told.dress();
    services.touched();
  }

  /** @param {boolean} on */
  setTrails(on) {
    this.view.trails = on;
    this.view.stage?.trails.setAttribute('aria-pressed', String(on));
    this.view.both((picture) => picture.showTrails(on));
    this.view.services.touched();
  }

  home() {
    this.view.stage?.picture.scene.home();
    this.view.turned();
  }

  /** Colour the balls by "racer" or by "basin". @param {string} by */
  colour(by) {
    const { view } = this;
    view.colouring = by;
    if (view.side) {
      view.side.colouring.value = by;
    }
    view.watch();
    view.paint();
    view.describe();
    view.services.touched();
  }

  /** A tab of the right panel is opened. @param {import('fallline/terrain/side').Tab} tab */
  open(tab) {
    const { view } = this;
    view.watch();
    if (tab === 'ball' && !view.engine.inspected && view.engine.race.n) {
      view.attention.next(1);
    }
    view.services.touched();
  }
}
