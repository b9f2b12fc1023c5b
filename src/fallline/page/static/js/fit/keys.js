// @ts-check
/** The keyboard. */
import { PRESETS } from 'fallline/fit/state';

/** @typedef {import('fallline/fit/view').FitView} FitView */

/** Keys and the texts of what they do. @type {[string, string][]} */
export const SHORTCUTS = [
  ['Space', 'fit.keys.run'],
  ['→ .', 'fit.keys.step'],
  ['R', 'fit.keys.reset'],
  ['P', 'fit.keys.paint'],
  ['E', 'fit.keys.erase'],
  ['C', 'fit.keys.clear'],
  ['1 … 5', 'fit.keys.presets'],
  ['M', 'fit.keys.mode'],
  ['D', 'fit.keys.derivative'],
  ['G', 'fit.keys.cloud'],
  ['↑ ↓ ← → Enter', 'fit.keys.cross'],
];

/**
 * @param {FitView} view
 * @param {KeyboardEvent} event
 * @returns {boolean} whether the key means something here
 */
export function pressed(view, event) {
  const { side, stage } = view;
  /** @type {Record<string, () => void>} */
  const actions = {
    ' ': () => view.run(!view.running),
    '.': () => view.step(),
    arrowright: () => view.step(),
    r: () => view.reset(),
    p: () => stage.take('paint'),
    e: () => stage.take('erase'),
    c: () => view.clear(),
    g: () => side.showCloud(!side.space.showCloud),
    d: () => side.open(side.tab.value === 'loss' ? 'derivative' : 'loss'),
    m: () => side.setMode(side.space.mode === 'map' ? 'block' : 'map'),
  };
  const preset = PRESETS['12345'.indexOf(event.key)];
  const action = preset ? () => view.choosePreset(preset) : actions[event.key.toLowerCase()];
  action?.();
  view.services.touched();
  return action !== undefined;
}
