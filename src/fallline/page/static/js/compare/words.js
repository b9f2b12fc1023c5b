// @ts-check
/** Settings, results and verdicts in words. */
import { language, t } from 'fallline/language';
import { OPTIMIZER_COLOURS, SERIES } from 'fallline/palette';
import { brief, duration, four, NONE } from 'fallline/runs/words';

export { brief, duration, four, NONE };

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {{kind: string, names: string[], edges: {optimizer: string, name: string}[]}} Verdict */

/** The title of an optimizer. @param {Services} services @param {string} name */
export const titleOf = (services, name) =>
  services.catalogue?.optimizers.find((one) => one.name === name)?.title ?? name;

/** @param {Services} services @param {string} name @param {number} [place] among the others */
export function colourOf(services, name, place = 0) {
  const theme = services.theme();
  return OPTIMIZER_COLOURS[theme][name] ?? SERIES[theme][place % SERIES[theme].length];
}

/** The name of a number that is varied. @param {string} name */
export const numberName = (name) => t(`compare.number.${name}`).replace(/^compare\.number\./, '');

/** @param {Record<string, any>} setting */
export const settingWords = (setting) => Object.entries(setting)
  .map(([name, value]) => `${numberName(name)} ${brief(value)}`).join(t('compare.comma'));

/** @param {string[]} names */
export function listed(names) {
  return new Intl.ListFormat(language() === 'zh' ? 'zh' : 'en-GB', { style: 'long', type: 'conjunction' }).format(names);
}

/** What may honestly be said. @param {Services} services @param {Verdict} verdict */
export function verdictWords(services, verdict) {
  const names = verdict.names.map((name) => titleOf(services, name));
  const [first = '', second = ''] = names;
  const said = t(`compare.verdict.${verdict.kind}`, { first, second, names: listed(names) });
  if (!verdict.edges.length) return said;
  const edges = listed(verdict.edges.map(({ optimizer, name }) =>
    t('compare.of', { name: numberName(name), optimizer: titleOf(services, optimizer) })));
  return said + t(verdict.edges.length > 1 ? 'compare.edges' : 'compare.edge', { edges });
}

/** The name of what decides. @param {string} measure */
export const measureName = (measure) => t(measure === 'validation_loss' ? 'compare.validationLoss' : 'compare.trainingLoss');

/** Do positive values span more than a decade and a half? @param {any[]} values */
export function wide(values) {
  const known = values.filter((value) => typeof value === 'number' && value > 0);
  return known.length > 0 && Math.max(...known) > 30 * Math.min(...known);
}
