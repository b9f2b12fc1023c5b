// @ts-check
/** The network view: a model that trains on a table, seen while it does. */
import { pressed, SHORTCUTS } from 'fallline/network/keys';
import { picture } from 'fallline/network/picture';
import { Setup } from 'fallline/network/setup';
import { Side } from 'fallline/network/side';
import { Stage } from 'fallline/network/stage';
import { message, settingsOf, spoken } from 'fallline/network/state';
import { few } from 'fallline/panels/format';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/network/row').Entry} Entry */

/** Runs that a link names beside the first. */
const MOST_BESIDE = 6;

export class NetworkView {
  static shortcuts() {
    return SHORTCUTS;
  }

  /** @param {HTMLElement} root @param {Services} services */
  constructor(root, services) {
    this.root = root;
    this.services = services;
    this.online = false;
    this.visible = false;
    /** Does the server not know yet what is looked at? */
    this.stale = true;
    /** @type {Entry[]} */
    this.entries = [];
    /** @type {number | null} */
    this.selected = null;
    /** Which run trains. @type {number | null} */
    this.live = null;
    /** What was sent of each run. @type {{curves: Record<number, any>, seen: Record<number, any>, said: Record<number, any>}} */
    this.known = { curves: {}, seen: {}, said: {} };
    /** What a link asks for. @type {{run: boolean, advance: number, beside: Record<string, any>[]}} */
    this.wish = { run: false, advance: 0, beside: [] };
    this.advanced = 0;
    this.messages = 0;
    /** Findings that were announced. @type {Set<string>} */
    this.announced = new Set();
    this.setup = new Setup(services, {
      changed: () => services.touched(),
      table: () => this.openTable(),
      run: () => this.run(!this.live),
      step: () => this.step(),
      reset: () => this.reset(),
    });
    this.stage = new Stage(services, {
      select: (run) => this.select(run),
      forget: (run) => this.attempt(() => services.request('forget', { run })),
      save: () => this.save(),
    });
    this.side = new Side(services, { apply: (finding) => this.apply(finding) });
    root.append(this.setup.element, this.stage.element, this.side.element);
    this.show_();
  }

  // With the server.

  connected() {
    this.online = true;
    this.stale = true;
    if (this.visible) this.begin();
  }

  /** Tell the server what is looked at, and do what a link asked for. */
  begin() {
    this.stale = false;
    return this.attempt(async () => {
      const { services, setup } = this;
      await services.request('reset');
      services.send('language', { lang: services.language() });
      const { tables, first } = await services.request('tables');
      setup.tables = tables;
      setup.settings.data ??= first;
      // A saved run names its table by its path, which is the user's own here.
      if (tables[0].path && setup.settings.data === tables[0].path) setup.settings.data = tables[0].name;
      setup.show(setup.settings);
      this.openTable();
      const { run, advance } = this.wish;
      this.wish.run = false;
      this.wish.advance = 0;
      if (advance) await this.advance(advance);
      else if (run) await this.run(true);
    });
  }

  openTable() {
    this.services.send('table', { data: this.setup.settings.data });
    this.setup.arrange();
  }

  /** Do something that the server may refuse. @param {() => Promise<any>} action */
  async attempt(action) {
    try {
      return await action();
    } catch (error) {
      this.services.fail(error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  /** @param {any} found */
  onText(found) {
    const { known, services, setup } = this;
    this.messages += 1;
    if (found.type === 'table') {
      if (found.data === setup.settings.data) setup.tell(found);
    } else if (found.type === 'runs') this.tell(found);
    else if (found.type === 'curves') {
      known.curves[found.run] = found;
      this.draw(found.run);
    } else if (found.type === 'instruments') {
      known.seen[found.run] = found.instruments;
      if (found.run === this.selected) this.look();
    } else if (found.type === 'diagnosis') {
      known.said[found.run] = found;
      if (found.run === this.selected) this.hear();
    } else if (found.type === 'advanced') {
      this.advanced = found.step;
      this.describe();
      services.touched();
    } else if (found.type === 'error') services.fail(found.message);
  }

  /** How all runs stand. @param {{runs: Entry[], selected: number | null, live: number | null}} found */
  tell({ runs, selected, live }) {
    const before = new Map(this.entries.map((entry) => [entry.run, entry.phase]));
    const other = selected !== this.selected;
    const wasLive = this.live;
    this.entries = runs;
    this.selected = selected;
    this.live = live;
    for (const part of Object.values(this.known)) {
      for (const run of Object.keys(part)) if (!runs.some((entry) => String(entry.run) === run)) delete part[Number(run)];
    }
    const { current } = this;
    if (other && current) this.adopt(current);
    for (const entry of runs) {
      const fresh = before.get(entry.run) !== entry.phase;
      if (fresh && entry.phase === 'failed' && entry.sentence) this.services.fail(entry.sentence);
      if (fresh && entry.phase === 'ended' && entry.sentence) this.services.announce(entry.sentence);
    }
    this.show_();
    if (wasLive !== null && live === null) {
      this.describe();
      this.services.touched();
      this.goOn();
    }
  }

  /** The next run that a link names. */
  goOn() {
    const { current } = this;
    if (!this.wish.beside.length || current?.phase !== 'ended') return;
    const settings = this.wish.beside.shift() ?? {};
    this.setup.show(settingsOf({ ...spoken(this.setup.settings), ...settings }));
    this.run(true);
  }

  get current() {
    return this.entries.find(({ run }) => run === this.selected) ?? null;
  }

  /** The controls as a run was asked for. @param {Entry} entry */
  adopt(entry) {
    const { setup } = this;
    setup.show(settingsOf(entry.settings));
    this.services.touched();
  }

  /** All there is, anew. */
  show_() {
    const { current, stage, setup, known } = this;
    stage.row.set(this.entries, this.selected, this.live);
    const rate = current?.trained?.learning_rate;
    setup.transport.running = this.live !== null;
    setup.descent.rate.found = rate ? few(rate, 3) : '';
    setup.descent.batch.found = current?.trained?.batch_size ? String(current.trained.batch_size) : '';
    setup.descent.epochs.found = current?.trained?.epochs ? String(current.trained.epochs) : '';
    stage.draw(this.entries, known.curves);
    this.draw(this.selected ?? 0);
    this.look();
    this.hear();
  }

  /** The course of a run has gone on. @param {number} run */
  draw(run) {
    const { current, known, stage, side } = this;
    stage.draw(this.entries, known.curves);
    if (current && run !== current.run) return;
    const curves = current ? (known.curves[current.run] ?? null) : null;
    stage.head.set(current, curves, current !== null && current.run === this.live);
    side.draw(curves);
  }

  look() {
    const seen = this.current ? (this.known.seen[this.current.run] ?? null) : null;
    this.stage.show(seen);
    this.side.show(seen);
  }

  hear() {
    const { current, known, services } = this;
    const said = current ? known.said[current.run] : null;
    this.side.diagnose(said?.diagnosis ?? null, Boolean(said?.examining));
    for (const finding of said?.diagnosis.findings ?? []) {
      const key = `${current?.run} ${finding.name}`;
      if (finding.complaint && !this.announced.has(key)) services.announce(finding.verdict);
      this.announced.add(key);
    }
  }

  // What the user does.

  get asked() {
    return message(this.setup.settings);
  }

  /** @param {boolean} on */
  run(on) {
    return this.attempt(async () => {
      await this.services.request(on ? 'run' : 'pause', on ? this.asked : {});
      this.services.touched();
    });
  }

  step() {
    return this.advance(1);
  }

  /** @param {number} epochs */
  advance(epochs) {
    return this.attempt(() => this.services.request('advance', { ...this.asked, epochs_on: epochs }));
  }

  reset() {
    this.wish.beside = [];
    this.announced.clear();
    this.services.send('reset');
    this.services.touched();
  }

  /** @param {number} run */
  select(run) {
    return this.attempt(() => this.services.request('select', { run }));
  }

  /** @param {any} finding */
  apply(finding) {
    const { current } = this;
    if (!current) return;
    this.attempt(() => this.services.request('apply', { run: current.run, finding: finding.name }));
  }

  applyFirst() {
    const { remedy } = this.side;
    if (remedy) this.apply(remedy);
    else this.services.fail(this.services.t('network.noFix'));
  }

  save() {
    const { current } = this;
    if (!current) return;
    this.attempt(() => this.services.request('save', { run: current.run }));
  }

  // What the shell asks for.

  show() {
    this.visible = true;
    if (this.online && this.stale) this.begin();
  }

  hide() {
    this.visible = false;
  }

  /** Where it stands, for those who do not see it. */
  describe() {
    const { current, services } = this;
    const curves = current ? this.known.curves[current.run] : null;
    if (curves) {
      services.announce(services.t('network.announce', {
        epoch: few(curves.epoch, 4), loss: few(curves.loss), validation: few(curves.validation_loss),
      }));
    }
  }

  state() {
    const { entries, setup } = this;
    const [first, ...others] = entries;
    // Forks that no setting can say are left out: a link cannot make them again.
    const beside = others.filter(({ plain }) => plain).slice(0, MOST_BESIDE);
    const base = first && beside.length ? settingsOf(first.settings) : setup.settings;
    const said = spoken(base);
    const apart = beside.map(({ settings }) => {
      const own = spoken(settingsOf(settings));
      const names = [...new Set([...Object.keys(said), ...Object.keys(own)])];
      return Object.fromEntries(names.filter((name) => JSON.stringify(said[name]) !== JSON.stringify(own[name]))
        .map((name) => [name, own[name] ?? null]));
    });
    return { ...said, run: entries.length > 0 || null, beside: apart.length ? apart : null };
  }

  /**
   * The names of `fallline.fit`'s options; with `run`, `advance` (epochs, in lock-step) or `beside` (in what further
   * runs differ), it begins to train.
   * @param {Record<string, any>} given
   */
  restore(given) {
    this.setup.show(settingsOf(given));
    const advance = Number.isInteger(given.advance) && given.advance > 0 ? Math.min(given.advance, 100_000) : 0;
    const beside = Array.isArray(given.beside) ? given.beside.filter((one) => one && typeof one === 'object').slice(0, MOST_BESIDE) : [];
    this.wish = { run: given.run === true, advance, beside };
    this.stale = true;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    return pressed(this, event);
  }

  retheme() {
    this.stage.retheme();
    this.side.retheme();
    this.show_();
  }

  retranslate() {
    this.services.send('language', { lang: this.services.language() });
    this.setup.show(this.setup.settings);
    this.stage.retranslate();
    this.side.retranslate();
    this.show_();
  }

  exports() {
    const made = (/** @type {string} */ kind) => async () => {
      if (!this.selected) throw new Error(this.services.t('network.nothingYet'));
      return (await this.services.request(kind, { run: this.selected })).text;
    };
    return { png: () => picture(this), csv: made('csv'), python: made('script') };
  }

  status() {
    const curves = this.selected ? this.known.curves[this.selected] : null;
    return { step: curves?.step ?? 0, running: this.live !== null };
  }

  /** For tests: the numbers that are shown. */
  get test() {
    const { current, known, side, stage } = this;
    const curves = current ? known.curves[current.run] : null;
    return {
      runs: this.entries.map(({ run, phase, changes }) => ({ run, phase, changes })),
      selected: this.selected,
      live: this.live,
      advanced: this.advanced,
      phase: current?.phase ?? null,
      step: curves?.step ?? 0,
      epoch: curves?.epoch ?? 0,
      loss: curves?.loss ?? null,
      seconds: curves?.seconds ?? null,
      validation: curves?.validation_loss ?? null,
      findings: (side.said?.findings ?? []).map((/** @type {any} */ one) => one.name),
      examining: Boolean(current && known.said[current.run]?.examining),
      seen: current ? (known.seen[current.run]?.step ?? 0) : 0,
      panels: Object.entries({ ...stage.boxes, ...side.boxes }).filter(([, { element }]) => !element.hidden).map(([name]) => name),
      columns: this.setup.table?.columns.length ?? 0,
      messages: this.messages,
    };
  }
}
