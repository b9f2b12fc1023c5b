// @ts-check
/** Sliders, choices and buttons, alike in all views. */
import { h, name_, say } from 'fallline/dom';

/** @typedef {import('fallline/services').Services} Services */

let made = 0;
const fresh = () => `c${(made += 1)}`;

/** A number in few characters. @param {number} value @returns {string} */
export function short(value) {
  if (!Number.isFinite(value)) {
    return Number.isNaN(value) ? '–' : value > 0 ? '∞' : '−∞';
  }
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5)
    ? value.toExponential(1).replace('e+', 'e')
    : size >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  return text.replace(/-/g, '−');
}

/**
 * @typedef {Object} SliderOptions
 * @property {string} label key of its name
 * @property {Record<string, string | number>} [values] for the name
 * @property {number} low
 * @property {number} high
 * @property {number} value
 * @property {boolean} [log] is the scale logarithmic?
 * @property {number} [step] of the values, where the scale is not logarithmic
 * @property {(value: number) => string} [format]
 * @property {(value: number) => void} [oninput] at every move
 * @property {(value: number) => void} [onchange] when it is let go
 */

/** @param {Services} services @param {SliderOptions} options */
export function slider(services, options) {
  const { low, high, log = false, format = short } = options;
  const id = fresh();
  const place = (/** @type {number} */ v) => (log ? Math.log10(Math.min(high, Math.max(low, v))) : v);
  const value = (/** @type {number} */ p) => (log ? Number((10 ** p).toPrecision(3)) : p);
  const [from, to] = [place(low), place(high)];
  const range = h('input', {
    id, type: 'range', min: from, max: to, step: log ? (to - from) / 400 : options.step ?? (high - low) / 200,
  });
  const output = h('output', { for: id, class: 'number' });
  const word = h('span', { class: 'verdict' });
  const name = h('label', { for: id, t: options.label, values: options.values });
  const element = h('div', { class: 'slider' }, h('div', { class: 'slider-head' }, name, word, output), range);
  /** What was set last: finer than the slider's own steps. */
  let current = options.value;

  const draw = () => {
    const share = (/** @type {number} */ v) => Math.min(1, Math.max(0, (place(v) - from) / (to - from)));
    range.style.setProperty('--p', `${share(current) * 100}%`);
    range.setAttribute('aria-valuetext', format(current));
    output.textContent = format(current);
  };
  const moved = () => {
    current = value(Number(range.value));
    draw();
  };
  range.addEventListener('input', () => {
    moved();
    options.oninput?.(current);
  });
  range.addEventListener('change', () => {
    moved();
    options.onchange?.(current);
    services.touched();
  });
  const control = {
    element,
    input: range,
    get value() {
      return current;
    },
    set value(v) {
      current = v;
      range.value = String(place(v));
      draw();
    },
    set disabled(/** @type {boolean} */ off) {
      range.disabled = off;
    },
    /** Above this the scale is red; null for nowhere. @param {number | null} v */
    set limit(v) {
      const known = v !== null && Number.isFinite(v) && v > 0;
      const share = known ? Math.min(1, Math.max(0, (place(v) - from) / (to - from))) : 1;
      element.classList.toggle('limited', known && share < 1);
      range.style.setProperty('--limit', `${share * 100}%`);
    },
    /** @param {'safe' | 'edge' | 'explode' | null} kind */
    set verdict(kind) {
      word.className = kind ? `verdict ${kind}` : 'verdict';
      if (kind) {
        say(word, `control.${kind}`);
      } else {
        word.removeAttribute('data-t');
        word.textContent = '';
      }
    },
  };
  control.value = options.value;
  return control;
}

/**
 * @typedef {{value: string, text?: string, t?: string}} Option
 * @typedef {{label: string, options: Option[], value: string, onchange?: (value: string) => void}} ChoiceOptions
 */

/** @param {Option} option @returns {HTMLOptionElement} */
const optionOf = (option) => h('option', { value: option.value, t: option.t }, option.t ? null : option.text);

/** @param {Services} services @param {ChoiceOptions} options */
export function select(services, options) {
  const id = fresh();
  const box = h('select', { id }, ...options.options.map(optionOf));
  const element = h('div', { class: 'field' }, h('label', { for: id, t: options.label }), box);
  box.addEventListener('change', () => {
    options.onchange?.(box.value);
    services.touched();
  });
  box.value = options.value;
  return {
    element,
    input: box,
    get value() {
      return box.value;
    },
    set value(v) {
      box.value = v;
    },
    /** @param {Option[]} list @param {string} [value] */
    offer(list, value) {
      const kept = value ?? box.value;
      box.replaceChildren(...list.map(optionOf));
      box.value = kept;
    },
  };
}

/** A row of buttons of which one is pressed. @param {Services} services @param {ChoiceOptions} options */
export function segmented(services, options) {
  const element = h('div', { class: 'segmented', role: 'radiogroup', label: options.label });
  const buttons = options.options.map((option) => {
    const one = h('button', { type: 'button', role: 'radio', t: option.t }, option.t ? null : option.text);
    one.addEventListener('click', () => {
      control.value = option.value;
      options.onchange?.(option.value);
      services.touched();
    });
    return one;
  });
  element.append(...buttons);
  element.addEventListener('keydown', (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by) {
      event.preventDefault();
      event.stopPropagation();
      const at = options.options.findIndex((option) => option.value === current);
      const next = buttons[(at + by + buttons.length) % buttons.length];
      next.focus();
      next.click();
    }
  });
  let current = options.value;
  const control = {
    element,
    get value() {
      return current;
    },
    set value(v) {
      current = v;
      buttons.forEach((one, i) => {
        const chosen = options.options[i].value === v;
        one.setAttribute('aria-checked', String(chosen));
        one.tabIndex = chosen ? 0 : -1;
      });
    },
  };
  control.value = options.value;
  return control;
}

/**
 * @param {Services} services
 * @param {{label: string, value: boolean, onchange?: (value: boolean) => void}} options
 */
export function toggle(services, options) {
  const id = fresh();
  const box = h('input', { id, type: 'checkbox', role: 'switch' });
  const element = h('div', { class: 'toggle' }, box, h('label', { for: id, t: options.label }));
  box.checked = options.value;
  box.addEventListener('change', () => {
    options.onchange?.(box.checked);
    services.touched();
  });
  return {
    element,
    input: box,
    get value() {
      return box.checked;
    },
    set value(v) {
      box.checked = v;
    },
  };
}

/**
 * @param {Services} services
 * @param {{t?: string, label?: string, icon?: string, primary?: boolean, pressed?: boolean,
 *   class?: string, onclick?: () => void}} options `icon` is a single character
 */
export function button(services, options) {
  const element = h('button', {
    type: 'button',
    class: ['button', options.primary && 'primary', options.icon && !options.t && 'icon', options.class]
      .filter(Boolean).join(' '),
    label: options.label,
    onclick: options.onclick,
  });
  const text = h('span', { t: options.t });
  element.append(...[options.icon && h('span', { 'aria-hidden': 'true' }, options.icon), options.t && text]
    .filter((part) => part instanceof Node));
  if (options.pressed !== undefined) {
    element.setAttribute('aria-pressed', String(options.pressed));
  }
  return {
    element,
    get value() {
      return element.getAttribute('aria-pressed') === 'true';
    },
    set value(v) {
      element.setAttribute('aria-pressed', String(v));
    },
    /** @param {string} key */
    set text(key) {
      say(text, key);
    },
    /** @param {string} key */
    set label(key) {
      name_(element, key);
    },
    set disabled(/** @type {boolean} */ off) {
      element.disabled = off;
    },
  };
}

/** A part of a column, under its heading. @param {string} key @param {...Node} children */
export function section(key, ...children) {
  const id = fresh();
  return h('section', { class: 'part', 'aria-labelledby': id }, h('h2', { id, t: key }), ...children);
}

/**
 * @param {Services} services
 * @param {{label: string, low: number, high: number, value: number, step?: number | 'any',
 *   onchange?: (value: number) => void}} options
 */
export function number(services, options) {
  const id = fresh();
  const box = h('input', {
    id, type: 'number', min: options.low, max: options.high, step: options.step ?? 'any', class: 'number',
  });
  const element = h('div', { class: 'field inline' }, h('label', { for: id, t: options.label }), box);
  box.value = String(options.value);
  box.addEventListener('change', () => {
    const wished = Number(box.value);
    const fits = box.value !== '' && Number.isFinite(wished);
    const v = Math.min(options.high, Math.max(options.low, fits ? wished : options.value));
    box.value = String(v);
    options.onchange?.(v);
    services.touched();
  });
  return {
    element,
    input: box,
    get value() {
      return Number(box.value);
    },
    set value(v) {
      box.value = String(v);
    },
  };
}

/**
 * The buttons at the foot of a view's left column.
 * @param {Services} services
 * @param {{onrun: () => void, onstep: () => void, onreset: () => void}} options
 */
export function transport(services, options) {
  const run = button(services, { t: 'control.run', primary: true, onclick: options.onrun, class: 'run' });
  const step = button(services, { t: 'control.step', onclick: options.onstep });
  const reset = button(services, { t: 'control.reset', onclick: options.onreset });
  const element = h('div', { class: 'transport' }, run.element, step.element, reset.element);
  let running = false;
  return {
    element,
    get running() {
      return running;
    },
    set running(on) {
      running = on;
      run.text = on ? 'control.pause' : 'control.run';
      run.element.classList.toggle('running', on);
    },
  };
}
