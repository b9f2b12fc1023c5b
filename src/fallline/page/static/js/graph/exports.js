// @ts-check
/** The drawing as a file: every look written into it, so that it needs no style sheet. */

const KEPT = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'stroke-opacity',
  'opacity',
  'font-family',
  'font-size',
  'font-weight',
  'text-anchor',
  'paint-order',
  'stroke-linejoin',
  'image-rendering',
  'display',
];
const MARGIN = 24;

/**
 * @param {SVGSVGElement} drawing
 * @param {{width: number, height: number}} size of what is drawn, in its own units
 * @param {string} paper the colour behind it
 * @param {string} title
 * @returns {string}
 */
export function toSvg(drawing, size, paper, title) {
  const copy = /** @type {SVGSVGElement} */ (drawing.cloneNode(true));
  const from = [drawing, ...drawing.querySelectorAll('*')];
  const to = [copy, ...copy.querySelectorAll('*')];
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of KEPT) {
      const value = style.getPropertyValue(name);
      if (value && value !== 'none' && value !== 'normal' && value !== 'auto') {
        to[i].setAttribute(name, value);
      } else if (value === 'none' && (name === 'fill' || name === 'stroke' || name === 'display')) {
        to[i].setAttribute(name, value);
      }
    }
    for (const name of [
      'class',
      'style',
      'tabindex',
      'role',
      'data-key',
      'data-node',
      'data-label',
      'data-layer',
    ]) {
      to[i].removeAttribute(name);
    }
  });
  copy.querySelectorAll('[display=none]').forEach((element) => element.remove());
  const [width, height] = [size.width + 2 * MARGIN, size.height + 2 * MARGIN];
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('viewBox', `0 0 ${width} ${height}`);
  copy.setAttribute('width', String(width));
  copy.setAttribute('height', String(height));
  copy.firstElementChild?.setAttribute('transform', `translate(${MARGIN} ${MARGIN})`);
  const behind = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  behind.setAttribute('width', String(width));
  behind.setAttribute('height', String(height));
  behind.setAttribute('fill', paper);
  const name = document.createElementNS('http://www.w3.org/2000/svg', 'title');
  name.textContent = title;
  copy.prepend(name, behind);
  return new XMLSerializer().serializeToString(copy);
}

/**
 * @param {string} text an SVG document
 * @param {number} scale pixels to a unit; less where the picture would be too large for a canvas
 * @returns {Promise<Blob>}
 */
export async function toPng(text, scale) {
  const image = new Image();
  const address = URL.createObjectURL(new Blob([text], { type: 'image/svg+xml' }));
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = () => reject(new Error('The picture could not be made.'));
      image.src = address;
    });
    const most = Math.min(
      scale,
      16000 / image.width,
      16000 / image.height,
      Math.sqrt(1e8 / (image.width * image.height)),
    );
    const canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.round(image.width * most));
    canvas.height = Math.max(1, Math.round(image.height * most));
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob(
        (blob) => (blob ? resolve(blob) : reject(new Error('The picture could not be made.'))),
        'image/png',
      );
    });
  } finally {
    URL.revokeObjectURL(address);
  }
}
