// @ts-check
/** The middle: what is drawn on by `Drawing`, with the formula above it and the step's sentence below. */
import { button } from 'fallline/controls';
import { clear, h, mathml, say } from 'fallline/dom';
import { written } from 'fallline/graph/numbers';

/** @typedef {import('fallline/services').Services} Services */

export class Stage {
  /** @param {Services} services @param {{onzoom: (factor: number) => void, onfit: () => void}} wishes */
  constructor(services, wishes) {
    const { onzoom, onfit } = wishes;
    this.title = h('div', { class: 'formula-title' });
    this.result = h('span', { class: 'number forward' });
    this.sentence = h('p', { class: 'sentence number' });
    this.waiting = h(
      'div',
      { class: 'busy', hidden: true, role: 'status' },
      h('span', { t: 'graph.building' }),
    );
    const legend = h(
      'div',
      { class: 'legend', 'aria-hidden': 'true' },
      h('span', { class: 'forward' }, '→ ', h('span', { t: 'graph.legend.value' })),
      h('span', { class: 'backward' }, '← ', h('span', { t: 'graph.legend.derivative' })),
    );
    const zoom = h(
      'div',
      { class: 'zoom' },
      button(services, { icon: '+', label: 'graph.zoomIn', onclick: () => onzoom(1.25) }).element,
      button(services, { icon: '−', label: 'graph.zoomOut', onclick: () => onzoom(0.8) }).element,
      button(services, { icon: '⤢', label: 'graph.fit', onclick: onfit }).element,
    );
    this.element = h(
      'div',
      { class: 'stage' },
      h('div', { class: 'heading-bar' }, h('div', { class: 'what' }, this.title, this.result), legend),
      zoom,
      this.sentence,
      this.waiting,
    );
  }

  /** @param {import('fallline/graph/shown').GraphFacts} graph */
  show(graph) {
    clear(this.title);
    this.title.append(mathml(graph.formula));
    this.result.textContent = `${graph.name} = ${written(graph.value.elements?.[0], 6)}`;
  }

  /** @param {import('fallline/graph/shown').StepFacts | null} step null before the first */
  tell(step) {
    if (!step) {
      say(this.sentence, 'graph.startSentence');
      this.sentence.className = 'sentence';
      return;
    }
    this.sentence.removeAttribute('data-t');
    this.sentence.textContent = step.sentence;
    this.sentence.className = `sentence number ${step.back ? 'backward' : 'forward'}`;
  }

  get busy() {
    return !this.waiting.hidden;
  }

  set busy(on) {
    this.waiting.hidden = !on;
  }
}
