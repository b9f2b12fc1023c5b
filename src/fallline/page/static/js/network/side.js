// @ts-check
/** The right column: the doctor's findings, the layers, their activations, the rate and the gradient. */
import { h, say } from 'fallline/dom';
import { Activations } from 'fallline/panels/activations';
import { Findings } from 'fallline/panels/findings';
import { Flow } from 'fallline/panels/flow';
import { panel } from 'fallline/panels/frame';
import { Lines } from 'fallline/panels/lines';

/** @typedef {import('fallline/services').Services} Services */

export class Side {
  /** @param {Services} services @param {{apply: (finding: any) => void}} told */
  constructor(services, told) {
    this.services = services;
    const frame = (/** @type {string} */ name, /** @type {string} */ title) => panel(services, title, `panel-${name}`);
    this.boxes = {
      findings: frame('findings', 'network.findings'),
      flow: frame('flow', 'network.flow'),
      activations: frame('activations', 'network.activations'),
      rate: frame('rate', 'network.rateCurve'),
      gradient: frame('gradient', 'network.gradientCurve'),
    };
    const { findings, flow, activations, rate, gradient } = this.boxes;
    this.findings = new Findings(findings.body, services, { onapply: told.apply });
    this.flow = new Flow(flow.body, services);
    this.activations = new Activations(activations.body, services);
    this.rate = new Lines(rate.body, services);
    this.gradient = new Lines(gradient.body, services);
    this.element = h('div', { class: 'column right' },
      h('div', { class: 'scroll', tabindex: '-1' }, ...Object.values(this.boxes).map(({ element }) => element)));
    /** The findings of the run that is looked at. @type {any} */
    this.said = null;
  }

  get panels() {
    return [this.findings, this.flow, this.activations, this.rate, this.gradient];
  }

  /** @param {any} seen the instruments of the run that is looked at, or null */
  show(seen) {
    this.flow.set(seen?.layers?.length ? { layers: seen.layers } : null);
    this.activations.set(seen?.activations?.length ? seen.activations : null);
    this.boxes.activations.element.hidden = Boolean(seen) && !seen.activations?.length;
  }

  /** @param {any} diagnosis @param {boolean} examining is the doctor still measuring? */
  diagnose(diagnosis, examining) {
    this.said = diagnosis;
    const { note } = this.boxes.findings;
    if (examining) say(note, 'network.examining');
    else {
      note.removeAttribute('data-t');
      note.textContent = '';
    }
    this.findings.set(diagnosis && { ...diagnosis, provisional: examining });
  }

  /** The first finding that there is a fix for. */
  get remedy() {
    return (this.said?.findings ?? []).find((/** @type {any} */ one) => one.complaint && one.changes) ?? null;
  }

  /** @param {any} curves of the run that is looked at, or null */
  draw(curves) {
    const { t } = this.services;
    const x = curves?.curves.step ?? [];
    const has = x.length > 0;
    this.rate.set(has
      ? { lines: [{ name: t('network.rate'), x, y: curves.curves.learning_rate }], xKey: 'network.step', yKey: 'network.rate' }
      : null);
    this.gradient.set(has
      ? { lines: [
          { name: t('network.gradient'), x, y: curves.curves.gradient_norm },
          { name: t('network.update'), x, y: curves.curves.update_norm },
        ], xKey: 'network.step', yKey: 'network.norm' }
      : null);
  }

  retheme() {
    for (const one of this.panels) one.retheme();
  }

  retranslate() {
    for (const one of this.panels) one.retranslate();
  }
}
