// @ts-check
/** What the doctor says: verdict, evidence, the rule and where it comes from, the fix, and what came of trying it. */
import { h } from 'fallline/dom';
import { Panel } from 'fallline/panels/base';
import { code } from 'fallline/panels/code';
import { brief, few } from 'fallline/panels/format';
import { known } from 'fallline/panels/reading';

/** @typedef {{quantity: string, value: any, against: number | null, step: number | null, sentence: string}} Evidence */
/** @typedef {{helped: boolean, quantity: string, before: number | null, after: number | null, steps_before?: number, steps_after?: number}} Proof */
/**
 * @typedef {object} Finding
 * @property {string} name
 * @property {string} [title]
 * @property {boolean} complaint
 * @property {string} verdict
 * @property {Evidence[]} evidence
 * @property {string} [rule]
 * @property {string} [source]
 * @property {string | null} [fix] a sentence
 * @property {Record<string, any> | null} [changes]
 * @property {string | null} [command]
 * @property {Proof | null} [proven]
 */
/** @typedef {{healthy: boolean, headline?: string, findings: Finding[], withdrawn?: Finding[], measured?: boolean, seconds?: number,
 *   provisional?: boolean}} Diagnosis `provisional`: more is being measured, and the fix may change */
/** @typedef {{onapply?: (finding: Finding) => void, oncopy?: (command: string) => void}} FindingsOptions */

const QUANTITIES = [
  'training_loss',
  'validation_loss',
  'last_validation_loss',
  'mean_training_loss',
  'share_left',
];
const SHORTEST = 0.02;

/** @extends {Panel<Diagnosis, FindingsOptions>} */
export class Findings extends Panel {
  /** @param {HTMLElement} element @param {import('fallline/panels/base').Given} services @param {FindingsOptions} [options] */
  constructor(element, services, options = {}) {
    super(element, services, options);
    this.emptyKey = 'panels.noDiagnosis';
    /** Names of what has been unfolded. @type {Set<string>} */
    this.open = new Set();
    this.render();
  }

  render() {
    const { data, services } = this;
    if (!data?.findings) {
      this.showEmpty();
      return;
    }
    const focused = this.element.contains(document.activeElement)
      ? document.activeElement?.getAttribute('data-of')
      : null;
    const withdrawn = data.withdrawn ?? [];
    const quiet = withdrawn.length
      ? this.fold(
          'withdrawn',
          services.t('panels.withdrawn', { n: withdrawn.length }),
          withdrawn.map((finding) => this.card(finding, true)),
        )
      : null;
    const seconds = known(data.seconds) ? brief(data.seconds, 2) : '–';
    const foot =
      data.measured === false
        ? services.t('panels.historyOnly')
        : data.seconds
          ? services.t('panels.measuredIn', { seconds })
          : '';
    this.element.replaceChildren(
      h(
        'div',
        { class: 'findings' },
        ...data.findings.map((finding) => this.card(finding, false)),
        quiet,
        foot ? h('p', { class: 'panel-foot' }, foot) : null,
      ),
    );
    if (focused) {
      const same = [...this.element.querySelectorAll('[data-of]')].find(
        (one) => one.getAttribute('data-of') === focused,
      );
      /** @type {HTMLElement | undefined} */ (same)?.focus();
    }
  }

  /** @param {string} name @param {string} title @param {(Node | null)[]} children */
  fold(name, title, children) {
    const details = h(
      'details',
      { class: 'fold', open: this.open.has(name) },
      h('summary', { 'data-of': `fold ${name}` }, title),
      ...children,
    );
    details.addEventListener('toggle', () => {
      if (details.open) this.open.add(name);
      else this.open.delete(name);
    });
    return details;
  }

  /** @param {Finding} finding @param {boolean} withdrawn */
  card(finding, withdrawn) {
    const { t } = this.services;
    const kind = withdrawn
      ? 'withdrawn'
      : finding.complaint
        ? 'complaint'
        : finding.name === 'unknown'
          ? 'unknown'
          : 'fine';
    const evidence = (finding.evidence ?? []).map(({ sentence }) => h('li', {}, ...figured(sentence)));
    const rule =
      finding.rule || finding.source
        ? this.fold(finding.name, t('panels.rule'), [
            h('p', {}, finding.rule ?? ''),
            finding.source
              ? h('p', { class: 'source' }, t('panels.source', { source: finding.source }))
              : null,
          ])
        : null;
    return h(
      'article',
      { class: `finding ${kind === 'complaint' ? 'grave' : kind}` },
      h(
        'p',
        { class: 'finding-mark' },
        h('i', { 'aria-hidden': 'true' }, { complaint: '!', fine: '✓', unknown: '?', withdrawn: '–' }[kind]),
        h('span', {}, t(`panels.mark.${kind}`)),
        h('span', { class: 'finding-name' }, finding.title ?? finding.name),
      ),
      h('h3', {}, ...figured(finding.verdict)),
      evidence.length
        ? h('ul', { class: 'evidence', 'aria-label': t('panels.evidence') }, ...evidence)
        : null,
      withdrawn || !finding.fix ? null : this.fix(finding),
      finding.proven ? this.proof(finding.proven) : null,
      rule,
    );
  }

  /** @param {Finding} finding */
  fix(finding) {
    const { t } = this.services;
    const { onapply, oncopy } = this.options;
    const apply =
      onapply && finding.changes && Object.keys(finding.changes).length
        ? h(
            'button',
            {
              type: 'button',
              class: 'button primary',
              disabled: Boolean(this.data?.provisional),
              'data-of': `apply ${finding.name}`,
              onclick: () => onapply(finding),
            },
            t('panels.apply'),
          )
        : null;
    return h(
      'div',
      { class: 'fix' },
      h(
        'div',
        { class: 'fix-head' },
        h('p', {}, h('b', {}, t('panels.fix')), ' ', ...figured(finding.fix ?? '')),
        apply,
      ),
      finding.command
        ? code(this.services, finding.command, { oncopy, prompt: true, label: t('panels.command') })
        : null,
    );
  }

  /** @param {Proof} proof */
  proof({ helped, quantity, before, after, steps_before: stepsBefore, steps_after: stepsAfter }) {
    const { t } = this.services;
    // Bars grow from nothing, which a loss below zero has not: then the numbers alone speak.
    const most = Math.max(known(before) ? before : 0, known(after) ? after : 0);
    const barred = [before, after].every((value) => !known(value) || value >= 0);
    const row = (
      /** @type {string} */ word,
      /** @type {number | null} */ value,
      /** @type {number | undefined} */ steps,
      /** @type {string} */ kind,
    ) => {
      const bar = h('i', { class: 'proof-bar', 'aria-hidden': 'true' });
      bar.style.setProperty(
        '--share',
        String(known(value) ? (most > 0 ? Math.max(SHORTEST, value / most) : 0) : 1),
      );
      if (!known(value)) bar.classList.add('endless');
      return h(
        'div',
        { class: `proof-row ${kind}` },
        h('dt', {}, word),
        h(
          'dd',
          {},
          barred ? bar : null,
          h('b', { class: 'number' }, known(value) ? few(value) : t('panels.diverged')),
          steps
            ? h('small', { class: 'number' }, t('panels.inSteps', { steps: steps.toLocaleString('en') }))
            : null,
        ),
      );
    };
    const name = QUANTITIES.includes(quantity) ? t(`panels.quantity.${quantity}`) : quantity;
    return h(
      'div',
      { class: helped ? 'proof helped' : 'proof' },
      h(
        'p',
        {},
        t(helped ? 'panels.helped' : 'panels.didNotHelp'),
        ' ',
        h('span', { class: 'proof-of' }, name),
      ),
      h(
        'dl',
        {},
        row(t('panels.without'), before, stepsBefore, 'before'),
        row(t('panels.with'), after, stepsAfter, 'after'),
      ),
    );
  }

  get test() {
    const { data } = this;
    return {
      healthy: data?.healthy ?? null,
      names: (data?.findings ?? []).map(({ name }) => name),
      withdrawn: (data?.withdrawn ?? []).map(({ name }) => name),
      open: [...this.open],
      text: this.element.textContent,
    };
  }
}

/** A sentence with its numbers set apart, so that they are found at a glance. @param {string} sentence */
function figured(sentence) {
  return String(sentence)
    .split(/((?<![\p{L}\d_.])[−-]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+−-]?\d+)?(?: ?%)?(?![\p{L}\d_]|\.\d))/u)
    .map((part, i) => (i % 2 ? h('b', { class: 'figure' }, part) : part));
}
