// @ts-check
/** How to make a run again: the command, the same in Python, the versions and the seed. */
import { h } from 'fallline/dom';
import { Panel } from 'fallline/panels/base';
import { code } from 'fallline/panels/code';

/** @typedef {{command?: string | null, python?: string | null, seed?: number | null, versions?: Record<string, string | null>}} Recipe */
/** @typedef {{oncopy?: (text: string) => void}} ReproduceOptions */

/** @extends {Panel<Recipe, ReproduceOptions>} */
export class Reproduce extends Panel {
  /** @param {HTMLElement} element @param {import('fallline/panels/base').Given} services @param {ReproduceOptions} [options] */
  constructor(element, services, options = {}) {
    super(element, services, options);
    this.emptyKey = 'panels.noRecipe';
    this.render();
  }

  render() {
    const { data, services } = this;
    const { t } = services;
    const { oncopy } = this.options;
    const versions = Object.entries(data?.versions ?? {}).filter(([, version]) => version);
    if (!data || (!data.command && !data.python && !versions.length)) {
      this.showEmpty();
      return;
    }
    const part = (/** @type {string} */ title, /** @type {string} */ text, /** @type {boolean} */ prompt) =>
      h(
        'div',
        { class: 'recipe-part' },
        h('h3', {}, title),
        code(services, text, { oncopy, prompt, label: title }),
      );
    const facts = [
      ...(data.seed === null || data.seed === undefined ? [] : [[t('panels.seed'), String(data.seed)]]),
      ...versions,
    ];
    this.element.replaceChildren(
      h(
        'div',
        { class: 'recipe' },
        data.command ? part(t('panels.inTerminal'), data.command, true) : null,
        data.python ? part(t('panels.inPython'), data.python, false) : null,
        facts.length
          ? h(
              'dl',
              { class: 'versions' },
              ...facts.map(([name, value]) =>
                h('div', {}, h('dt', {}, name), h('dd', { class: 'number' }, String(value))),
              ),
            )
          : null,
      ),
    );
  }

  get test() {
    return this.data;
  }
}
