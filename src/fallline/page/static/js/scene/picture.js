// @ts-check
/** A picture to keep: the canvas over its background, with the axes' numbers. */

const INK = {
  dark: { middle: '#161d29', edge: '#0b0e14', text: '#e8ecf2', muted: '#9aa5b5' },
  light: { middle: '#fbfaf7', edge: '#e9e7e1', text: '#1a2230', muted: '#566173' },
};

/**
 * @param {HTMLCanvasElement} canvas just drawn
 * @param {{
 *   theme: 'dark' | 'light', ratio: number, flat: boolean,
 *   places: {text: string, name: boolean, x: number, y: number}[],
 * }} look places in pixels of CSS, ratio: pixels of the canvas for one of them
 * @returns {Promise<Blob>} PNG
 */
export function picture(canvas, { theme, ratio, places, flat }) {
  const paper = document.createElement('canvas');
  paper.width = canvas.width;
  paper.height = canvas.height;
  const pen = paper.getContext('2d');
  if (!pen) return Promise.reject(new Error('The browser could not make a picture of this size.'));
  const ink = INK[theme];
  const { width, height } = paper;
  const ground = pen.createRadialGradient(
    width / 2,
    height * 0.4,
    0,
    width / 2,
    height * 0.4,
    0.75 * Math.max(width, height),
  );
  ground.addColorStop(0, ink.middle);
  ground.addColorStop(1, ink.edge);
  pen.fillStyle = ground;
  pen.fillRect(0, 0, width, height);
  pen.drawImage(canvas, 0, 0);
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  for (const { text, name, x, y } of places) {
    pen.font = name
      ? `italic 500 ${14 * ratio}px Georgia, serif`
      : `${10.5 * ratio}px "JetBrains Mono", monospace`;
    pen.fillStyle = flat ? '#eef2f7' : name ? ink.text : ink.muted;
    pen.fillText(text, x * ratio, y * ratio);
  }
  return new Promise((resolve, reject) => {
    paper.toBlob((blob) => {
      if (blob) resolve(blob);
      else reject(new Error('The browser could not make a picture of this size.'));
    }, 'image/png');
  });
}
