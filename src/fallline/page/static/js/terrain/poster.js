// @ts-check
/** The picture to keep: the terrain as it is seen, with its title and the numbers of the racers. */
import { MARKS } from 'fallline/palette';
import { loss, percent } from 'fallline/terrain/format';
import { inkOn } from 'fallline/terrain/marks';

/** @typedef {import('fallline/terrain/view').TerrainView} TerrainView */

const MARGIN = 22;
const ROW = 22;
const COLUMNS = [0, 190, 290, 350];

/**
 * @param {TerrainView} view
 * @returns {Promise<Blob>} PNG
 */
export async function poster(view) {
  const { stage, services, engine, faces } = view;
  if (!stage) {
    throw new Error(services.t('terrain.no_picture'));
  }
  const { scene, canvas } = stage.picture;
  const image = await createImageBitmap(await scene.toBlob());
  const ratio = image.width / Math.max(1, canvas.clientWidth);
  const paper = document.createElement('canvas');
  paper.width = image.width;
  paper.height = image.height;
  const pen = paper.getContext('2d');
  if (!pen) {
    throw new Error(services.t('terrain.no_picture'));
  }
  pen.drawImage(image, 0, 0);
  image.close();
  pen.scale(ratio, ratio);
  const style = getComputedStyle(stage.element);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const font = (/** @type {string} */ face, /** @type {string} */ size) => `${size} ${colour(face)}`;
  const write = (
    /** @type {string} */ text,
    /** @type {number} */ left,
    /** @type {number} */ top,
    right = false,
  ) => {
    pen.textAlign = right ? 'right' : 'left';
    pen.fillText(text, left, top);
  };
  pen.textBaseline = 'alphabetic';
  pen.fillStyle = colour('--text');
  pen.font = font('--sans', '600 15px');
  write(stage.legend.title.textContent ?? '', MARGIN, MARGIN + 12);
  pen.fillStyle = colour('--muted');
  pen.font = font('--sans', '400 12px');
  const step = services.t('terrain.at_step', { n: engine.race.step });
  write(`${stage.legend.sentence.textContent} \u00b7 ${step}`, MARGIN, MARGIN + 31);
  let top = MARGIN + 56;
  pen.font = font('--sans', '400 11px');
  // A column of nothing is left out, as on the page.
  const lost = engine.race.standings.some((standing) => standing.lost > 0);
  const keys = ['terrain.median', 'terrain.arrived', ...(lost ? ['terrain.lost'] : [])];
  keys.forEach((key, index) => {
    write(services.t(key), MARGIN + COLUMNS[index + 1], top, true);
  });
  const visible = view.visible();
  faces.forEach((face, index) => {
    const standing = engine.race.standings[index];
    if (!visible[index] || !standing) {
      return;
    }
    top += ROW;
    pen.save();
    pen.translate(MARGIN, top - 11);
    pen.scale(0.85, 0.85);
    pen.fillStyle = face.colour;
    pen.fill(new Path2D('M8 1a7 7 0 1 0 .01 0z'));
    pen.fillStyle = inkOn(face.colour);
    pen.fill(new Path2D(MARKS[face.mark].path), 'evenodd');
    pen.restore();
    pen.fillStyle = colour('--text');
    pen.font = font('--sans', '500 13px');
    write(face.name, MARGIN + 21, top);
    pen.font = font('--mono', '500 12px');
    const texts = [loss(standing.median), percent(standing.arrived), percent(standing.lost)];
    texts.slice(0, keys.length).forEach((text, column) => {
      write(text, MARGIN + COLUMNS[column + 1], top, true);
    });
  });
  return new Promise((resolve, reject) => {
    paper.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error(services.t('terrain.no_picture')))),
      'image/png',
    );
  });
}
