// @ts-check
/** The room that a widget has in a page that is not ours: a tree of its own, so that no style leaks in or out. */
import { h } from 'fallline/dom';
import { language, speak, t } from 'fallline/language';
import { dressOf, watchDress } from 'fallline/notebook/dress';

/**
 * What a notebook's front end gives a widget.
 * @typedef {Object} Model
 * @property {(name: string) => any} get
 */
/** @typedef {import('fallline/services').Services} Services */

/**
 * What is drawn in a room.
 * @typedef {Object} Tenant
 * @property {() => void} retheme
 * @property {() => void} dispose
 * @property {any} test
 */

/**
 * Make the room and let the tenant in.
 * @param {Model} model
 * @param {HTMLElement} el of the notebook
 * @param {string} className of the root
 * @param {(root: HTMLElement, services: Services) => Tenant | Promise<Tenant>} let_in
 * @returns {Promise<() => void>} leave
 */
export async function settle(model, el, className, let_in) {
  await speakHere(model.get('lang'));
  const host = h('div', { class: 'fallline-host' });
  // Keys pressed in here are not the notebook's.
  host.setAttribute('data-lm-suppress-shortcuts', 'true');
  const root = h('div', { class: `fallline notebook ${className}` });
  root.lang = language() === 'zh' ? 'zh-Hans' : 'en';
  const asked = model.get('theme');
  const dress = () => (asked === 'dark' || asked === 'light' ? asked : dressOf(el));
  root.dataset.theme = dress();
  root.style.height = `${model.get('height')}px`;
  const shadow = host.attachShadow({ mode: 'open' });
  shadow.append(h('style', {}, await sheetOf(model.get('sheet'))), root);
  el.append(host);
  const services = servicesOf(root);
  /** @type {Tenant | null} */
  let tenant = null;
  try {
    tenant = await let_in(root, services);
  } catch (error) {
    services.fail(error instanceof Error ? error.message : String(error));
  }
  const stop = watchDress(() => {
    const now = dress();
    if (root.isConnected && now !== root.dataset.theme) {
      root.dataset.theme = now;
      tenant?.retheme();
    }
  });
  Object.assign(host, { fallline: { root, tenant, services } });
  return () => {
    stop();
    tenant?.dispose();
    host.remove();
  };
}

/** Choose the language for these modules; the page's own stays as it is. @param {string} wanted */
async function speakHere(wanted) {
  const page = document.documentElement;
  const before = page.getAttribute('lang');
  await speak(wanted);
  if (before === null) {
    page.removeAttribute('lang');
  } else {
    page.setAttribute('lang', before);
  }
}

/** @param {string} packed base64 of gzip @returns {Promise<string>} */
async function sheetOf(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
}

/** @param {HTMLElement} root @returns {Services} */
function servicesOf(root) {
  const spoken = h('p', { class: 'visually-hidden', 'aria-live': 'polite' });
  root.append(spoken);
  const nothing = () => {};
  return {
    t,
    language,
    theme: () => (root.dataset.theme === 'dark' ? 'dark' : 'light'),
    reduced: () => matchMedia('(prefers-reduced-motion: reduce)').matches,
    quality: 'high',
    pixelRatio: Math.min(2, globalThis.devicePixelRatio || 1),
    announce: (text) => {
      spoken.textContent = text;
    },
    fail: (sentence) => {
      root.append(h('p', { class: 'failed', role: 'alert' }, sentence));
    },
    catalogue: null,
    touched: nothing,
    open: nothing,
    send: nothing,
    request: () => Promise.reject(new Error('There is no engine behind a notebook\'s page.')),
  };
}
