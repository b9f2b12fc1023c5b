// @ts-check
/** The view in an address, and back. */
import {
  MOST_IN_ADDRESS,
  PRESETS,
  areNumbers,
  isNumber,
  packed,
  settingsOf,
  spoken,
  unpacked,
} from 'fallline/fit/state';

/** @typedef {import('fallline/fit/view').FitView} FitView */

/** Steps that a link takes again at most. */
const MOST_STEPS = 10_000;

/**
 * What an address has to say about the view.
 * @param {FitView} view
 * @returns {Record<string, any>}
 */
export function stateOf({ setup, source, side, stage, facts, now, running }) {
  const { space, losses } = side;
  const painted = !source.table && !source.preset && source.points.length <= 2 * MOST_IN_ADDRESS;
  return {
    ...spoken(setup.settings),
    preset: source.preset && source.preset !== 'line' ? source.preset : null,
    variant: source.preset && source.variant ? source.variant : null,
    points: painted ? packed(source.points) : null,
    table: source.table,
    steps: setup.pace.steps > 1 ? setup.pace.steps : null,
    slow: setup.paces.slow.value || null,
    run: running || null,
    // A run that was changed on its way cannot be gone through again.
    at: !running && !facts?.edited && now?.step ? Math.min(MOST_STEPS, now.step) : null,
    space: space.mode === 'block' ? 'block' : null,
    camera: space.mode === 'block' ? space.camera : null,
    cloud: space.showCloud ? null : false,
    residuals: stage.plane.residuals || null,
    tab: side.tab.value === 'derivative' ? 'derivative' : null,
    parameter: side.derivative.parameter || null,
    linear: losses.logarithmic ? null : true,
    smoothing: losses.smoothing === 0.9 ? null : Number(losses.smoothing.toFixed(2)),
  };
}

/**
 * Take from an address what fits.
 * @param {FitView} view
 * @param {Record<string, any>} given
 */
export function restoreTo(view, given) {
  const { setup, source, side, stage } = view;
  setup.show(settingsOf(given));
  setup.setPace(given);
  const { table } = given;
  const named = table && ['name', 'x', 'y'].every((key) => typeof table[key] === 'string');
  const points = areNumbers(given.points, 4000) && given.points.length % 2 === 0 ? given.points : null;
  source.table = named ? { name: table.name, x: table.x, y: table.y } : null;
  source.points = points ? unpacked(points) : [];
  source.preset = PRESETS.includes(given.preset) ? given.preset : named || points ? null : 'line';
  source.variant = isNumber(given.variant, 0, 1e6) ? Math.round(given.variant) : 0;
  source.show();
  view.wish = {
    at: isNumber(given.at, 1, MOST_STEPS) ? Math.round(given.at) : 0,
    advance: isNumber(given.advance, 1, 100_000) ? Math.round(given.advance) : 0,
    run: given.run === true,
  };
  if (given.camera && typeof given.camera === 'object') side.space.camera = given.camera;
  side.setMode(given.space === 'block' ? 'block' : 'map');
  side.showCloud(given.cloud !== false);
  stage.showResiduals(given.residuals === true);
  side.derivative.parameter = isNumber(given.parameter, 0, 100_000) ? Math.round(given.parameter) : 0;
  side.losses.setLogarithmic(given.linear !== true);
  side.losses.smoothing = isNumber(given.smoothing, 0, 0.99) ? given.smoothing : 0.9;
  side.losses.slider.value = side.losses.smoothing;
  side.open(given.tab === 'derivative' ? 'derivative' : 'loss');
}
