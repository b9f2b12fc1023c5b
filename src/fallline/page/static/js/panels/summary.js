// @ts-check
/** What was trained on what, and the result: one large number, and bars beside what needs no training. */
import { h } from 'fallline/dom';
import { Panel } from 'fallline/panels/base';
import { ending } from 'fallline/panels/ending';
import { brief, count, duration } from 'fallline/panels/format';
import { known } from 'fallline/panels/reading';
import { result } from 'fallline/panels/result';

/** @typedef {import('fallline/panels/result').Measured} Measured */
/**
 * What of a card is looked at.
 * @typedef {object} Card
 * @property {string} [title]
 * @property {string} [status]
 * @property {Record<string, any>} trained
 * @property {{reason: string, sentence: string} | null} [stop]
 * @property {number} [best_epoch]
 * @property {Measured | null} [result]
 * @property {{name: string, value: number | null}[]} [baselines]
 */

const TASKS = ['regression', 'classification'];
const STATES = ['finished', 'running', 'interrupted', 'damaged'];
/** Sorts of columns, and how their keys end. @type {Record<string, string>} */
const KINDS = { numbers: 'numbers', texts: 'texts', dates: 'dates', 'times of day': 'times' };
/** Columns and classes that are named without being asked. */
const FEW = 12;

/** @typedef {{short?: boolean}} SummaryOptions short: how and when it ended is said elsewhere */

/** @extends {Panel<Card, SummaryOptions>} */
export class Summary extends Panel {
  /** @param {HTMLElement} element @param {import('fallline/panels/base').Given} services @param {SummaryOptions} [options] */
  constructor(element, services, options = {}) {
    super(element, services, options);
    this.emptyKey = 'panels.noSummary';
    /** Are the columns unfolded? */
    this.open = false;
    this.render();
  }

  render() {
    const { data } = this;
    if (!data?.trained) {
      this.showEmpty();
      return;
    }
    const rows = this.facts(data).filter(([, value]) => value);
    const list = h(
      'dl',
      { class: 'facts' },
      ...rows.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
    );
    this.element.replaceChildren(
      h(
        'div',
        { class: 'summary' },
        h('div', { class: 'summary-result' }, ...result(this.services, data)),
        h('div', { class: 'summary-facts' }, list, this.columns(data.trained)),
      ),
    );
  }

  /** @param {Card} card @returns {[string, any][]} */
  facts(card) {
    const { t } = this.services;
    const { trained, status } = card;
    const { short = false } = this.options;
    const joined = (/** @type {any[]} */ ...parts) => parts.filter(Boolean).join(' · ');
    const { rows = {}, optimizer = {} } = trained;
    const counted = ['training', 'validation', 'test']
      .filter((name) => rows[name] > 0)
      .map((name) => t(`panels.rows.${name}`, { n: count(rows[name]) }));
    const task = TASKS.includes(trained.task) ? t(`panels.task.${trained.task}`) : trained.task;
    const classes = trained.classes?.length ? t('panels.classes', { n: count(trained.classes.length) }) : '';
    const settings = Object.entries(optimizer.settings ?? {}).map(
      ([name, value]) => `${name.replaceAll('_', ' ')} ${known(value) ? brief(value) : value}`,
    );
    const epochs = known(trained.epochs) && trained.epochs > 0 && known(trained.batch_size);
    const amount = known(trained.steps)
      ? joined(
          t('panels.steps', { n: count(trained.steps) }),
          epochs && t('panels.epochs', { n: brief(trained.epochs, 3) }),
          trained.rows_seen > 0 && t('panels.rowsSeen', { n: count(trained.rows_seen) }),
        )
      : '';
    return [
      [
        t('panels.status'),
        !short && status && status !== 'finished'
          ? STATES.includes(status)
            ? t(`panels.status.${status}`)
            : status
          : null,
      ],
      [
        t('panels.data'),
        trained.data && h('span', { title: trained.data }, trained.data.split(/[\\/]/).at(-1)),
      ],
      [t('panels.target'), trained.target && joined(trained.target, task, classes)],
      [t('panels.task'), !trained.target && joined(task, classes)],
      [t('panels.rows'), joined(...counted)],
      [
        t('panels.features'),
        trained.columns?.length
          ? t('panels.columnsToFeatures', {
              columns: count(trained.columns.length),
              features: count(trained.features),
            })
          : trained.features && count(trained.features),
      ],
      [
        t('panels.model'),
        trained.model &&
          joined(
            trained.model,
            known(trained.parameters) && t('panels.parameters', { n: count(trained.parameters) }),
          ),
      ],
      [t('panels.lossName'), trained.loss?.replaceAll('_', ' ')],
      [t('panels.optimizer'), optimizer.name && joined(optimizer.name, ...settings)],
      [
        t('panels.rateName'),
        known(trained.learning_rate) && joined(brief(trained.learning_rate), trained.schedule),
      ],
      [t('panels.batchSize'), known(trained.batch_size) && count(trained.batch_size)],
      [t('panels.length'), amount],
      [t('panels.stopped'), short ? null : ending(this.services, card)],
      [
        t('panels.bestEpochName'),
        !short && card.best_epoch && trained.batch_size ? count(card.best_epoch) : null,
      ],
      [t('panels.seedAndPrecision'), joined(known(trained.seed) && String(trained.seed), trained.precision)],
      [t('panels.time'), !short && known(trained.seconds) && trained.seconds > 0 ? duration(trained.seconds) : null],
    ];
  }

  /** The names of columns and classes, folded if they are many. @param {Record<string, any>} trained */
  columns(trained) {
    const { t } = this.services;
    /** @type {{name: string, kind: string}[]} */
    const columns = trained.columns ?? [];
    if (!columns.length) return null;
    const kindOf = (/** @type {string} */ kind) =>
      Object.hasOwn(KINDS, kind) ? t(`panels.kind.${KINDS[kind]}`) : kind;
    const details = h(
      'details',
      { class: 'fold', open: this.open || columns.length <= FEW },
      h('summary', {}, t('panels.columns')),
      h(
        'ul',
        { class: 'column-names', tabindex: '0' },
        ...columns.map(({ name, kind }) =>
          h('li', { title: name }, h('span', {}, name), h('small', {}, kindOf(kind))),
        ),
      ),
    );
    details.addEventListener('toggle', () => {
      this.open = details.open;
    });
    return details;
  }

  get test() {
    return {
      facts: this.data?.trained
        ? this.facts(this.data)
            .filter(([, v]) => v)
            .map(([n, v]) => [n, v instanceof Node ? v.textContent : v])
        : [],
      text: this.element.textContent,
    };
  }
}
