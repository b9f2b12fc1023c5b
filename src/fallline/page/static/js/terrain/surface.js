// @ts-check
/** The choice of a surface: a listed terrain, an example, or a formula typed in. */
import { select, section } from 'fallline/controls';
import { h, mathml } from 'fallline/dom';
import { EXAMPLES, boundsOf, exampleOf } from 'fallline/terrain/setup';

/** @typedef {import('fallline/services').Services} Services */
/** @typedef {import('fallline/terrain/setup').Setup} Setup */

const OWN = 'own';
const AXES = ['terrain.bound_x0', 'terrain.bound_x1', 'terrain.bound_y0', 'terrain.bound_y1'];

export class SurfaceChoice {
  /**
   * @param {Services} services
   * @param {{onchange: (fields: Partial<Setup>) => void}} options
   */
  constructor(services, options) {
    this.services = services;
    this.onchange = options.onchange;
    this.choice = select(services, {
      label: 'terrain.surface_choice',
      options: [],
      value: '',
      onchange: (value) => this.choose(value),
    });
    this.text = h('textarea', { rows: '4', spellcheck: 'false', maxlength: '400', label: 'terrain.formula' });
    this.text.id = 'terrain-formula';
    this.complaint = h('p', { class: 'complaint', role: 'alert' });
    this.complaint.id = 'terrain-formula-complaint';
    this.text.setAttribute('aria-describedby', this.complaint.id);
    this.bounds = AXES.map((label) => h('input', { type: 'number', step: 'any', label }));
    this.window = h(
      'div',
      { class: 'bounds' },
      h('span', { class: 'axis' }, 'x'),
      this.bounds[0],
      this.bounds[1],
      h('span', { class: 'axis' }, 'y'),
      this.bounds[2],
      this.bounds[3],
    );
    this.formula = h('div', {
      class: 'formula',
      role: 'group',
      tabindex: 0,
      label: 'terrain.surface_formula',
    });
    this.about = h('p', { class: 'note' });
    this.field = h(
      'div',
      { class: 'field' },
      h('label', { for: this.text.id, t: 'terrain.formula' }),
      this.text,
      this.complaint,
    );
    this.text.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.shiftKey) {
        event.preventDefault();
        this.apply();
      }
    });
    this.text.addEventListener('change', () => this.apply());
    this.bounds.forEach((box) => box.addEventListener('change', () => this.apply()));
    this.element = section(
      'terrain.surface',
      this.choice.element,
      this.field,
      this.window,
      this.formula,
      this.about,
    );
    /** What was asked for last. @type {{formula: string, bounds: number[]|null, surface: string|null}} */
    this.asked = { formula: '', bounds: null, surface: null };
  }

  /** The list of surfaces, in the language of now. @param {Setup} setup */
  offer(setup) {
    const own = this.services.t('terrain.surface_own');
    const examples = Object.keys(EXAMPLES).map((name) => ({
      value: `example:${name}`,
      text: this.services.t(`terrain.example_${name}`),
    }));
    const listed = this.services.catalogue?.terrains ?? [];
    this.choice.offer([
      ...examples,
      ...listed.map((terrain) => ({ value: terrain.name, text: terrain.title })),
      { value: OWN, text: own },
    ]);
    this.show(setup);
  }

  /** @param {Setup} setup */
  show(setup) {
    const example = setup.surface === null ? exampleOf(setup.formula) : null;
    this.choice.value = setup.surface ?? (example ? `example:${example}` : OWN);
    this.window.hidden = setup.surface !== null;
    this.asked = { formula: setup.formula, bounds: setup.bounds, surface: setup.surface };
    if (setup.surface === null) {
      this.text.value = setup.formula;
      this.setBounds(setup.bounds ?? [-4, 4, -4, 4]);
    }
  }

  /**
   * What the engine made of it.
   * @param {import('fallline/terrain/race').Surface} surface
   * @param {Setup} setup
   */
  told(surface, setup) {
    this.complain('');
    const listed = setup.surface !== null;
    const example = listed ? null : exampleOf(setup.formula);
    this.about.textContent = listed
      ? (surface.about ?? '')
      : example
        ? this.services.t(`terrain.example_${example}_about`)
        : '';
    this.about.hidden = !this.about.textContent;
    this.formula.replaceChildren();
    this.formula.hidden = !listed || !surface.mathml;
    if (listed && surface.mathml) {
      this.formula.append(mathml(surface.mathml));
    }
    this.field.hidden = listed;
  }

  /** @param {number[]} bounds */
  setBounds(bounds) {
    this.bounds.forEach((box, index) => {
      box.value = String(Number(bounds[index].toPrecision(6)));
    });
  }

  /** What is wrong with the formula, under it; nothing if it is right. @param {string} sentence */
  complain(sentence) {
    this.complaint.textContent = sentence;
    if (sentence) {
      this.text.setAttribute('aria-invalid', 'true');
    } else {
      this.text.removeAttribute('aria-invalid');
    }
    const column = /column (\d+)/.exec(sentence);
    if (column && this.text.matches(':focus')) {
      const place = Number(column[1]) - 1;
      this.text.setSelectionRange(place, Math.min(place + 1, this.text.value.length));
    }
  }

  /** @param {string} value */
  choose(value) {
    if (value.startsWith('example:')) {
      const example = EXAMPLES[value.slice('example:'.length)];
      this.ask({ surface: null, formula: example.formula, bounds: example.bounds });
    } else if (value === OWN) {
      this.window.hidden = false;
      this.field.hidden = false;
      this.about.hidden = true;
      this.formula.hidden = true;
      if (!this.text.value) {
        this.text.value = 'x^2 + y^2';
        this.setBounds([-4, 4, -4, 4]);
      }
      this.text.focus();
      this.text.select();
    } else {
      this.ask({ surface: value });
    }
  }

  apply() {
    const formula = this.text.value.trim();
    const bounds = boundsOf(this.bounds.map((box) => Number(box.value)));
    this.bounds.forEach((box) => box.setAttribute('aria-invalid', String(!bounds)));
    if (!bounds) {
      this.complain(this.services.t('terrain.bounds_wrong'));
    } else if (!formula) {
      this.complain(this.services.t('terrain.formula_missing'));
    } else if (
      this.asked.surface !== null ||
      formula !== this.asked.formula ||
      bounds.join() !== this.asked.bounds?.join() ||
      this.complaint.textContent
    ) {
      this.ask({ surface: null, formula, bounds });
    }
  }

  /** @param {Partial<Setup>} fields */
  ask(fields) {
    this.asked = { formula: '', bounds: null, surface: null, .../** @type {any} */ (fields) };
    this.onchange(fields);
  }
}
