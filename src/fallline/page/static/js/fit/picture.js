// @ts-check
/** The view as one picture: the data space, and beside it the parameter space and the loss. */

/** @typedef {import('fallline/fit/view').FitView} FitView */

/**
 * @param {FitView} view
 * @returns {Promise<Blob>}
 */
export async function picture(view) {
  const { facts, services } = view;
  const { plane, head } = view.stage;
  const { space, losses } = view.side;
  const ratio = services.pixelRatio;
  const style = getComputedStyle(view.root);
  const read = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const side = 340;
  const gap = 18;
  const width = plane.width + side + 3 * gap;
  const height = Math.max(plane.height + 2 * gap, 560);
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.scale(ratio, ratio);
  context.fillStyle = read('--panel');
  context.fillRect(0, 0, width, height);
  plane.dirty = true;
  plane.draw();
  context.drawImage(plane.canvas, gap, gap, plane.width, plane.height);
  context.fillStyle = read('--text');
  context.textBaseline = 'top';
  const lines = [head.title, head.equation, head.place].map((one) => one.textContent ?? '');
  lines.forEach((line, i) => {
    context.font = i === 0 ? '600 15px Inter, sans-serif' : '500 12px "JetBrains Mono", monospace';
    context.globalAlpha = i === 0 ? 1 : 0.75;
    context.fillText(line, 2 * gap + 40, gap + 6 + 19 * i);
  });
  context.globalAlpha = 1;
  const left = plane.width + 2 * gap;
  let top = gap;
  if (facts?.two && space.scene) {
    const map = await createImageBitmap(await space.scene.toBlob());
    space.dirty = true;
    space.draw();
    const tall = (side * map.height) / map.width;
    context.drawImage(map, left, top, side, tall);
    context.drawImage(space.overlay, left, top, side, tall);
    top += tall + gap;
  }
  losses.redraw();
  losses.draw();
  const chart = losses.chart?.plot?.ctx.canvas;
  if (chart) context.drawImage(chart, left, top, side, (side * chart.height) / chart.width);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error('The picture could not be made.'))),
      'image/png',
    );
  });
}
