// @ts-check
/** The runs view: the saved runs of the folder, opened, followed, compared, diagnosed, measured, reported. */
import { h } from 'fallline/dom';
import { ended } from 'fallline/runs/ended';
import { SHORTCUTS, pressed } from 'fallline/runs/keys';
import { List, SORTS } from 'fallline/runs/list';
import { Notice } from 'fallline/runs/notice';
import { Several } from 'fallline/runs/several';
import { table } from 'fallline/runs/sheet';
import { Single } from 'fallline/runs/single';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/runs/words').Row} Row */

/** Runs that can be looked at beside each other. */
const MOST = 8;

export class RunsView {
  static shortcuts() {
    return SHORTCUTS;
  }

  /** @param {HTMLElement} root @param {Services} services */
  constructor(root, services) {
    this.services = services;
    this.online = false;
    /** @type {string[]} */
    this.chosen = [];
    /** Cards as they came, by name. @type {Map<string, any>} */
    this.cards = new Map();
    /** @type {Map<string, {diagnosis: any, remark: string}>} */
    this.diagnoses = new Map();
    this.deed = '';
    this.folder = { name: '', exists: true };
    this.updates = 0;
    this.listed = false;
    this.list = new List(services, {
      opened: (name) => this.choose([name]),
      toggled: (name) => this.toggle(name),
      cleared: () => this.choose(this.chosen.slice(-1)),
      sorted: () => services.touched(),
    });
    this.single = new Single(services, {
      wanted: (kind, more) => this.want(kind, more),
      cancelled: () => this.attempt(async () => {
        await services.request('cancel');
        this.setDeed('');
      }),
      network: () => this.attempt(() => this.toNetwork('network', {})),
      applied: (finding) => this.attempt(() => this.toNetwork('apply', { finding: finding.name })),
    });
    this.several = new Several(services, {
      opened: (name) => this.choose([name]),
      dropped: (name) => this.toggle(name),
    });
    this.notice = new Notice();
    this.stage = h('div', { class: 'stage' }, h('div', { class: 'page', tabindex: '-1' },
      this.notice.element, this.single.element, this.several.element));
    root.append(this.list.element, this.stage);
    this.arrange();
  }

  // With the server.

  connected() {
    this.online = true;
    this.attempt(async () => {
      const { runs, folder, exists } = await this.services.request('list');
      this.folder = { name: folder, exists };
      this.listed = true;
      this.list.set(runs);
      if (!this.chosen.length) {
        const first = this.list.shown.find((row) => row.status !== 'damaged');
        this.chosen = first ? [first.name] : [];
      }
      // The server may be another one, which has read nothing yet.
      await this.follow(true);
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
    const { type, name } = message;
    if (type === 'runs') this.changed(message.changed, message.gone);
    else if (type === 'card') this.take(name, message.card);
    else if (type === 'trouble' && this.chosen.includes(name)) this.trouble(name, message.sentence);
    else if (type === 'deed') this.setDeed(message.what, name);
    else if (type === 'error') this.services.fail(message.message);
    else if (['diagnosis', 'examined', 'report', 'failed'].includes(type)) ended(this, message);
  }

  /** @param {Row[]} changed @param {string[]} gone */
  changed(changed, gone) {
    this.list.update(changed, gone);
    const left = this.chosen.filter((name) => !gone.includes(name));
    for (const name of gone) this.cards.delete(name);
    if (left.length !== this.chosen.length) this.choose(left);
    else if (!this.chosen.length && changed.length && !this.folder.exists) {
      // The first run of a folder that was not there.
      this.folder.exists = true;
      this.choose([changed[0].name]);
    } else this.arrange();
  }

  /** @param {string} name @param {any} card */
  take(name, card) {
    if (!this.chosen.includes(name)) return;
    this.updates += 1;
    this.cards.set(name, card);
    if (this.chosen.length > 1) {
      this.several.push(name, card);
    } else {
      this.single.set(card);
      this.arrange();
    }
  }

  /** @param {string} name @param {string} sentence */
  trouble(name, sentence) {
    if (this.chosen.length > 1) this.services.fail(sentence);
    else this.tell('runs.unreadable', sentence);
  }

  // What the user does.

  /** @param {string[]} names */
  choose(names) {
    this.chosen = names;
    this.services.touched();
    this.attempt(() => this.follow());
  }

  /** @param {string} name */
  toggle(name) {
    const on = this.chosen.includes(name);
    if (!on && this.chosen.length >= MOST) {
      this.services.fail(this.services.t('runs.most', { n: MOST }));
      this.list.mark();
      return;
    }
    // What cannot be opened cannot stand beside another.
    const others = this.chosen.filter((one) => one !== name && (this.list.rows.get(one)?.status ?? 'damaged') !== 'damaged');
    this.choose(on ? others : [...others, name]);
  }

  /** Ask for what is chosen, and show what is known of it already. @param {boolean} [afresh] */
  async follow(afresh = false) {
    const { chosen, list, single, services } = this;
    list.choose(chosen);
    for (const name of [...this.cards.keys()]) if (!chosen.includes(name)) this.cards.delete(name);
    const sound = chosen.filter((name) => list.rows.get(name)?.status !== 'damaged');
    if (chosen.length === 1) {
      single.empty();
      const card = this.cards.get(chosen[0]);
      if (card) single.set(card);
      const known = this.diagnoses.get(chosen[0]);
      if (known) single.diagnosed(known.diagnosis, known.remark);
    }
    this.arrange();
    if (!this.online) return;
    try {
      await services.request('open', { names: sound, afresh });
    } catch (error) {
      if (this.chosen !== chosen) return;
      this.tell('runs.unreadable', error instanceof Error ? error.message : String(error));
      return;
    }
    if (sound.length > 1) {
      const beside = await services.request('beside', { names: sound });
      if (this.chosen !== chosen) return;
      for (const [name, card] of this.cards) this.several.cards.set(name, card);
      this.several.set(beside);
    }
  }

  /** @param {'diagnose' | 'measure' | 'report'} kind @param {Record<string, any>} [more] */
  want(kind, more = {}) {
    if (this.chosen.length !== 1 || this.deed) return;
    const { services } = this;
    this.attempt(() => services.request(kind, {
      name: this.chosen[0], lang: services.language(), ...(kind === 'report' ? { theme: 'auto' } : {}), ...more,
    }));
  }

  /** @param {string} kind @param {string} [name] */
  setDeed(kind, name = '') {
    this.deed = kind;
    this.single.work(kind || null, name);
  }

  /** @param {string} question @param {Record<string, any>} more */
  async toNetwork(question, more) {
    const { state } = await this.services.request(question, { name: this.chosen[0], ...more });
    this.services.open('network', { ...state, run: true });
  }

  // What is seen.

  /** What the choice of now has to do with. */
  arrange() {
    const { chosen, list, single, several, notice } = this;
    notice.hide();
    const row = chosen.length === 1 ? list.rows.get(chosen[0]) : undefined;
    single.element.hidden = chosen.length !== 1 || row?.status === 'damaged' || (this.listed && !row);
    several.element.hidden = chosen.length < 2;
    if (row) {
      single.introduce(row);
      if (row.status === 'damaged') this.tell('runs.damaged', row.trouble, this.services.t('runs.damagedAbout', { name: row.name }));
    } else if (chosen.length === 1 && this.listed) {
      this.tell('runs.missing', this.services.t('runs.missingAbout', { name: chosen[0], folder: this.folder.name }));
    } else if (!chosen.length && this.listed) {
      if (list.rows.size) this.tell('runs.none', this.services.t('runs.noneAbout'));
      else notice.welcome(this.folder);
    }
  }

  /** One thing to say in place of a run. @param {string} key @param {...string} sentences */
  tell(key, ...sentences) {
    this.single.element.hidden = true;
    this.notice.tell(key, ...sentences);
  }

  // What the shell asks for.

  show() {}

  hide() {}

  state() {
    const { chosen, list } = this;
    return {
      run: chosen.length === 1 ? chosen[0] : null,
      runs: chosen.length > 1 ? chosen : null,
      find: list.filter.value || null,
      sort: list.order.value === 'newest' ? null : list.order.value,
    };
  }

  /**
   * @param {Record<string, any>} given `run`: a name; or `runs`: some names; `find`: a filter; `sort`
   */
  restore({ run, runs, find, sort }) {
    const names = Array.isArray(runs) ? runs : run !== undefined ? [run] : [];
    this.chosen = [...new Set(names.map(String))].slice(0, MOST);
    this.list.filter.value = typeof find === 'string' || typeof find === 'number' ? String(find) : '';
    this.list.order.value = SORTS.includes(sort) ? sort : 'newest';
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    return pressed(this, event);
  }

  retheme() {
    this.single.retheme();
    this.several.retheme();
  }

  retranslate() {
    this.list.retranslate();
    this.single.retranslate();
    this.several.retranslate();
    this.arrange();
  }

  exports() {
    const card = this.chosen.length === 1 ? this.cards.get(this.chosen[0]) : null;
    const python = card?.reproduce?.python;
    return {
      csv: async () => table(this.list.shown),
      ...(python ? { python: async () => python } : {}),
    };
  }

  status() {
    const card = this.chosen.length === 1 ? this.cards.get(this.chosen[0]) : null;
    return { step: card?.trained?.steps ?? 0 };
  }

  /** For tests: what is shown. */
  get test() {
    const { list, single, several } = this;
    return {
      runs: list.rows.size,
      listed: this.listed,
      shown: list.items.children.length,
      chosen: this.chosen,
      cards: [...this.cards.keys()],
      updates: this.updates,
      deed: this.deed,
      steps: this.status().step,
      notice: this.notice.text,
      title: single.title.textContent,
      findings: single.diagnosis?.findings?.length ?? 0,
      differ: several.beside?.settings.filter((row) => row.differ).map((row) => row.name) ?? [],
    };
  }
}
