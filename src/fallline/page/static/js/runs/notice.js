// @ts-check
/** What stands in place of a run where there is none to show, and what can be done then. */
import { clear, h } from 'fallline/dom';

/** Where `fallline fit` keeps its runs unless it is told otherwise. */
const USUAL = 'runs';

export class Notice {
  constructor() {
    this.element = h('div', { class: 'notice', hidden: true });
  }

  hide() {
    this.element.hidden = true;
  }

  /** One thing to say. @param {string} key of the heading @param {...string} sentences */
  tell(key, ...sentences) {
    clear(this.element);
    this.element.append(h('h2', { t: key }), ...sentences.map((text) => h('p', {}, text)));
    this.element.hidden = false;
  }

  /** Nothing has been saved yet. @param {{name: string, exists: boolean}} folder */
  welcome({ name, exists }) {
    clear(this.element);
    // The page does not know where a folder of another name lies.
    const command = name === USUAL ? 'fallline fit digits' : `fallline fit digits --out …/${name}/digits`;
    this.element.append(
      h('h2', { t: 'runs.empty' }),
      h('p', { t: exists ? 'runs.emptyAbout' : 'runs.noFolder', values: { folder: name } }),
      h('pre', {}, h('code', {}, command)),
      h('p', { class: 'note', t: 'runs.emptyThen' }));
    this.element.hidden = false;
  }

  /** What is said; empty if nothing is. */
  get text() {
    return this.element.hidden ? '' : this.element.textContent ?? '';
  }
}
