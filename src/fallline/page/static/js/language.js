// @ts-check
/** The words of the page: a file a language and room, fetched from this server or handed over. */

export const LANGUAGES = ['en', 'zh'];

/** Whose words there are. */
const ROOMS = ['app', 'terrain', 'fit', 'graph', 'network', 'compare', 'runs', 'gallery', 'panels', 'maps', 'report'];

/** Texts that came with the page, a language each. @type {Record<string, Record<string, string>>} */
let given = {};

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
  texts = given[found] ?? Object.assign({}, ...(await Promise.all(ROOMS.map((room) => fetched(found, room)))));
  code = found;
  document.documentElement.lang = found === 'zh' ? 'zh-Hans' : 'en';
}

/** @param {string} language @param {string} room @returns {Promise<Record<string, string>>} */
async function fetched(language, room) {
  const answer = await fetch(`/static/lang/${language}/${room}.json`);
  if (!answer.ok) {
    throw new Error(`No texts: ${answer.status}`);
  }
  return answer.json();
}

/** Use texts that came with the page, where there is no server to ask. @param {Record<string, Record<string, string>>} all */
export function provide(all) {
  given = all;
}

/** The browser's language, if there are texts for it. @returns {string} */
export function preferred() {
  const first = (navigator.languages ?? [navigator.language]).map((name) => name.slice(0, 2));
  return first.find((name) => LANGUAGES.includes(name)) ?? 'en';
}
