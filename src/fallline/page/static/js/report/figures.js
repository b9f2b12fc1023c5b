// @ts-check
/** What stands in the boxes of a report: a panel for each name, and what of the run's card it shows. */
import { Confusion } from 'fallline/maps/confusion';
import { Boundary } from 'fallline/maps/boundary';
import { Residuals } from 'fallline/maps/residuals';
import { Surface } from 'fallline/maps/surface';
import { Activations } from 'fallline/panels/activations';
import { Findings } from 'fallline/panels/findings';
import { Flow } from 'fallline/panels/flow';
import { Lines } from 'fallline/panels/lines';
import { Losses } from 'fallline/panels/losses';
import { RangeTest } from 'fallline/panels/rates';
import { Reproduce } from 'fallline/panels/reproduce';
import { Summary } from 'fallline/panels/summary';

/** @typedef {import('fallline/panels/base').Given} Given */
/**
 * @typedef {Object} Panel
 * @property {(data: any) => void} set
 * @property {() => void} retheme
 * @property {() => void} retranslate
 * @property {() => void} resize
 * @property {() => void} [draw] at once
 * @property {any} [test]
 */
/**
 * @typedef {Object} Figure
 * @property {new (element: HTMLElement, services: any, options?: any) => Panel} kind
 * @property {(card: any, services: Given) => any} data
 * @property {(services: Given) => any} [options]
 * @property {(card: any) => number} [height] in pixels, where it depends on what is shown
 */

/** @param {any} card @param {Given} services @param {[string, string][]} fields of the curves, and keys of their names */
const lines = (card, services, fields) => fields.map(([field, key]) => (
  { name: services.t(key), x: card.curves.step, y: card.curves[field] }));

/** One slice of the loss surface. @param {string} kind @returns {Figure} */
const slice = (kind) => ({
  kind: Surface,
  data: (card) => card.surfaces.filter((/** @type {any} */ one) => one.kind === kind),
  options: () => ({ kind, about: false }),
});

/** @type {Record<string, Figure>} */
export const FIGURES = {
  summary: { kind: Summary, data: (card) => card, options: () => ({ short: true }) },
  findings: { kind: Findings, data: (card, { language }) => doctor(card, language()), options: () => ({ oncopy: copy }) },
  losses: {
    kind: Losses,
    data: (card) => ({ runs: [{ name: card.title, curves: card.curves, epochs: card.epochs, best_epoch: card.best_epoch }] }),
  },
  rate: {
    kind: Lines,
    data: (card, services) => ({ lines: lines(card, services, [['learning_rate', 'report.line.rate']]),
      xKey: 'report.axis.step', yKey: 'report.line.rate' }),
  },
  norms: {
    kind: Lines,
    data: (card, services) => ({ lines: lines(card, services,
      [['gradient_norm', 'report.line.gradient'], ['update_norm', 'report.line.update']]),
    log: true, xKey: 'report.axis.step', yKey: 'report.axis.norm' }),
  },
  range: { kind: RangeTest, data: (card) => card.range_test },
  flow: { kind: Flow, data: (card) => ({ layers: card.instruments.layers }) },
  activations: { kind: Activations, data: (card) => card.instruments.activations },
  confusion: {
    kind: Confusion,
    data: (card) => card.instruments.confusion,
    height: (card) => Math.min(600, 104 + 84 * Math.min(4, card.instruments.confusion.classes.length)
      + 26 * Math.max(0, card.instruments.confusion.classes.length - 4)),
  },
  residuals: { kind: Residuals, data: (card) => card.instruments.residuals },
  boundary: { kind: Boundary, data: (card) => card.instruments.boundary },
  'surface-pca': slice('pca'),
  'surface-random': slice('random'),
  'surface-hessian': slice('hessian'),
  reproduce: { kind: Reproduce, data: (card) => card.reproduce },
};

/** What the doctor said, in this language if it was written down in it. @param {any} card @param {string} language */
export const doctor = (card, language) => card.diagnoses?.[language] ?? card.diagnosis;

/** @param {string} text */
function copy(text) {
  navigator.clipboard?.writeText(text).catch(() => {});
}
