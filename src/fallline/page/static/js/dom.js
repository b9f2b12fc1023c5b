// @ts-check
/** Elements made by hand: no markup is ever parsed from data. */
import { t } from 'fallline/language';

/**
 * @typedef {Record<string, any>} Options
 * `t`: key of the text; `values`: its placeholders; `label`: key of the accessible name and tooltip;
 * `class`; `on...`: listeners; all else attributes (true for an empty one; false or null for none).
 */
/** @typedef {Node | string | number | null | undefined | false} Child */

const SVG = 'http://www.w3.org/2000/svg';
const MATHML = 'http://www.w3.org/1998/Math/MathML';

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Options} [options]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  dress(element, options);
  element.append(...children.filter(present).map(String2Node));
  return element;
}

/**
 * @param {string} tag
 * @param {Options} [options]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function svg(tag, options = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  dress(element, options);
  element.append(...children.filter(present).map(String2Node));
  return element;
}

/** @param {Child} child @returns {child is Node | string | number} */
const present = (child) => child !== null && child !== undefined && child !== false;

/** @param {any} child @returns {Node | string} */
const String2Node = (child) => (child instanceof Node ? child : String(child));

/** @param {Element} element @param {Options} options */
function dress(element, options) {
  for (const [name, value] of Object.entries(options)) {
    if (value === null || value === undefined || value === false) {
      continue;
    }
    if (name.startsWith('on')) {
      element.addEventListener(name.slice(2), value);
    } else if (name === 'class') {
      element.setAttribute('class', value);
    } else if (name === 't') {
      say(/** @type {HTMLElement} */ (element), value, options.values);
    } else if (name === 'label') {
      name_(element, value, options.values);
    } else if (name !== 'values') {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
}

/**
 * Give an element a text that follows the language.
 * @param {Element} element @param {string} key @param {Record<string, string | number>} [values]
 */
export function say(element, key, values) {
  element.setAttribute('data-t', key);
  if (values) {
    element.setAttribute('data-values', JSON.stringify(values));
  } else {
    element.removeAttribute('data-values');
  }
  element.textContent = t(key, values);
}

/**
 * Give an element an accessible name, shown as a tooltip, that follows the language.
 * @param {Element} element @param {string} key @param {Record<string, string | number>} [values]
 */
export function name_(element, key, values) {
  element.setAttribute('data-label', key);
  if (values) {
    element.setAttribute('data-label-values', JSON.stringify(values));
  } else {
    element.removeAttribute('data-label-values');
  }
  element.setAttribute('aria-label', t(key, values));
  if (element instanceof HTMLElement) {
    element.title = t(key, values);
  }
}

/** Say everything anew in the language of now. @param {ParentNode} root */
export function retranslate(root) {
  for (const element of root.querySelectorAll('[data-t]')) {
    const values = element.getAttribute('data-values');
    element.textContent = t(element.getAttribute('data-t') ?? '', values ? JSON.parse(values) : {});
  }
  for (const element of root.querySelectorAll('[data-label]')) {
    const values = element.getAttribute('data-label-values');
    name_(element, element.getAttribute('data-label') ?? '', values ? JSON.parse(values) : undefined);
  }
}

/** @param {Element} element */
export function clear(element) {
  element.replaceChildren();
}

/**
 * MathML that the server made, as an element; anything in it that is not MathML is left out.
 * @param {string} text
 * @returns {Element}
 */
export function mathml(text) {
  const parsed = new DOMParser().parseFromString(text, 'application/xml');
  const root = parsed.documentElement;
  if (root.namespaceURI !== MATHML) {
    return h('code', {}, text);
  }
  return /** @type {Element} */ (copyOf(root));
}

/** @param {Node} node @returns {Node | null} */
function copyOf(node) {
  if (node.nodeType === Node.TEXT_NODE) {
    return document.createTextNode(node.nodeValue ?? '');
  }
  if (!(node instanceof Element) || node.namespaceURI !== MATHML) {
    return null;
  }
  const copy = document.createElementNS(MATHML, node.localName);
  for (const attribute of node.attributes) {
    // Neither listeners nor links nor styles: only how the formula is set.
    if (/^(display|stretchy|mathvariant|form|fence|separator|width|rowspacing|columnspacing|columnalign|accent)$/
      .test(attribute.name)) {
      copy.setAttribute(attribute.name, attribute.value);
    }
  }
  for (const child of node.childNodes) {
    const made = copyOf(child);
    if (made) {
      copy.append(made);
    }
  }
  return copy;
}

/** Hand a file to the user. @param {string} name @param {Blob} blob */
export function save(name, blob) {
  const address = URL.createObjectURL(blob);
  const link = h('a', { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** @param {string} name @param {string} text @param {string} [type] */
export function saveText(name, text, type = 'text/plain') {
  save(name, new Blob([text], { type: `${type};charset=utf-8` }));
}
