// @ts-check
/**
 * A run to keep: the document is there already, readable as it is; here its figures are drawn, and it learns to change
 * its language and theme, and to be printed.
 */
import { retranslate } from 'fallline/dom';
import { language, speak, t } from 'fallline/language';
import { doctor, FIGURES } from 'fallline/report/figures';
import { ending } from 'fallline/panels/ending';
import { follow } from 'fallline/report/contents';
import { tools } from 'fallline/report/tools';

/** @typedef {import('fallline/report/figures').Panel} Panel */

class Report {
  /** @param {HTMLElement} root @param {any} card */
  constructor(root, card) {
    this.root = root;
    this.card = card;
    this.page = document.documentElement;
    /** @type {Record<string, Panel>} */
    this.panels = {};
    this.services = {
      t,
      language,
      theme: () => /** @type {'dark' | 'light'} */ (this.page.dataset.theme === 'dark' ? 'dark' : 'light'),
      reduced: () => matchMedia('(prefers-reduced-motion: reduce)').matches,
      pixelRatio: devicePixelRatio,
      announce: () => {},
    };
  }

  /** Draw all figures, each in the box that names it. */
  draw() {
    for (const box of /** @type {NodeListOf<HTMLElement>} */ (this.root.querySelectorAll('[data-panel]'))) {
      const name = box.dataset.panel ?? '';
      const figure = FIGURES[name];
      const before = [...box.childNodes];
      try {
        box.replaceChildren();
        if (figure.height) {
          box.style.height = `${figure.height(this.card)}px`;
        }
        const panel = new figure.kind(box, this.services, figure.options?.(this.services));
        panel.set(figure.data(this.card, this.services));
        this.panels[name] = panel;
      } catch (error) {
        // The words that stood there are worth more than an empty box.
        console.error(`${name}: ${error instanceof Error ? error.stack : error}`);
        box.replaceChildren(...before);
      }
    }
  }

  /** @param {'dark' | 'light'} theme */
  setTheme(theme) {
    this.page.dataset.theme = theme;
    Object.values(this.panels).forEach((panel) => panel.retheme());
  }

  /** @param {string} wanted */
  async speak(wanted) {
    await speak(wanted);
    retranslate(this.root);
    this.root.querySelector('.contents')?.setAttribute('aria-label', t('report.contents'));
    const said = doctor(this.card, language());
    for (const element of this.root.querySelectorAll('[data-doctor]')) {
      element.textContent = said?.[element.getAttribute('data-doctor') ?? ''] ?? '';
    }
    for (const element of this.root.querySelectorAll('[data-ended]')) {
      element.textContent = ending(this.services, this.card);
    }
    for (const [name, panel] of Object.entries(this.panels)) {
      panel.retranslate();
      panel.set(FIGURES[name].data(this.card, this.services));
    }
  }

  /** Draw everything as large as it is now, at once. */
  redraw() {
    for (const panel of Object.values(this.panels)) {
      panel.resize();
      panel.retheme();
      panel.draw?.();
    }
  }

  /** Paper is white and of one width, and what is folded on a screen cannot be unfolded on it. */
  print() {
    /** @type {(() => void)[]} */
    let undo = [];
    addEventListener('beforeprint', () => {
      const { theme, asked } = this.page.dataset;
      const ratio = this.services.pixelRatio;
      const folded = [...this.root.querySelectorAll('details:not([open])')];
      folded.forEach((part) => part.setAttribute('open', ''));
      this.page.dataset.theme = 'light';
      this.page.dataset.paper = 'true';
      this.services.pixelRatio = 2;
      this.redraw();
      undo = [
        () => folded.forEach((part) => part.removeAttribute('open')),
        () => Object.assign(this.page.dataset, { theme, asked }),
        () => delete this.page.dataset.paper,
        () => { this.services.pixelRatio = ratio; },
        () => this.redraw(),
      ];
    });
    addEventListener('afterprint', () => {
      undo.forEach((step) => step());
      undo = [];
    });
  }
}

/** @param {any} card @returns {Promise<Report>} */
export async function start(card) {
  const page = document.documentElement;
  const report = new Report(/** @type {HTMLElement} */ (document.getElementById('report')), card);
  await speak(page.lang.startsWith('zh') ? 'zh' : 'en');
  page.dataset.scripted = 'true';
  report.draw();
  tools(report);
  follow(report.root);
  report.print();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', ({ matches }) => {
    if (page.dataset.asked === 'auto') {
      report.setTheme(matches ? 'dark' : 'light');
    }
  });
  /** @type {any} */ (window).fallline = report;
  requestAnimationFrame(() => requestAnimationFrame(() => {
    page.dataset.drawn = String(Math.round(performance.now()));
    page.dataset.ready = 'true';
  }));
  return report;
}
