// @ts-check
/** The right column: the step in formulas and numbers, a node, the gradients, all steps. */
import { number, section, segmented, slider } from 'fallline/controls';
import { clear, h, mathml } from 'fallline/dom';
import { Gradients } from 'fallline/graph/gradients';
import { numeric, sizeOf, written } from 'fallline/graph/numbers';
import { table } from 'fallline/graph/tables';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/graph/shown').GraphFacts} GraphFacts */
/** @typedef {import('fallline/graph/numbers').ArrayFacts} ArrayFacts */
/**
 * @typedef {Object} Wishes
 * @property {(position: number) => void} onstep
 * @property {(node: number) => void} onpick
 * @property {(node: number, element: number, h: number) => void} onnudge
 */

export class Panel {
  /** @param {Services} services @param {Wishes} wishes */
  constructor(services, wishes) {
    this.services = services;
    this.wishes = wishes;
    /** @type {any} */
    this.step = null;
    /** @type {any} */
    this.node = null;
    /** Which number of the node is nudged, and by how much. */
    this.nudge = { element: 0, by: 0 };
    this.tab = segmented(services, {
      label: 'graph.about',
      value: 'step',
      options: [
        { value: 'step', t: 'graph.thisStep' },
        { value: 'node', t: 'graph.thisNode' },
      ],
      onchange: () => this.showCards(),
    });
    this.stepCard = h('div', { class: 'card step-card' });
    this.nodeCard = h('div', { class: 'card node-card', hidden: true });
    this.nudged = h('div', { class: 'nudged', 'aria-live': 'off' });
    this.gradients = new Gradients((node) => wishes.onpick(node));
    this.list = h('ol', { class: 'steps', label: 'graph.allSteps' });
    this.element = h(
      'div',
      { class: 'column right' },
      h(
        'div',
        { class: 'scroll' },
        h('div', { class: 'part' }, this.tab.element, this.stepCard, this.nodeCard),
        section('graph.gradients', this.gradients.element),
        section('graph.allSteps', this.list),
      ),
    );
  }

  /** @param {'step' | 'node'} name */
  showTab(name) {
    this.tab.value = name;
    this.showCards();
  }

  forgetNode() {
    this.node = null;
    clear(this.nodeCard);
    this.nodeCard.append(h('p', { class: 'note', t: 'graph.noNode' }));
    this.showTab('step');
  }

  retranslate() {
    if (this.node) {
      this.showNode(this.node);
    }
  }

  showCards() {
    this.stepCard.hidden = this.tab.value !== 'step';
    this.nodeCard.hidden = this.tab.value !== 'node';
  }

  /** @param {GraphFacts} graph */
  showGraph(graph) {
    this.graph = graph;
    const forward = graph.steps.filter((step) => !step.back).length;
    clear(this.list);
    graph.steps.forEach((step, index) => {
      if (index === 0 || index === forward) {
        const key = step.back ? 'graph.backwardPart' : 'graph.forwardPart';
        this.list.append(h('li', { class: 'turn', t: key }));
      }
      const one = h(
        'button',
        { type: 'button', onclick: () => this.wishes.onstep(index + 1) },
        step.sentence,
      );
      this.list.append(
        h('li', { class: step.back ? 'back' : '', value: index + 1, 'data-index': index }, one),
      );
    });
    this.gradients.showGraph(graph);
  }

  /** Which step is the current one; null before the first. @param {number} position */
  mark(position) {
    this.list.querySelector('[aria-current]')?.removeAttribute('aria-current');
    const item = this.list.querySelector(`[data-index="${position - 1}"]`);
    item?.setAttribute('aria-current', 'step');
    if (item instanceof HTMLElement) {
      // Only the list itself is scrolled, not the column with it.
      const [top, height] = [item.offsetTop - this.list.offsetTop, this.list.clientHeight];
      if (top < this.list.scrollTop + 8 || top > this.list.scrollTop + height - 40) {
        this.list.scrollTop = top - height / 2;
      }
    } else {
      this.list.scrollTop = 0;
    }
  }

  /** Before the first step. */
  showStart() {
    this.step = null;
    clear(this.stepCard);
    this.stepCard.append(h('p', { class: 'note', t: 'graph.startAbout' }));
  }

  /** @param {any} step as the server tells it */
  showStep(step) {
    this.step = step;
    clear(this.stepCard);
    const { formulas, numbers } = step;
    const graph = /** @type {GraphFacts} */ (this.graph);
    const heading = h('h3', {
      t: step.back ? 'graph.backwardThrough' : 'graph.forwardThrough',
      values: { what: graph.nodes[step.node].title, name: graph.nodes[step.node].label },
    });
    this.stepCard.append(h('div', { class: step.back ? 'head back' : 'head' }, heading));
    const formula = (/** @type {string} */ key, /** @type {string | null} */ text) =>
      text && h('div', { class: 'formula' }, h('span', { class: 'caption', t: key }), wide(mathml(text)));
    if (!step.back) {
      append(this.stepCard, formula('graph.operation', formulas.here));
      this.stepCard.append(
        h(
          'div',
          { class: 'equation' },
          ...numbers.inputs.map((/** @type {any} */ input) => term(input.label, input.value, 'forward')),
          h('span', { class: 'sign' }, '→'),
          term(graph.nodes[step.node].label, numbers.result, 'forward'),
        ),
      );
      return;
    }
    append(
      this.stepCard,
      formula('graph.rule', formulas.rule),
      formula('graph.here', formulas.here),
      formula('graph.chain', formulas.chain),
    );
    if (numbers.upstream) {
      const sign = numbers.form === 'elementwise' ? '⊙' : numbers.form === 'number' ? '×' : '∘';
      const local = numbers.local && numbers.form !== 'jacobian';
      append(
        this.stepCard,
        h(
          'div',
          { class: 'equation' },
          term(null, numbers.upstream, 'backward', 'graph.upstream'),
          local && h('span', { class: 'sign' }, sign),
          local && term(null, numbers.local, '', 'graph.local'),
          h('span', { class: 'sign' }, local ? '=' : '→'),
          term(null, numbers.result, 'backward', 'graph.downstream'),
        ),
      );
    }
    if (numbers.count > 1) {
      append(
        this.stepCard,
        h(
          'div',
          { class: 'formula' },
          h('span', {
            class: 'caption',
            t: 'graph.sum',
            values: { n: numbers.paths.length, all: numbers.count },
          }),
          formulas.sum && wide(mathml(formulas.sum)),
        ),
      );
      if (sizeOf(numbers.total) > 1) {
        this.stepCard.append(table(numbers.total, 'backward'));
      }
    }
  }

  /** @param {any} node as the server tells it */
  showNode(node) {
    const same = this.node?.node === node.node;
    this.node = node;
    clear(this.nodeCard);
    const name = node.label + (node.layer ? `  ·  ${node.layer}` : '');
    const kind = node.kind === 'operation' ? name : this.services.t(`graph.kind.${node.kind}`);
    this.nodeCard.append(
      h(
        'div',
        { class: 'head' },
        h('h3', {}, node.kind === 'operation' ? node.operation : node.label),
        h('span', { class: 'note' }, kind),
      ),
    );
    append(this.nodeCard, node.formula && wide(mathml(node.formula)));
    const row = (/** @type {string} */ key, /** @type {Node} */ content) =>
      h('div', { class: 'row' }, h('span', { class: 'caption', t: key }), content);
    this.nodeCard.append(row('graph.value', table(node.value, 'forward', 10)));
    append(this.nodeCard, node.derivative && row('graph.derivative', table(node.derivative, 'backward', 10)));
    if (node.users.length) {
      this.nodeCard.append(
        row(
          'graph.usedBy',
          h(
            'div',
            { class: 'users' },
            ...node.users.map((/** @type {any} */ user) =>
              h(
                'button',
                { type: 'button', class: 'chip', onclick: () => this.wishes.onpick(user.node) },
                user.label,
                user.derivative &&
                  sizeOf(user.derivative) === 1 &&
                  h('span', { class: 'number backward' }, written(user.derivative.elements?.[0])),
              ),
            ),
          ),
        ),
      );
    }
    if (node.derivative && node.kind !== 'output') {
      this.nodeCard.append(this.whatIf(node, same));
    }
  }

  /** @param {any} node @param {boolean} same was it shown before? */
  whatIf(node, same) {
    const size = sizeOf(node.value);
    const largest = Math.max(
      ...(node.value.elements ?? [1]).map((/** @type {any} */ x) => Math.abs(numeric(x)) || 0),
    );
    const reach = Math.max(0.1, Number((largest / 2).toPrecision(1)));
    this.nudge = same
      ? { ...this.nudge, element: Math.min(this.nudge.element, size - 1) }
      : { element: 0, by: reach / 20 };
    const { element, by } = this.nudge;
    const ask = () => this.wishes.onnudge(node.node, this.nudge.element, this.nudge.by);
    const bar = slider(this.services, {
      label: 'graph.nudgeBy',
      low: -reach,
      high: reach,
      value: by,
      step: reach / 100,
      format: (v) => written(v, 3),
      oninput: (v) => {
        this.nudge.by = v;
        ask();
      },
    });
    const which =
      size > 1 &&
      number(this.services, {
        label: 'graph.element',
        low: 0,
        high: size - 1,
        step: 1,
        value: element,
        onchange: (v) => {
          this.nudge.element = Math.round(v);
          ask();
        },
      });
    ask();
    const part = h('div', { class: 'what-if' }, h('h4', { t: 'graph.whatIf' }));
    append(part, which && which.element, bar.element, this.nudged);
    return part;
  }

  /** @param {any} answer */
  showNudge(answer) {
    clear(this.nudged);
    const most = Math.max(Math.abs(numeric(answer.change)), Math.abs(numeric(answer.predicted))) || 1;
    const bar = (/** @type {string} */ key, /** @type {any} */ value, /** @type {string} */ kind) => {
      const line = h('span', { class: `bar ${kind}` });
      const share = numeric(value) / most;
      line.style.left = `${50 + Math.min(0, share) * 50}%`;
      line.style.width = `${Math.abs(share) * 50 || 0}%`;
      return h(
        'div',
        { class: 'measure' },
        h('span', { class: 'caption', t: key }),
        h('span', { class: 'track', 'aria-hidden': 'true' }, line),
        h('span', { class: `number ${kind}` }, written(value, 4)),
      );
    };
    const output = this.graph?.name ?? 'f';
    const from = h(
      'p',
      { class: 'note' },
      `${output}: ${written(answer.before, 6)} → ${written(answer.after, 6)}`,
    );
    this.nudged.append(
      bar('graph.change', answer.change, 'forward'),
      bar('graph.predicted', answer.predicted, 'backward'),
      from,
    );
  }
}

/** @param {Element} host @param {...(Node | null | undefined | false | '')} children */
function append(host, ...children) {
  host.append(...children.filter((child) => child instanceof Node));
}

/** A formula that may be wider than the column. @param {Element} formula */
const wide = (formula) =>
  h('div', { class: 'wide', tabindex: 0, role: 'group', label: 'graph.aFormula' }, formula);

/**
 * @param {string | null} name @param {ArrayFacts} facts @param {'forward' | 'backward' | ''} direction
 * @param {string} [key] of a caption instead of a name
 */
const term = (name, facts, direction, key) =>
  h('div', { class: 'term' }, h('span', { class: 'caption', t: key }, name), table(facts, direction, 5));
