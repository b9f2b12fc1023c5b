// @ts-check
/** The compare view: a sweep as heat map and curves, and an honest race of the optimizers. */
import { h, say } from 'fallline/dom';
import { Results } from 'fallline/compare/results';
import { Setup } from 'fallline/compare/setup';
import { Side } from 'fallline/compare/side';
import { read, written } from 'fallline/compare/state';
import { duration } from 'fallline/compare/words';

/** @typedef {import('fallline/services').Services} Services */

export class CompareView {
  static shortcuts() {
    return [['Space', 'compare.key.run'], ['← → ↑ ↓', 'compare.key.cells'], ['[ ]', 'compare.key.optimizer'],
      ['O', 'compare.key.open']];
  }

  /** @param {HTMLElement} root @param {Services} services */
  constructor(root, services) {
    this.services = services;
    this.online = false;
    this.visible = false;
    this.number = -1;
    /** What a link asks for once there are results. */
    this.wish = { go: false, map: '', cell: /** @type {number[] | null} */ (null) };
    /** Are the results those of the settings of now? */
    this.current = false;
    /** @type {number[] | null} */
    this.picked = null;
    this.setup = new Setup(services, {
      run: () => this.run(),
      stop: () => this.stop(),
      data: (name) => this.attempt(() => services.request('columns', { data: name })),
      changed: () => {
        this.current = false;
      },
    });
    this.results = new Results(services, {
      map: (optimizer) => this.attempt(() => this.show_(optimizer)),
      picked: (i, j) => this.attempt(() => this.pick(i, j)),
    });
    this.side = new Side(services, {
      opened: () => this.attempt(() => this.open()),
      measure: () => this.results.result?.measure ?? 'training_loss',
    });
    this.bar = h('div', { class: 'bar', role: 'progressbar', label: 'compare.progress', 'aria-valuemin': 0, 'aria-valuemax': 100 }, h('i', {}));
    this.phase = h('span', { class: 'phase' });
    this.left = h('span', { class: 'number' });
    this.progress = h('div', { class: 'progress', hidden: true }, h('div', { class: 'progress-words' }, this.phase, this.left), this.bar);
    this.welcome = h('div', { class: 'notice' }, h('h2', { t: 'compare.welcome' }), h('p', { t: 'compare.welcomeAbout' }),
      h('p', { t: 'compare.welcomeFair' }));
    this.page = h('div', { class: 'page', tabindex: '-1' }, this.progress, this.welcome, this.results.element);
    root.append(this.setup.element, h('div', { class: 'stage' }, this.page), this.side.element);
    this.setup.show(this.setup.settings);
  }

  // With the server.

  connected() {
    this.online = true;
    this.setup.offer();
    this.attempt(async () => {
      await this.services.request('columns', { data: this.setup.settings.data });
    });
  }

  /** @param {() => Promise<any>} action */
  async attempt(action) {
    try {
      await action();
    } catch (error) {
      this.services.fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {any} message */
  onText(message) {
    const { services, setup } = this;
    const { type } = message;
    if (type === 'columns') {
      setup.offerColumns(message.data, message.columns, message.target);
      // A link's sweep waits for the column to predict.
      if (this.wish.go) {
        this.wish.go = false;
        this.run();
      }
    } else if (type === 'error') services.fail(message.message);
    else if (type === 'began') {
      this.number = message.number;
      this.setRunning(true);
      this.tell({ phase: 'reading', done: 0, total: 0, seconds: 0, left: null });
    } else if (type === 'progress' && message.number === this.number) this.tell(message);
    else if (type === 'failed') {
      if (message.what === 'sweep') this.setRunning(false);
      services.fail(message.sentence);
    } else if (type === 'result') {
      this.setRunning(false);
      this.take(message);
    }
  }

  /** @param {any} result */
  take(result) {
    const { services } = this;
    this.picked = null;
    this.side.set(null);
    this.results.set(result);
    this.welcome.hidden = true;
    services.announce(this.results.best.textContent ?? '');
    const { map, cell } = this.wish;
    this.wish = { go: false, map: '', cell: null };
    const names = result.entries.map((/** @type {any} */ entry) => entry.optimizer);
    this.attempt(() => this.show_(names.includes(map) ? map : names[0], cell));
    services.touched();
  }

  /** @param {any} progress */
  tell({ phase, done, total, seconds, left }) {
    const share = total ? Math.min(1, done / total) : 0;
    say(this.phase, `compare.phase.${phase}`, { done: Math.floor(done + 1e-6).toLocaleString('en'), total: total.toLocaleString('en') });
    this.left.textContent = left === null ? duration(seconds) : this.services.t('compare.left', { time: duration(left) });
    this.bar.classList.toggle('waiting', !total);
    this.bar.setAttribute('aria-valuenow', String(Math.round(100 * share)));
    this.bar.style.setProperty('--share', `${100 * share}%`);
  }

  /** @param {boolean} on */
  setRunning(on) {
    this.setup.setRunning(on);
    this.progress.hidden = !on;
    this.results.element.classList.toggle('old', on);
  }

  // What the user does.

  async run() {
    if (this.setup.running) return;
    await this.attempt(async () => {
      await this.services.request('start', this.setup.message);
      this.current = true;
    });
    this.services.touched();
  }

  stop() {
    this.attempt(() => this.services.request('stop'));
  }

  /** The map of an optimizer, and one cell of it, the best unless another is named. @param {string} optimizer @param {number[] | null} [cell] */
  async show_(optimizer, cell = null) {
    const map = await this.services.request('map', { optimizer });
    this.picked = null;
    this.results.heat.pick(null);
    this.side.set(null);
    this.results.setMap(optimizer, map);
    const wanted = cell ?? map.heat.best;
    if (wanted) await this.pick(wanted[0], wanted[1]);
    this.services.touched();
  }

  /** @param {number} i @param {number} j */
  async pick(i, j) {
    const { optimizer } = this.results;
    const cell = await this.services.request('cell', { optimizer, i, j });
    this.picked = [i, j];
    this.results.heat.pick(this.picked);
    this.side.set(cell);
    this.services.touched();
  }

  async open() {
    if (!this.picked) return;
    const [i, j] = this.picked;
    const { state } = await this.services.request('network', { optimizer: this.results.optimizer, i, j });
    this.services.open('network', { ...state, run: true });
  }

  // What the shell asks for.

  onFrame() {}

  show() {
    this.visible = true;
  }

  hide() {
    this.visible = false;
  }

  state() {
    const { setup, results } = this;
    const shown = this.current && (results.result || setup.running);
    return {
      ...written(setup.settings),
      go: shown ? true : null,
      map: shown && results.optimizer ? results.optimizer : null,
      cell: shown ? this.picked : null,
    };
  }

  /** @param {Record<string, any>} given `Settings`; `go`: run it; `map`: an optimizer; `cell`: i, j */
  restore(given) {
    this.setup.settings = read(given);
    const { go, map, cell } = given;
    const place = Array.isArray(cell) && cell.length === 2 && cell.every(Number.isInteger) ? cell : null;
    this.wish = { go: go === true, map: typeof map === 'string' ? map : '', cell: place };
    this.setup.show(this.setup.settings);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { setup, results } = this;
    if (event.key === ' ') {
      if (setup.running) this.stop();
      else this.run();
    } else if (event.key === '[' || event.key === ']') {
      const names = results.result?.entries.map((/** @type {any} */ entry) => entry.optimizer) ?? [];
      if (!names.length) return false;
      const next = names[(names.indexOf(results.optimizer) + (event.key === ']' ? 1 : names.length - 1)) % names.length];
      this.attempt(() => this.show_(next));
    } else if (event.key.toLowerCase() === 'o') this.attempt(() => this.open());
    else if (event.key.startsWith('Arrow') && results.map) {
      const { heat } = results.map;
      const [i, j] = this.picked ?? heat.best ?? [0, 0];
      const by = /** @type {Record<string, number[]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] })[event.key];
      const next = [Math.min(heat.x.length - 1, Math.max(0, i + by[0])), Math.min(heat.y.length - 1, Math.max(0, j + by[1]))];
      this.attempt(() => this.pick(next[0], next[1]));
    } else return false;
    return true;
  }

  retheme() {
    this.setup.retheme();
    this.results.retheme();
    this.side.retheme();
  }

  retranslate() {
    this.setup.arrange();
    this.results.retranslate();
    this.side.retranslate();
  }

  exports() {
    const { services, results } = this;
    return {
      python: async () => (await services.request('script', this.setup.message)).text,
      ...(results.result ? {
        csv: async () => (await services.request('csv')).text,
        png: () => this.picture(),
      } : {}),
    };
  }

  /** The heat map as it is seen. @returns {Promise<Blob>} */
  picture() {
    const canvas = this.results.heatBox.body.querySelector('canvas');
    return new Promise((resolve, reject) => {
      if (!canvas) reject(new Error(this.services.t('compare.noPicture')));
      else canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error(this.services.t('compare.noPicture')))));
    });
  }

  status() {
    return { step: this.results.result?.runs ?? 0, running: this.setup.running };
  }

  /** For tests: what is shown. */
  get test() {
    const { setup, results, side } = this;
    return {
      running: setup.running,
      number: this.number,
      runs: results.result?.runs ?? 0,
      optimizer: results.optimizer,
      picked: this.picked,
      cell: side.cell ? { setting: side.cell.setting, seeds: side.cell.seeds.length } : null,
      verdict: results.best.textContent,
      columns: setup.columns,
      settings: setup.settings,
      progress: this.progress.hidden ? '' : this.progress.textContent,
      best: results.map?.heat.best ?? null,
    };
  }
}
