// @ts-check
/** What stands around a confusion matrix: the names of its classes, and how often each is right. */
import { fitted } from 'fallline/maps/ink';
import { percent } from 'fallline/maps/numbers';

/** @typedef {import('fallline/maps/confusion').Confusion} Confusion */

/**
 * The names of the classes, left of the rows and over the columns.
 * @param {Confusion} panel @param {{x0: number, y0: number, size: number, level: boolean, slanted: boolean, room: number, reach: number}} where
 */
export function drawNames(panel, { x0, y0, size, level, slanted, room, reach }) {
  const { context: pen, ink, classes } = panel;
  const stride = Math.ceil(12 / size);
  const pointed = panel.cursor.cell;
  classes.forEach((name, i) => {
    if (i % stride && pointed?.[1] !== i) return;
    pen.font = ink.letters(11, pointed?.[1] === i ? 600 : 400);
    pen.fillStyle = pointed?.[1] === i ? ink.text : ink.muted;
    pen.textAlign = 'right';
    pen.fillText(fitted(pen, name, room), x0 - 7, y0 + (i + 0.5) * size);
  });
  classes.forEach((name, j) => {
    if (j % stride && pointed?.[0] !== j) return;
    const x = x0 + (j + 0.5) * size;
    pen.font = ink.letters(11, pointed?.[0] === j ? 600 : 400);
    pen.fillStyle = pointed?.[0] === j ? ink.text : ink.muted;
    if (level) {
      pen.textAlign = 'center';
      pen.fillText(fitted(pen, name, size), x, y0 - 11);
      return;
    }
    pen.save();
    pen.translate(x + (slanted ? 2 : 0), y0 - 6);
    pen.rotate(slanted ? -Math.PI / 4 : -Math.PI / 2);
    pen.textAlign = 'left';
    pen.fillText(fitted(pen, name, reach), 0, 0);
    pen.restore();
  });
}

/**
 * Recall at the ends of the rows, precision under the columns, and how many are right of all.
 * @param {Confusion} panel @param {{x0: number, y0: number, size: number}} where
 */
export function drawEnds(panel, { x0, y0, size }) {
  const { context: pen, ink, classes, services, width } = panel;
  const count = classes.length;
  const [right, under] = [x0 + count * size, y0 + count * size];
  pen.font = ink.digits(10.5);
  pen.fillStyle = ink.muted;
  pen.textAlign = 'left';
  if (size >= 12) {
    classes.forEach((_, i) => pen.fillText(percent(panel.share(i, i)), right + 7, y0 + (i + 0.5) * size));
  }
  pen.textAlign = 'center';
  const digits = Math.min(10.5, (10.5 * (size - 4)) / pen.measureText('100%').width);
  const below = digits >= 8.5;
  if (below) {
    pen.font = ink.digits(digits);
    classes.forEach((_, j) => {
      pen.fillText(percent(panel.precision(j)).replace(/\s/, ''), x0 + (j + 0.5) * size, under + 12);
    });
  }
  pen.font = ink.letters(10.5);
  pen.textAlign = 'left';
  if (size >= 12) pen.fillText(services.t('maps.confusion.recall'), right + 7, y0 - 11);
  if (below) {
    pen.textAlign = 'right';
    pen.fillText(fitted(pen, services.t('maps.confusion.precision'), x0 - 10), x0 - 7, under + 12);
  }
  pen.fillStyle = ink.text;
  pen.font = ink.letters(11, 600);
  pen.textAlign = 'left';
  const said = services.t('maps.confusion.right', { share: percent(panel.right / panel.all) });
  pen.fillText(fitted(pen, said, width - right - 9), right + 7, under + 12);
}
