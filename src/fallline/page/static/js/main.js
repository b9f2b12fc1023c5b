// @ts-check
/** The shell: tabs, connection, theme, language, address, export. */
import * as address from 'fallline/address';
import { h, name_, retranslate, save, saveText } from 'fallline/dom';
import { LANGUAGES, language, preferred, speak, t } from 'fallline/language';
import { makeTop } from 'fallline/top';
import { Socket } from 'fallline/wire';

/** @typedef {import('fallline/services').View} View */
/** @typedef {import('fallline/services').Services} Services */

/** @typedef {{new (root: HTMLElement, services: Services): View, shortcuts?: () => string[][]}} Kind */

/** A view is fetched when it is first opened. @type {Record<string, () => Promise<Kind>>} */
const KINDS = {
  terrain: async () => (await import('fallline/terrain/view')).TerrainView,
  fit: async () => (await import('fallline/fit/view')).FitView,
  graph: async () => (await import('fallline/graph/view')).GraphView,
  network: async () => (await import('fallline/network/view')).NetworkView,
  compare: async () => (await import('fallline/compare/view')).CompareView,
  runs: async () => (await import('fallline/runs/view')).RunsView,
  gallery: async () => (await import('fallline/gallery/view')).GalleryView,
};

/** What a fragment says about the page as a whole; the rest is the view's. */
const SHELL = ['view', 'theme', 'lang', 'quality', 'dpr'];

export async function start() {
  const given = address.read(location.hash);
  const page = document.documentElement;
  const light = matchMedia('(prefers-color-scheme: light)');
  page.dataset.theme = ['dark', 'light'].includes(given.theme) ? given.theme : light.matches ? 'light' : 'dark';
  await speak(typeof given.lang === 'string' ? given.lang : stored('language') ?? preferred());
  const shell = new Shell(given);
  shell.connect();
  shell.busy();
}

/** @param {string} name @returns {string | null} */
function stored(name) {
  try {
    return localStorage.getItem(`fallline.${name}`);
  } catch {
    return null;
  }
}

class Shell {
  /** @param {Record<string, any>} given what the address says */
  constructor(given) {
    this.given = given;
    this.quality = given.quality === 'low' ? 'low' : 'high';
    this.pixelRatio = typeof given.dpr === 'number' && given.dpr > 0 && given.dpr <= 4
      ? given.dpr : Math.min(2, devicePixelRatio);
    this.chosen = { theme: given.theme !== undefined, language: given.lang !== undefined };
    this.catalogue = null;
    this.online = false;
    this.lost = false;
    /** @type {Map<number, {resolve: (answer: any) => void, reject: (error: Error) => void}>} */
    this.waiting = new Map();
    this.requests = 0;
    this.frames = 0;
    /** @type {Record<string, View>} */
    this.views = {};
    /** @type {Record<string, string[][]>} */
    this.shortcuts = {};
    /** @type {Record<string, HTMLElement>} */
    this.roots = {};
    this.current = Object.keys(KINDS).includes(given.view) ? given.view : 'terrain';
    this.top = makeTop(/** @type {HTMLElement} */ (document.getElementById('top')), {
      views: Object.keys(KINDS),
      onview: (name) => this.show(name),
      ontheme: () => this.turn(),
      onlanguage: () => this.speakNext(),
      onexport: (kind) => this.export(kind),
      offered: () => Object.keys(this.views[this.current]?.exports() ?? {}),
      onlink: () => this.copyLink(),
      onhelp: () => this.help(),
    });
    const host = /** @type {HTMLElement} */ (document.getElementById('views'));
    for (const name of Object.keys(KINDS)) {
      const root = h('section', { class: `view view-${name}`, role: 'tabpanel', id: `panel-${name}`,
        'aria-labelledby': `tab-${name}`, hidden: name !== this.current });
      host.append(root);
      this.roots[name] = root;
    }
    this.listen();
    this.measure();
    const rest = Object.fromEntries(Object.entries(given).filter(([name]) => !SHELL.includes(name)));
    const wanted = this.current;
    this.current = '';
    this.show(wanted, rest);
    /** For tests, and for whoever is curious in the console. */
    /** @type {any} */ (window).fallline = this;
  }

  /** @param {string} name @returns {Services} */
  servicesOf(name) {
    const shell = this;
    return {
      send: (type, fields = {}) => shell.socket?.send({ ...fields, view: name, type }),
      request: (type, fields = {}) => shell.request(name, type, fields),
      t,
      language,
      theme: () => (document.documentElement.dataset.theme === 'light' ? 'light' : 'dark'),
      reduced: () => matchMedia('(prefers-reduced-motion: reduce)').matches,
      quality: /** @type {'high' | 'low'} */ (this.quality),
      pixelRatio: this.pixelRatio,
      announce: (text) => shell.announce(text),
      touched: () => shell.touched(),
      open: (view, state) => {
        shell.show(view, state);
      },
      fail: (sentence) => shell.notice(sentence),
      get catalogue() {
        return shell.catalogue;
      },
    };
  }

  connect() {
    this.socket = new Socket({
      onOpen: () => {},
      onText: (message) => this.onText(message),
      onFrame: (frame) => {
        this.frames += 1;
        for (const view of Object.values(this.views)) {
          view.onFrame?.(frame);
        }
        if (frame.sequence) {
          // Credit goes back once the browser has had its chance to draw.
          requestAnimationFrame(() => this.socket?.send({ view: 'session', type: 'ack' }));
        }
      },
      onClose: (code) => this.onClose(code),
    });
  }

  /** @param {any} message */
  onText(message) {
    if (message.view === 'session' && message.type === 'hello') {
      this.catalogue = message;
      this.online = true;
      this.busy();
      this.veil?.remove();
      this.tell();
      for (const view of Object.values(this.views)) {
        view.connected();
      }
      return;
    }
    const waiting = this.waiting.get(message.id);
    if (waiting && ['answer', 'error'].includes(message.type)) {
      this.waiting.delete(message.id);
      this.busy();
      if (message.type === 'answer') {
        waiting.resolve(message);
      } else {
        waiting.reject(new Error(message.message));
      }
      return;
    }
    const view = this.views[message.view];
    if (view) {
      view.onText(message);
    } else if (message.type === 'error') {
      this.notice(message.message);
    }
  }

  /** @param {string} view @param {string} type @param {Record<string, any>} fields @returns {Promise<any>} */
  request(view, type, fields) {
    return new Promise((resolve, reject) => {
      if (!this.online) {
        reject(new Error(t('app.offline')));
        return;
      }
      const id = (this.requests += 1);
      this.waiting.set(id, { resolve, reject });
      this.busy();
      this.socket?.send({ ...fields, view, type, id });
    });
  }

  /** @param {number} code */
  onClose(code) {
    this.online = false;
    for (const { reject } of this.waiting.values()) {
      reject(new Error(t('app.offline')));
    }
    this.waiting.clear();
    this.lost = true;
    this.busy();
    this.veil?.remove();
    const full = code === 1013;
    this.veil = h('div', { class: 'veil', role: 'alertdialog', 'aria-modal': 'true' }, h('div', {},
      h('h2', { t: full ? 'app.full' : 'app.stopped' }),
      h('p', { t: full ? 'app.fullAbout' : 'app.stoppedAbout' }),
      h('p', {}, h('code', {}, 'fallline studio')),
      h('button', { class: 'button primary', type: 'button', t: 'app.again', onclick: () => location.reload() })));
    document.getElementById('views')?.append(this.veil);
    this.veil.querySelector('button')?.focus();
  }

  /**
   * Open a view.
   * @param {string} name
   * @param {Record<string, any> | null} [state] what it is to show; as it was, if none
   */
  async show(name, state = null) {
    if (name === this.current && !state) {
      return;
    }
    const first = !this.current;
    if (name !== this.current) {
      this.views[this.current]?.hide();
    }
    for (const [other, root] of Object.entries(this.roots)) {
      root.hidden = other !== name;
    }
    this.current = name;
    this.top.choose(name);
    const known = this.views[name];
    if (!known) {
      try {
        const Kind = await KINDS[name]();
        this.shortcuts[name] = Kind.shortcuts?.() ?? [];
        this.views[name] ??= new Kind(this.roots[name], this.servicesOf(name));
      } catch (error) {
        const values = { reason: error instanceof Error ? error.message : String(error) };
        this.roots[name].replaceChildren(h('p', { class: 'broken', role: 'alert', t: 'app.broken', values }));
        throw error;
      }
    }
    const view = this.views[name];
    if (state) {
      view.restore(state);
    }
    if (this.current === name) {
      view.show();
      this.tell();
    }
    if (this.online && (state || !known)) {
      view.connected();
    }
    if (!first) {
      this.touched();
    }
  }

  /** Something is asked for and has not come yet: said after a moment, so that what is quick does not flicker. */
  busy() {
    clearTimeout(this.patience);
    const starting = !this.online && !this.lost;
    const busy = starting || this.waiting.size > 0;
    const tell = () => {
      document.body.classList.toggle('busy', busy);
      document.getElementById('views')?.setAttribute('aria-busy', String(busy));
      this.starting?.remove();
      this.starting = starting ? h('p', { class: 'starting', role: 'status', t: 'app.starting' }) : null;
      if (this.starting) {
        document.getElementById('views')?.append(this.starting);
      }
    };
    if (busy) {
      this.patience = setTimeout(tell, 350);
    } else {
      tell();
    }
  }

  /** Only a view that is seen is computed. */
  tell() {
    const name = document.hidden ? null : this.current;
    this.socket?.send({ view: 'session', type: 'show', name });
  }

  listen() {
    document.addEventListener('visibilitychange', () => this.tell());
    document.addEventListener('keydown', (event) => this.onKey(event));
    window.addEventListener('hashchange', () => {
      // Typed or pasted by hand: what the page itself writes does not come here.
      if (location.hash.replace(/^#/, '') !== this.written) {
        location.reload();
      }
    });
    matchMedia('(prefers-color-scheme: light)').addEventListener('change', (event) => {
      if (!this.chosen.theme) {
        this.setTheme(event.matches ? 'light' : 'dark');
      }
    });
    document.fonts?.ready.then(() => {
      for (const view of Object.values(this.views)) {
        view.retheme();
      }
    });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    // A slider has its own use for these keys, and none for the others.
    const sliding = target.matches?.('input[type=range]') && /^(Arrow|Home|End|Page)/.test(event.key);
    const typing = sliding || target.closest?.('input:not([type=range]), textarea, select, [contenteditable]');
    const pressing = event.key === ' ' && target.closest?.('button, summary, a');
    const elsewhere = event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]');
    if (typing || pressing || elsewhere) {
      return;
    }
    if (event.key === '?') {
      this.help();
    } else if (event.key === 'T') {
      this.turn();
    } else if (event.key === 'L') {
      this.speakNext();
    } else if (!this.views[this.current]?.key(event)) {
      return;
    }
    event.preventDefault();
  }

  turn() {
    this.chosen.theme = true;
    this.setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');
    this.touched();
  }

  /** @param {'dark' | 'light'} theme */
  setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    for (const view of Object.values(this.views)) {
      view.retheme();
    }
  }

  async speakNext() {
    this.chosen.language = true;
    await speak(LANGUAGES[(LANGUAGES.indexOf(language()) + 1) % LANGUAGES.length]);
    try {
      localStorage.setItem('fallline.language', language());
    } catch {
      // Private windows may keep nothing.
    }
    retranslate(document);
    for (const view of Object.values(this.views)) {
      view.retranslate();
    }
    this.touched();
  }

  touched() {
    clearTimeout(this.writing);
    this.writing = setTimeout(() => this.write(), 250);
  }

  write() {
    const root = document.documentElement;
    const state = {
      view: this.current,
      theme: this.chosen.theme ? root.dataset.theme : null,
      lang: this.chosen.language ? language() : null,
      quality: this.quality === 'low' ? 'low' : null,
      dpr: this.given.dpr ?? null,
      ...this.views[this.current]?.state(),
    };
    this.written = address.write(state);
    history.replaceState(null, '', `#${this.written}`);
  }

  async copyLink() {
    this.write();
    try {
      await navigator.clipboard.writeText(location.href);
      this.notice(t('app.copied'), true);
    } catch {
      this.notice(t('app.copyByHand'));
    }
  }

  /** @param {string} kind */
  async export(kind) {
    const view = this.views[this.current];
    try {
      const exports = /** @type {Record<string, (() => Promise<any>) | undefined>} */ (view.exports());
      const make = exports[kind];
      if (!make) {
        this.notice(t('app.cannotExport'));
        return;
      }
      const found = await make();
      const endings = { python: 'py' };
      const name = `fallline-${this.current}.${/** @type {any} */ (endings)[kind] ?? kind}`;
      if (found instanceof Blob) {
        save(name, found);
      } else {
        saveText(name, found);
      }
    } catch (error) {
      this.notice(error instanceof Error ? error.message : String(error));
    }
  }

  help() {
    const rows = [...(this.shortcuts[this.current] ?? []), ['?', 'app.key.help'], ['T', 'app.key.theme'],
      ['L', 'app.key.language']];
    const close = h('button', { class: 'button', type: 'button', t: 'app.close' });
    const dialog = h('dialog', { 'aria-labelledby': 'help-title' },
      h('h2', { t: 'app.keys', id: 'help-title' }),
      h('dl', {}, ...rows.flatMap(([keys, text]) => [
        h('dt', {}, ...keys.split(' ').map((/** @type {string} */ k) => h('kbd', {}, k))), h('dd', { t: text })])),
      close);
    close.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  /** @param {string} sentence @param {boolean} [good] */
  notice(sentence, good = false) {
    const host = document.getElementById('toasts');
    if (!host || [...host.querySelectorAll('p')].some((p) => p.textContent === sentence)) {
      return;
    }
    const close = h('button', { type: 'button', label: 'app.close' }, '✕');
    const toast = h('div', { class: good ? 'toast good' : 'toast' }, h('p', {}, sentence), close);
    close.addEventListener('click', () => toast.remove());
    host.append(toast);
    setTimeout(() => toast.remove(), good ? 2500 : 12_000);
    while (host.children.length > 3) {
      host.firstElementChild?.remove();
    }
  }

  /** @param {string} text */
  announce(text) {
    const host = document.getElementById('announce');
    if (host) {
      host.textContent = text;
    }
  }

  /** The header's numbers, once a second. */
  measure() {
    let last = performance.now();
    setInterval(() => {
      const now = performance.now();
      this.top.report(this.views[this.current]?.status().step ?? 0, (this.frames * 1000) / (now - last));
      this.frames = 0;
      last = now;
    }, 500);
  }
}
