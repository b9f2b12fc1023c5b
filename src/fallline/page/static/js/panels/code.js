// @ts-check
/** A block of code with a button that copies it. */
import { h } from 'fallline/dom';

/** @typedef {import('fallline/panels/base').Given} Given */

const MILLISECONDS = 1800;

/**
 * @param {Given} services
 * @param {string} text
 * @param {{oncopy?: (text: string) => void, label?: string, prompt?: boolean}} [options] `label`: what is copied; `prompt`: show a "$" before it
 */
export function code(services, text, { oncopy, label, prompt } = {}) {
  // A command breaks between its words, never after the hyphens of "--option".
  const words = prompt
    ? text.split(/(\s+)/).map((part, i) => (i % 2 ? part : h('span', { class: 'token' }, part)))
    : [text];
  const written = h('code', {}, ...words);
  const word = h('span', {}, services.t('panels.copy'));
  const button = h('button', { type: 'button', class: 'button tiny copy', title: label }, word);
  const lines = h(
    'pre',
    {},
    prompt ? h('span', { class: 'prompt', 'aria-hidden': 'true' }, '$ ') : null,
    written,
  );
  button.addEventListener('click', async () => {
    const done = await copied(text);
    if (!done) select(written);
    const said = done ? services.t('panels.copied') : services.t('panels.copyByHand');
    word.textContent = said;
    services.announce?.(said);
    button.classList.toggle('done', done);
    oncopy?.(text);
    setTimeout(() => {
      word.textContent = services.t('panels.copy');
      button.classList.remove('done');
    }, MILLISECONDS);
  });
  return h('div', { class: 'code-block' }, button, lines);
}

/** @param {string} text @returns {Promise<boolean>} */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** @param {Node} node */
function select(node) {
  const chosen = getSelection();
  chosen?.removeAllRanges();
  const range = document.createRange();
  range.selectNodeContents(node);
  chosen?.addRange(range);
}
