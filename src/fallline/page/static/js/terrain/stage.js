// @ts-check
/** The middle of the view: the block with its balls, what is written over it, and the timeline under it. */
import { clear, h, svg } from 'fallline/dom';
import { gradient } from 'fallline/palette';
import { setting } from 'fallline/terrain/format';
import { Legend } from 'fallline/terrain/legend';
import { Picture } from 'fallline/terrain/picture';
import { Timeline } from 'fallline/terrain/timeline';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/terrain/pointer').Tool} Tool */
/** @typedef {import('fallline/terrain/pointer').Hands} Hands */
/** @typedef {import('fallline/terrain/race').Race} Race */

/** @type {Record<Tool, string[]>} */
const TOOLS = {
  orbit: ['M13.2 8a5.2 2.4 0 1 1-2-1.9', 'M8 2.8a2.4 5.2 0 1 1-1.9 2', 'M11.6 4.2l-.4 1.9 1.9.4'],
  drop: ['M8 2.6v6', 'M5.4 6.2 8 8.8l2.6-2.6', 'M3 13.2h10'],
  scatter: [
    'M8 5.6a2.4 2.4 0 1 0 .01 0',
    'M2.8 4.2v.01M13.2 4.2v.01M2.8 11.8v.01M13.2 11.8v.01M8 14v.01M8 2v.01',
  ],
  inspect: ['M7 2.8a4.2 4.2 0 1 0 .01 0', 'M10.2 10.2l3.2 3.2'],
};
const TRAILS = ['M2.6 12.4c3 0 2.6-7 5.6-7 2 0 2 3 4 3', 'M13.4 8.4a.6.6 0 1 0 .01 0'];
const HOME = ['M3 7.6 8 3.4l5 4.2', 'M4.6 6.8v5.8h6.8V6.8'];
/** Milliseconds from one description of how things stand to the next. */
const SPEAK_RUNNING = 5000;
const SPEAK = 800;
const BAR_LABELS = 5;
/** What may take time, as the engine names it. */
const BUSY = ['start', 'rates', 'basins'];

/** @param {string[]} paths */
function icon(paths) {
  return svg(
    'svg',
    { class: 'line-icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    ...paths.map((d) => svg('path', { d })),
  );
}

export class Stage {
  /**
   * @param {Services} services
   * @param {Hands} hands
   * @param {{onselect: (racer: number) => void, onpoint: (racer: number) => void,
   *   onscrub: (step: number) => void, ontrails: () => void, onhome: () => void,
   *   ontool: (tool: Tool) => void}} actions
   */
  constructor(services, hands, actions) {
    this.services = services;
    this.picture = new Picture(services, 'block', hands);
    this.legend = new Legend(services, actions);
    this.timeline = new Timeline(services, { onscrub: actions.onscrub });
    /** @type {Tool} */
    this.tool = 'orbit';
    this.tools = /** @type {Record<Tool, HTMLButtonElement>} */ ({});
    const tools = h('div', {
      class: 'toolbar',
      role: 'radiogroup',
      'aria-label': services.t('terrain.tools'),
    });
    tools.setAttribute('data-label', 'terrain.tools');
    for (const [name, paths] of /** @type {[Tool, string[]][]} */ (Object.entries(TOOLS))) {
      const one = h('button', { type: 'button', role: 'radio', label: `terrain.tool_${name}` }, icon(paths));
      one.addEventListener('click', () => {
        this.setTool(name);
        actions.ontool(name);
      });
      this.tools[name] = one;
      tools.append(one);
    }
    tools.addEventListener('keydown', (event) => this.arrowed(event));
    this.trails = h(
      'button',
      { type: 'button', label: 'terrain.trails', onclick: actions.ontrails },
      icon(TRAILS),
    );
    const home = h('button', { type: 'button', label: 'terrain.home', onclick: actions.onhome }, icon(HOME));
    this.hint = h('p', { class: 'stage-hint' });
    this.bar = h('div', { class: 'colour-bar', 'aria-hidden': 'true' });
    this.tag = h('div', { class: 'tag', 'aria-hidden': 'true' });
    this.tag.hidden = true;
    this.description = h('p', { class: 'visually-hidden', 'aria-live': 'polite' });
    this.description.id = 'terrain-description';
    this.picture.canvas.setAttribute('aria-describedby', this.description.id);
    this.busy = h('p', { class: 'busy', role: 'status' });
    this.busy.hidden = true;
    this.element = h(
      'div',
      { class: 'stage' },
      this.picture.element,
      this.legend.element,
      h('div', { class: 'tool-row' }, tools, h('div', { class: 'toolbar' }, this.trails, home)),
      this.bar,
      this.tag,
      this.busy,
      this.hint,
      this.timeline.element,
      this.description,
    );
    this.setTool('orbit');
    this.spokenAt = 0;
    /** The run and the step that were spoken of. */
    this.said = '';
  }

  /** @param {Tool} tool */
  setTool(tool) {
    this.tool = tool;
    for (const [name, button] of Object.entries(this.tools)) {
      button.setAttribute('aria-checked', String(name === tool));
      button.tabIndex = name === tool ? 0 : -1;
    }
    this.element?.setAttribute('data-tool', tool);
    this.say();
  }

  /** @param {KeyboardEvent} event */
  arrowed(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by) {
      event.preventDefault();
      event.stopPropagation();
      const names = /** @type {Tool[]} */ (Object.keys(TOOLS));
      const next = names[(names.indexOf(this.tool) + by + names.length) % names.length];
      this.tools[next].focus();
      this.tools[next].click();
    }
  }

  /** What the hand can do, in a line. @param {boolean} [choosing] is a start being chosen? */
  say(choosing = false) {
    this.hint.textContent = this.services.t(choosing ? 'terrain.hint_point' : `terrain.hint_${this.tool}`);
    this.hint.classList.toggle('urgent', choosing);
  }

  /** Say what takes time, if anything does. @param {string|null} what */
  setBusy(what) {
    this.busy.hidden = what === null;
    if (what !== null) {
      this.busy.textContent = this.services.t(
        BUSY.includes(what) ? `terrain.busy_${what}` : 'terrain.busy_start',
      );
    }
  }

  /** The bar beside the terrain, with the values at its colours. */
  setScale() {
    clear(this.bar);
    const ramp = h('i', {});
    ramp.style.background = gradient();
    this.bar.append(ramp, h('b', { t: 'terrain.loss' }));
    for (let place = 0; place < BAR_LABELS; place += 1) {
      const share = place / (BAR_LABELS - 1);
      const label = h('span', {}, level(this.picture.scene.valueAt(share)));
      label.style.bottom = `${100 * share}%`;
      this.bar.append(label);
    }
  }

  /**
   * A word at the ball that is looked at.
   * @param {string} text
   * @param {[number, number]|null} place normalised
   */
  setTag(text, place) {
    this.tag.textContent = text;
    this.tagPlace = place;
    this.placeTag();
  }

  placeTag() {
    const place = this.tagPlace;
    this.tag.hidden = !place;
    if (place) {
      const [left, top, visible] = this.picture.scene.project(place[0], place[1], 0.03);
      this.tag.hidden = !visible;
      const right = left > this.element.clientWidth - 190;
      this.tag.classList.toggle('left', right);
      this.tag.style.left = `${left}px`;
      this.tag.style.top = `${top}px`;
    }
  }

  /**
   * Say how things stand, to those who listen: every five seconds while it runs, soon after it has stopped.
   * @param {Race} race
   * @param {string[]} names
   * @param {boolean} running
   */
  speak(race, names, running) {
    const now = performance.now();
    const said = `${race.run} ${race.step}`;
    if (
      race.standings.length &&
      said !== this.said &&
      now - this.spokenAt > (running ? SPEAK_RUNNING : SPEAK)
    ) {
      this.said = said;
      this.spokenAt = now;
      this.description.textContent = this.legend.spoken(race, names);
    }
  }
}

/** A value at the bar: three digits are enough there. @param {number} value */
function level(value) {
  return setting(Math.abs(value) < 1e-9 ? 0 : value);
}
