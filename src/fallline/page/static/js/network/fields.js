// @ts-check
/** A field for a number or a word, with a button for each word. */
import { h } from 'fallline/dom';

/** @typedef {import('fallline/services').Services} Services */

let made = 0;

/**
 * @param {Services} services
 * @param {{label: string, words: string[], value: number | string, low: number, high: number, whole?: boolean,
 *   trouble: string, onchange: (value: any) => void}} options
 *   `words` are what may stand there instead of a number: "auto", "full"
 */
export function wordOrNumber(services, options) {
  const id = `network-field-${(made += 1)}`;
  const box = h('input', { id, type: 'text', class: 'number', inputmode: 'decimal', autocomplete: 'off', spellcheck: 'false' });
  const complaint = h('p', { class: 'complaint', role: 'alert' });
  /** @type {any} */
  let current = options.value;
  const buttons = options.words.map((word) =>
    h('button', { type: 'button', class: 'word', t: `network.word.${word}`, onclick: () => take(word) }));
  const draw = () => {
    const word = options.words.includes(current);
    box.value = word ? '' : String(current);
    buttons.forEach((one, i) => one.setAttribute('aria-pressed', String(options.words[i] === current)));
    complain(false);
  };
  const complain = (/** @type {boolean} */ bad) => {
    if (bad) box.setAttribute('aria-invalid', 'true');
    else box.removeAttribute('aria-invalid');
    complaint.textContent = bad ? services.t(options.trouble) : '';
  };
  const take = (/** @type {any} */ value) => {
    const fresh = value !== current;
    current = value;
    draw();
    if (fresh) options.onchange(value);
    services.touched();
  };
  box.addEventListener('change', () => {
    const text = box.value.trim().toLowerCase();
    if (text === '' && options.words.length) return take(options.words[0]);
    if (options.words.includes(text)) return take(text);
    const value = Number(text.replace(/[,_\s]/g, ''));
    const fits = text !== '' && Number.isFinite(value) && value >= options.low && value <= options.high;
    if (!fits || (options.whole && !Number.isInteger(value))) return complain(true);
    return take(value);
  });
  const element = h('div', { class: 'field' }, h('label', { for: id, t: options.label }),
    h('div', { class: 'word-row' }, box, ...(buttons.length ? [h('div', { class: 'words' }, ...buttons)] : [])), complaint);
  draw();
  return {
    element,
    input: box,
    get value() {
      return current;
    },
    set value(v) {
      current = v;
      draw();
    },
    /** What the word came to, shown where a number would stand. @param {string} text */
    set found(text) {
      box.placeholder = text;
    },
  };
}

/**
 * A text that must fit.
 * @param {Services} services
 * @param {{label: string, value: string, trouble: string, fits: (text: string) => boolean,
 *   onchange: (value: string) => void}} options
 */
export function text(services, options) {
  const id = `network-field-${(made += 1)}`;
  const box = h('input', { id, type: 'text', class: 'code', autocomplete: 'off', spellcheck: 'false' });
  const complaint = h('p', { class: 'complaint', role: 'alert' });
  const element = h('div', { class: 'field' }, h('label', { for: id, t: options.label }), box, complaint);
  box.value = options.value;
  box.addEventListener('change', () => {
    const fits = options.fits(box.value);
    complaint.textContent = fits ? '' : services.t(options.trouble);
    if (fits) {
      box.removeAttribute('aria-invalid');
      options.onchange(box.value.trim());
      services.touched();
    } else box.setAttribute('aria-invalid', 'true');
  });
  return {
    element,
    input: box,
    get value() {
      return box.value;
    },
    set value(v) {
      box.value = v;
      box.removeAttribute('aria-invalid');
      complaint.textContent = '';
    },
  };
}
