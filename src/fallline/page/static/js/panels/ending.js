// @ts-check
/** How a run ended, in the page's language: the engine says it in English alone. */
import { brief, count } from 'fallline/panels/format';
import { known } from 'fallline/panels/reading';

/** @typedef {import('fallline/panels/base').Given} Given */
/** @typedef {{trained?: Record<string, any>, stop?: {reason: string, sentence: string} | null}} Ended what of a card is looked at */

const REASONS = ['epochs', 'steps', 'patience', 'gradient', 'slope', 'time', 'interrupted', 'non-finite'];
/** Of a descent on a function, which has no epochs. */
const OF_FUNCTION = ['steps', 'gradient', 'interrupted', 'non-finite'];

/**
 * The sentence; empty while a run goes on.
 * @param {Given} services @param {Ended} card
 */
export function ending({ t, language }, { stop, trained = {} }) {
  if (!stop) return '';
  const steps = count(trained.steps);
  if (!known(trained.batch_size)) {
    if (!OF_FUNCTION.includes(stop.reason) || (language() === 'en' && stop.sentence)) return stop.sentence;
    return t(`panels.stop.function.${stop.reason}`, { steps });
  }
  if (!REASONS.includes(stop.reason)) return stop.sentence;
  return t(`panels.stop.${stop.reason}`, { epochs: brief(trained.epochs), steps });
}
