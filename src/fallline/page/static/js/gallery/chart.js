// @ts-check
/** The card at the foot of the bed: who the patient is, the question, the answers, and what became of them. */
import { button } from 'fallline/controls';
import { h } from 'fallline/dom';
import { count } from 'fallline/panels/format';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/gallery/parts').Patient} Patient */
/** @typedef {import('fallline/gallery/parts').Symptoms} Symptoms */

/**
 * @typedef {object} Shown
 * @property {Patient} patient
 * @property {number} n counted from 1
 * @property {number} all
 * @property {string[]} answers in the order in which they stand
 * @property {string | null} answer what was guessed
 * @property {string | null} ill what it is, once somebody has guessed
 * @property {boolean} hinted
 * @property {Symptoms | null} symptoms
 */
/** @typedef {{answer: (name: string) => void, hint: () => void, next: () => void, back: () => void, again: () => void, tryIt: () => void, title: (name: string) => string}} Does */

export class Chart {
  /** @param {Services} services @param {Does} does */
  constructor(services, does) {
    this.services = services;
    this.does = does;
    /** What has been told, so that it is scrolled to once. @type {string | null} */
    this.told = null;
    this.number = h('p', { class: 'heading' });
    this.title = h('h2', { class: 'patient-title', tabindex: '-1' });
    this.story = h('p', { class: 'story' });
    this.facts = h('dl', { class: 'facts' });
    this.answers = h('ol', { class: 'answers' });
    this.hintText = h('p', { class: 'hint-text', role: 'status' });
    this.outcome = h('div', { class: 'outcome' });
    this.hint = button(services, { t: 'gallery.hint', class: 'small', onclick: does.hint });
    this.again = button(services, { t: 'gallery.again', class: 'small', onclick: does.again });
    this.tryIt = button(services, { t: 'gallery.try', onclick: does.tryIt });
    this.next = button(services, { t: 'gallery.next', class: 'next', onclick: does.next });
    const back = h('button', { type: 'button', class: 'back', label: 'gallery.back', onclick: does.back },
      h('span', { 'aria-hidden': 'true' }, '←'), h('span', { t: 'gallery.all' }));
    this.question = h('h3', { class: 'question', t: 'gallery.asked', id: 'gallery-question' });
    this.answers.setAttribute('aria-labelledby', 'gallery-question');
    this.element = h('aside', { class: 'column chart' },
      h('div', { class: 'chart-top' }, back),
      h('div', { class: 'scroll' },
        h('div', { class: 'who' }, this.number, this.title, this.story, this.facts),
        h('div', { class: 'ask' },
          h('div', { class: 'ask-head' }, this.question, this.hint.element, this.again.element),
          this.hintText, this.answers, this.outcome)),
      h('div', { class: 'chart-foot' }, this.tryIt.element, this.next.element));
  }

  /** @param {Shown} shown */
  show(shown) {
    const { services: { t }, does } = this;
    const { patient, n, all, answers, answer, ill, hinted, symptoms } = shown;
    const { name } = patient;
    this.number.textContent = t('gallery.numberOf', { n, all });
    this.title.textContent = t(`gallery.title.${name}`);
    this.story.textContent = t(`gallery.story.${name}`);
    this.facts.replaceChildren(...(symptoms ? this.factsOf(symptoms) : []));
    // Answers that have been given cannot be chosen any more: the keyboard goes on from the next patient.
    const leaving = ill && this.answers.contains(document.activeElement);
    this.answers.replaceChildren(...answers.map((one, i) => {
      const kind = !ill ? '' : one === ill ? 'is-right' : one === answer ? 'is-wrong' : 'is-other';
      const mark = kind === 'is-right' ? '✓' : kind === 'is-wrong' ? '✗' : String(i + 1);
      return h('li', {}, h('button', {
        type: 'button', class: `answer ${kind}`, disabled: Boolean(ill) || !symptoms, 'aria-pressed': String(one === answer),
        onclick: () => does.answer(one),
      }, h('kbd', { 'aria-hidden': 'true' }, mark), h('span', {}, does.title(one))));
    }));
    this.hint.element.hidden = Boolean(ill) || !symptoms;
    this.hint.value = hinted;
    this.again.element.hidden = !ill;
    this.hintText.hidden = !hinted || Boolean(ill);
    this.hintText.textContent = hinted ? t(`gallery.hint.${name}`) : '';
    this.outcome.replaceChildren(...(ill && answer ? this.said(name, answer, ill) : []));
    this.outcome.className = ill ? `outcome ${answer === ill ? 'good' : 'bad'}` : 'outcome';
    if (ill && this.told !== ill) this.outcome.scrollIntoView({ block: 'nearest' });
    this.told = ill;
    this.tryIt.element.hidden = !ill || !patient.link;
    if (patient.link) this.tryIt.label = patient.link.view === 'terrain' ? 'gallery.try.terrain' : 'gallery.try.network';
    this.next.element.classList.toggle('primary', Boolean(ill));
    if (leaving) this.next.element.focus({ preventScroll: true });
  }

  /** @param {string} name @param {string} answer @param {string} ill */
  said(name, answer, ill) {
    const { services: { t }, does } = this;
    const right = answer === ill;
    const parts = [h('p', { class: 'said' }, h('i', { 'aria-hidden': 'true' }, right ? '✓' : '✗'),
      h('b', {}, t(right ? 'gallery.right' : 'gallery.wrongly', { title: does.title(ill) })))];
    if (!right) parts.push(h('p', {}, h('b', { class: 'named' }, does.title(answer)), ' ', t(`gallery.wrong.${name}.${answer}`)));
    parts.push(h('p', {}, right ? null : h('b', { class: 'named' }, does.title(ill)), right ? null : ' ', t(`gallery.why.${name}`)));
    return parts;
  }

  /** What is said aloud of a guess. @param {string} name @param {string} answer @param {string} ill */
  aloud(name, answer, ill) {
    return this.said(name, answer, ill).map((part) => part.textContent?.replace(/^[✓✗]/, '')).join(' ');
  }

  /** @param {Symptoms} symptoms */
  factsOf({ trained, rows }) {
    const { t } = this.services;
    const row = (/** @type {string} */ key, /** @type {string} */ text) => [h('dt', { t: key }), h('dd', {}, text)];
    const data = trained.task === null ? t('gallery.facts.function')
      : trained.data ? t('gallery.facts.rows', { rows: count(rows), data: trained.data }) : t('gallery.facts.made', { rows: count(rows) });
    const steps = count(trained.steps);
    const whole = !trained.batch_size || trained.task === null;
    return [
      ...row('gallery.facts.data', data),
      ...(trained.task === null ? [] : row('gallery.facts.model', trained.model)),
      ...row('gallery.facts.optimizer', trained.optimizer.name),
      ...row('gallery.facts.steps', whole ? t('gallery.facts.stepsWhole', { steps }) : t('gallery.facts.stepsOf', { steps, size: count(trained.batch_size) })),
    ];
  }
}
