// @ts-check
/** The words of the page: one file a language, fetched from this server. */

export const LANGUAGES = ['en', 'zh'];

/** @type {Record<string, string>} */
let texts = {};
let code = 'en';

/** @returns {string} the language's code */
export const language = () => code;

/**
 * A text of the page.
 * @param {string} key
 * @param {Record<string, string | number>} [values] for the text's {placeholders}
 * @returns {string} the key itself where there is no such text, so that a gap is seen
 */
export function t(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** @param {string} wanted @returns {Promise<void>} */
export async function speak(wanted) {
  const found = LANGUAGES.includes(wanted) ? wanted : 'en';
  const answer = await fetch(`/static/lang/${found}.json`);
  if (!answer.ok) {
    throw new Error(`No texts: ${answer.status}`);
  }
  texts = await answer.json();
  code = found;
  document.documentElement.lang = found === 'zh' ? 'zh-Hans' : 'en';
}

/** The browser's language, if there are texts for it. @returns {string} */
export function preferred() {
  const first = (navigator.languages ?? [navigator.language]).map((name) => name.slice(0, 2));
  return first.find((name) => LANGUAGES.includes(name)) ?? 'en';
}
