// @ts-check
/** The view as one picture: its head in words, and every chart that is a canvas. */

/** @typedef {import('fallline/network/view').NetworkView} NetworkView */

/**
 * @param {NetworkView} view
 * @returns {Promise<Blob>}
 */
export async function picture(view) {
  const { services, stage } = view;
  const ratio = services.pixelRatio;
  const style = getComputedStyle(view.root);
  const read = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const outer = stage.element.getBoundingClientRect();
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(outer.width * ratio));
  canvas.height = Math.max(1, Math.round(outer.height * ratio));
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  pen.scale(ratio, ratio);
  pen.fillStyle = read('--panel');
  pen.fillRect(0, 0, outer.width, outer.height);
  pen.textBaseline = 'top';
  const words = stage.element.querySelectorAll('h2, h3, p, dt, dd, .legend button, .maps-key span, .chip-name span:not(.visually-hidden)');
  for (const one of words) {
    const box = one.getBoundingClientRect();
    if (!box.width || one.closest('[hidden], .visually-hidden, .maps-hidden') || one.children.length) continue;
    const look = getComputedStyle(one);
    pen.font = `${look.fontWeight} ${look.fontSize} ${look.fontFamily}`;
    pen.fillStyle = look.color;
    const text = one.textContent ?? '';
    pen.fillText(look.textTransform === 'uppercase' ? text.toUpperCase() : text, box.left - outer.left, box.top - outer.top + 1, box.width + 2);
  }
  for (const chart of stage.element.querySelectorAll('canvas')) {
    const box = chart.getBoundingClientRect();
    if (box.width && box.height) pen.drawImage(chart, box.left - outer.left, box.top - outer.top, box.width, box.height);
  }
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error(services.t('app.cannotExport')))), 'image/png');
  });
}
