// @ts-check
/** What is seen on the stage, in words and numbers: title, sentence, and a row for each racer. */
import { clear, h } from 'fallline/dom';
import { count, loss, percent } from 'fallline/terrain/format';
import { swatch } from 'fallline/terrain/marks';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/terrain/race').Race} Race */
/** @typedef {import('fallline/terrain/marks').Face} Face */

export class Legend {
  /**
   * @param {Services} services
   * @param {{onselect: (racer: number) => void, onpoint: (racer: number) => void}} options
   */
  constructor(services, options) {
    this.services = services;
    this.options = options;
    this.title = h('h2', { class: 'title' });
    this.sentence = h('p', { class: 'sentence' });
    this.body = h('tbody', {});
    this.table = h(
      'table',
      {},
      h('caption', { class: 'visually-hidden', t: 'terrain.legend' }),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col' }, h('span', { class: 'visually-hidden', t: 'terrain.racer' })),
          h('th', { scope: 'col', t: 'terrain.median' }),
          h('th', { scope: 'col', t: 'terrain.arrived' }),
          h('th', { scope: 'col', t: 'terrain.lost' }),
        ),
      ),
      this.body,
    );
    this.element = h('div', { class: 'hud' }, this.title, this.sentence, this.table);
    /** @type {HTMLElement[][]} */
    this.cells = [];
    this.drawn = 0;
  }

  /**
   * @param {Face[]} faces
   * @param {boolean[]} visible
   */
  show(faces, visible) {
    clear(this.body);
    this.cells = faces.map((face, index) => {
      const cells = [h('td', {}), h('td', {}), h('td', {})];
      const name = h(
        'button',
        { type: 'button', onclick: () => this.options.onselect(index) },
        swatch(face),
        face.name,
      );
      const row = h('tr', { class: visible[index] ? '' : 'off' }, h('th', { scope: 'row' }, name), ...cells);
      row.addEventListener('pointerenter', () => this.options.onpoint(index));
      row.addEventListener('pointerleave', () => this.options.onpoint(-1));
      this.body.append(row);
      return cells;
    });
    this.drawn = 0;
  }

  /** @param {number} chosen */
  select(chosen) {
    [...this.body.children].forEach((row, index) => {
      row.classList.toggle('chosen', index === chosen);
      row.querySelector('button')?.setAttribute('aria-pressed', String(index === chosen));
    });
  }

  /**
   * @param {string} title
   * @param {Race} race
   * @param {{together: boolean, byBasin: boolean}} how do all start at one point, are they coloured by basin?
   */
  describe(title, race, { together, byBasin }) {
    this.element.classList.toggle('by-basin', byBasin);
    this.title.textContent = title;
    const key =
      race.racers.length === 1
        ? 'terrain.sentence_one'
        : together
          ? 'terrain.sentence_point'
          : 'terrain.sentence';
    const words = race.n ? { n: count(race.n), k: race.racers.length } : null;
    this.sentence.textContent = words
      ? this.services.t(key, words) + (byBasin ? this.services.t('terrain.sentence_basin') : '')
      : '\u00a0';
  }

  /** The numbers of now, a few times a second. @param {Race} race */
  measure(race, now = performance.now()) {
    if (now - this.drawn < 180) {
      return;
    }
    this.drawn = now;
    // A column of nothing is left out.
    this.table.classList.toggle(
      'none-lost',
      race.standings.every((standing) => !(standing.lost > 0)),
    );
    race.standings.forEach((standing, index) => {
      const [median, arrived, lost] = this.cells[index] ?? [];
      if (median) {
        median.textContent = loss(standing.median);
        arrived.textContent = percent(standing.arrived);
        lost.textContent = percent(standing.lost);
        lost.classList.toggle('some', standing.lost > 0);
      }
    });
  }

  /** The same in one sentence, for those who do not see it. @param {Race} race @param {string[]} names */
  spoken(race, names) {
    const { services } = this;
    const parts = race.standings.map((standing, index) =>
      services.t(standing.lost > 0 ? 'terrain.spoken_racer_lost' : 'terrain.spoken_racer', {
        name: names[index],
        median: loss(standing.median),
        arrived: percent(standing.arrived),
        lost: percent(standing.lost),
      }),
    );
    return services.t('terrain.spoken', {
      step: count(race.step),
      racers: parts.join(services.t('terrain.spoken_join')),
    });
  }
}
