// @ts-check
/** The state of the page in its address, after the #: readable, and the same link gives the same view. */

/**
 * @param {string} fragment with or without its #
 * @returns {Record<string, any>} JSON where a value is JSON, else the text itself
 */
export function read(fragment) {
  /** @type {Record<string, any>} */
  const state = {};
  for (const [name, text] of new URLSearchParams(fragment.replace(/^#/, ''))) {
    try {
      state[name] = JSON.parse(text);
    } catch {
      state[name] = text;
    }
  }
  return state;
}

/** @param {Record<string, any>} state @returns {string} without # */
export function write(state) {
  const parts = [];
  for (const [name, value] of Object.entries(state)) {
    if (value === null || value === undefined || value === '') {
      continue;
    }
    let text = typeof value === 'string' ? value : JSON.stringify(value);
    if (typeof value === 'string') {
      try {
        // A text that looks like a number or like true stays a text.
        JSON.parse(value);
        text = JSON.stringify(value);
      } catch {
        // Plain words need no quotes.
      }
    }
    parts.push(`${name}=${readable(encodeURIComponent(text))}`);
  }
  return parts.join('&');
}

/** Brackets, commas and the like may stand in a fragment as they are. @param {string} text */
const readable = (text) => text.replace(/%(5B|5D|7B|7D|2C|3A|22|2F|40|3D|20)/g, (whole, code) =>
  code === '20' ? '+' : '[]{},:"/@='.includes(String.fromCharCode(parseInt(code, 16)))
    && code !== '22' && code !== '3D' ? String.fromCharCode(parseInt(code, 16)) : whole);
