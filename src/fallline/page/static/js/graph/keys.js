// @ts-check
/** The keys of the graph view. */

const CLOSER = 1.25;

/** Keys and the texts of what they do. */
export const SHORTCUTS = [
  ['Space', 'graph.key.play'],
  ['→ ←', 'graph.key.step'],
  ['Home End', 'graph.key.ends'],
  ['f', 'graph.key.fit'],
  ['+ −', 'graph.key.zoom'],
  ['g', 'graph.key.layers'],
  ['r', 'graph.key.reset'],
  ['Tab Enter', 'graph.key.nodes'],
];

/**
 * @param {import('fallline/graph/view').GraphView} view
 * @returns {Record<string, () => void>}
 */
export function keysOf(view) {
  const closer = () => view.drawing.camera.zoom(CLOSER);
  return {
    ' ': () => view.player.turn(),
    ArrowRight: () => view.walk('forward'),
    '.': () => view.walk('forward'),
    ArrowLeft: () => view.walk('back'),
    ',': () => view.walk('back'),
    Home: () => view.player.jump(0),
    End: () => view.player.jump(view.player.last),
    r: () => view.walk('reset'),
    f: () => view.drawing.fit(),
    '+': closer,
    '=': closer,
    '-': () => view.drawing.camera.zoom(1 / CLOSER),
    g: () => view.nextLayers(),
  };
}
