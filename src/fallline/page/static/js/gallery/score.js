// @ts-check
/** What has been answered: kept by the browser, where it keeps anything. */

const PLACE = 'fallline.gallery';

/** @typedef {{answer: string, right: boolean, ill: string}} Mark */

export class Score {
  constructor() {
    /** @type {Record<string, Mark>} */
    this.marks = {};
    try {
      const kept = JSON.parse(localStorage.getItem(PLACE) ?? '{}');
      for (const [name, mark] of Object.entries(kept ?? {})) {
        if (typeof mark?.answer === 'string' && typeof mark?.ill === 'string' && typeof mark?.right === 'boolean') {
          this.marks[name] = { answer: mark.answer, right: mark.right, ill: mark.ill };
        }
      }
    } catch {
      // Nothing was kept, or nothing may be.
    }
  }

  /** @param {string} name @returns {Mark | null} */
  of(name) {
    return Object.hasOwn(this.marks, name) ? this.marks[name] : null;
  }

  /** @param {string} name @param {Mark | null} mark null to forget it */
  set(name, mark) {
    if (mark) this.marks[name] = mark;
    else delete this.marks[name];
    this.keep();
  }

  clear() {
    this.marks = {};
    this.keep();
  }

  keep() {
    try {
      localStorage.setItem(PLACE, JSON.stringify(this.marks));
    } catch {
      // Private windows may keep nothing: the score then lasts as long as the page.
    }
  }

  get answered() {
    return Object.keys(this.marks).length;
  }

  get right() {
    return Object.values(this.marks).filter(({ right }) => right).length;
  }
}
