// @ts-check
/** The terrain view by keyboard. */

/** @typedef {import('fallline/terrain/view').TerrainView} TerrainView */

const TURN = 0.12;
const CLOSER = 1.15;

/** @returns {[string, string][]} keys, and the key of the text that says what they do */
export function shortcuts() {
  return [
    ['Space', 'terrain.key_run'],
    ['.', 'terrain.key_step'],
    ['r', 'terrain.key_reset'],
    ['t', 'terrain.key_trails'],
    ['b', 'terrain.key_basins'],
    ['1 \u2026 8', 'terrain.key_select'],
    ['n p', 'terrain.key_balls'],
    ['Enter', 'terrain.key_pin'],
    ['Esc', 'terrain.key_release'],
    ['\u2190 \u2192 \u2191 \u2193', 'terrain.key_orbit'],
    ['+ \u2212', 'terrain.key_zoom'],
    ['0', 'terrain.key_home'],
  ];
}

/**
 * @param {TerrainView} view
 * @param {KeyboardEvent} event
 * @returns {boolean} whether the key meant something
 */
export function keyed(view, event) {
  const { engine, attention, stage } = view;
  const canvas = stage?.picture.canvas;
  const turns = canvas?.matches(':focus') ?? false;
  const arrows = /** @type {Record<string, [number, number]>} */ ({
    ArrowLeft: [-TURN, 0],
    ArrowRight: [TURN, 0],
    ArrowUp: [0, -TURN],
    ArrowDown: [0, TURN],
  });
  if (turns && event.key in arrows) {
    stage?.picture.scene.orbit(...arrows[event.key]);
    view.turned();
    return true;
  }
  if (/^[1-8]$/.test(event.key)) {
    if (Number(event.key) <= view.faces.length) {
      attention.select(Number(event.key) - 1);
    }
    return true;
  }
  const zoom = (/** @type {number} */ factor) => {
    stage?.picture.scene.zoom(factor);
    view.turned();
  };
  const deeds = /** @type {Record<string, () => void>} */ ({
    ' ': () => engine.run(!engine.running),
    '.': () => engine.step(),
    ArrowRight: () => engine.step(),
    r: () => engine.reset(),
    t: () => view.deeds.setTrails(!view.trails),
    b: () => view.deeds.colour(view.colouring === 'basin' ? 'racer' : 'basin'),
    n: () => attention.next(1),
    p: () => attention.next(-1),
    Enter: () => attention.hold(),
    Escape: () => (view.deeds.choosing ? view.deeds.choose(false) : attention.release()),
    '+': () => zoom(CLOSER),
    '=': () => zoom(CLOSER),
    '-': () => zoom(1 / CLOSER),
    0: () => view.deeds.home(),
  });
  const deed = deeds[event.key];
  deed?.();
  return deed !== undefined;
}
