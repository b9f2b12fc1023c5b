// @ts-check
/** What stands over the losses: what is trained on what, how far it is, what it has come to. */
import { h, say } from 'fallline/dom';
import { ending } from 'fallline/panels/ending';
import { brief, count, duration, few, percent } from 'fallline/panels/format';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/network/row').Entry} Entry */
/** @typedef {Record<string, any>} Curves what was sent of a run's course */

export class Head {
  /** @param {Services} services @param {{save: () => void}} told */
  constructor(services, told) {
    this.services = services;
    this.title = h('h2', { class: 'title' });
    this.about = h('p', { class: 'about' });
    this.state = h('p', { class: 'run-state', role: 'status' });
    this.bar = h('i', {});
    this.progress = h('div', { class: 'progress', 'aria-hidden': 'true' }, this.bar);
    this.save = h('button', { type: 'button', class: 'button small', t: 'network.save', label: 'network.saveAbout', onclick: told.save });
    this.cells = Object.fromEntries(
      ['epoch', 'loss', 'validation', 'score', 'rate', 'speed', 'left'].map((name) => [name, h('dd', { class: 'number' })]));
    this.row = h('dl', { class: 'metrics' },
      ...Object.entries(this.cells).map(([name, cell]) => h('div', { class: `metric-${name}` }, h('dt', { t: `network.metric.${name}` }), cell)));
    this.element = h('div', { class: 'head' },
      h('div', { class: 'head-line' }, h('div', { class: 'head-words' }, this.title, this.about), this.save),
      this.row, this.progress, this.state);
    this.mark = '';
  }

  /** @param {Entry | null} entry @param {Curves | null} curves @param {boolean} live */
  set(entry, curves, live) {
    const { services } = this;
    const { t } = services;
    this.row.hidden = !curves;
    this.progress.hidden = !entry;
    this.save.hidden = !curves || live;
    if (!entry) {
      say(this.title, 'network.emptyTitle');
      say(this.about, 'network.emptyAbout');
      this.state.textContent = '';
      return;
    }
    const { trained } = entry;
    this.title.removeAttribute('data-t');
    this.about.removeAttribute('data-t');
    this.title.textContent = trained ? t('network.title', { target: trained.target ?? '', data: trained.data ?? '' }) : t('network.starting');
    this.about.textContent = trained ? this.sentence(trained) : '';
    this.about.title = this.about.textContent;
    this.element.classList.toggle('works', live && !curves);
    this.tellState(entry, live);
    if (curves) this.numbers(entry, curves, live);
    else this.bar.style.width = '0';
    say(this.save, entry.saved ? 'network.saved' : 'network.save', entry.saved ? { name: entry.saved } : undefined);
    this.save.disabled = Boolean(entry.saved);
  }

  /** @param {Record<string, any>} trained */
  sentence(trained) {
    const { t } = this.services;
    const { rows } = trained;
    return t('network.about', {
      model: trained.model, parameters: count(trained.parameters), optimizer: trained.optimizer?.name ?? '',
      batch: count(trained.batch_size), training: count(rows.training), validation: count(rows.validation), test: count(rows.test),
    });
  }

  /** @param {Entry} entry @param {boolean} live */
  tellState(entry, live) {
    const { t } = this.services;
    const failed = entry.phase === 'failed' || entry.reason === 'non-finite';
    this.state.className = failed ? 'run-state bad' : 'run-state';
    const parts = [];
    if (entry.result) parts.push(this.resultText(entry.result));
    if (entry.sentence) parts.push(this.ended(entry));
    else if (live) {
      if (entry.phase !== 'running') parts.push(t(`network.phase.${entry.phase}`));
    } else parts.push(t('network.phase.paused'));
    const text = parts.join(' ');
    if (text !== this.mark) {
      this.state.textContent = text;
      this.state.title = text;
    }
    this.mark = text;
    this.state.hidden = !text;
  }

  /** How it ended, in the page's language. @param {Entry} entry */
  ended({ reason, sentence, trained }) {
    return reason && sentence ? ending(this.services, { trained: trained ?? {}, stop: { reason, sentence } }) : sentence ?? '';
  }

  /** @param {Record<string, any>} result */
  resultText(result) {
    const { t } = this.services;
    const written = (/** @type {number | null} */ v) => (result.metric === 'accuracy' && v !== null ? percent2(v) : few(v, 3));
    const metric = result.metric === 'accuracy' ? 'accuracy' : 'r2';
    return t(`network.result.${metric}`, {
      value: written(result.value), baseline: written(result.baseline), rows: count(result.rows),
      on: t(`network.on.${result.measured_on}`),
    });
  }

  /** @param {Entry} entry @param {Curves} curves @param {boolean} live */
  numbers(entry, curves, live) {
    const { cells } = this;
    const epoch = curves.epoch;
    cells.epoch.textContent = `${Number.isInteger(epoch) ? count(epoch) : brief(epoch)} / ${count(curves.epochs)}`;
    cells.loss.textContent = few(curves.loss);
    cells.validation.textContent = few(curves.validation_loss);
    const score = entry.trained?.task === 'classification' ? curves.validation_score : null;
    cells.score.textContent = score === null || score === undefined ? '–' : percent(score);
    cells.score.parentElement?.toggleAttribute('hidden', entry.trained?.task !== 'classification');
    cells.rate.textContent = few(curves.learning_rate, 3);
    cells.speed.textContent = curves.rows_per_second ? compact(curves.rows_per_second) : '–';
    cells.left.textContent = live ? duration(curves.seconds_left) : duration(curves.seconds);
    const label = /** @type {HTMLElement} */ (cells.left.parentElement?.firstElementChild);
    say(label, live ? 'network.metric.left' : 'network.metric.took');
    const over = entry.phase === 'ended';
    this.bar.style.width = `${over ? 100 : Math.min(100, (100 * curves.step) / Math.max(1, curves.steps))}%`;
  }
}

/** An accuracy with one digit after the point. @param {number} value */
const percent2 = (value) => `${(100 * value).toFixed(1)} %`;

/** A count in few characters. @param {number} value */
function compact(value) {
  if (value >= 1e6) return `${few(value / 1e6, 3)} M`;
  return value >= 1e4 ? `${few(value / 1e3, 3)} k` : count(value);
}
