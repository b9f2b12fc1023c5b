// @ts-check
/** The page's colours and letters, for a canvas. */

/** What a canvas draws with where the page says nothing. */
const DEFAULTS = /** @type {Record<'dark' | 'light', Record<string, string>>} */ ({
  dark: {
    bg: '#0b0e14',
    panel: '#11161e',
    raise: '#1a212c',
    line: '#ffffff14',
    text: '#e8ecf2',
    muted: '#98a3b3',
    accent: '#ffb454',
    danger: '#ff7a70',
  },
  light: {
    bg: '#f4f3ef',
    panel: '#fdfcfa',
    raise: '#efede7',
    line: '#1b24301c',
    text: '#1a2230',
    muted: '#5a6472',
    accent: '#b4540f',
    danger: '#b3122a',
  },
});

export class Ink {
  /** @param {Element} element whose variables of CSS are read @param {'dark' | 'light'} theme */
  constructor(element, theme) {
    const style = getComputedStyle(element);
    const read = (/** @type {string} */ name) =>
      style.getPropertyValue(`--${name}`).trim() || DEFAULTS[theme]?.[name] || '';
    this.theme = theme;
    this.dark = theme === 'dark';
    this.bg = read('bg');
    this.panel = read('panel');
    this.raise = read('raise');
    this.line = read('line');
    this.text = read('text');
    this.muted = read('muted');
    this.accent = read('accent');
    this.danger = read('danger');
    this.sans = read('sans') || 'Inter, system-ui, sans-serif';
    this.mono = read('mono') || '"JetBrains Mono", ui-monospace, monospace';
    /** A single point of data. */
    this.point = this.dark ? '#58b8f0' : '#1a6fb5';
    /** Around what lies on something coloured. */
    this.rim = this.dark ? '#06090fd0' : '#ffffffe0';
    this.grid = this.dark ? '#ffffff12' : '#1b243014';
    this.zero = this.dark ? '#ffffff3c' : '#1b243048';
  }

  /** @param {number} size in pixels @param {number} [weight] */
  letters(size, weight = 400) {
    return `${weight} ${size}px ${this.sans}`;
  }

  /** @param {number} size in pixels @param {number} [weight] */
  digits(size, weight = 400) {
    return `${weight} ${size}px ${this.mono}`;
  }
}

/**
 * As much of a text as fits into a width, and an ellipsis.
 * @param {CanvasRenderingContext2D} context with its font
 * @param {string} text @param {number} room
 */
export function fitted(context, text, room) {
  const short = text.length > 300 ? `${text.slice(0, 300)}…` : text;
  if (context.measureText(short).width <= room) return short;
  let [low, high] = [0, short.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${short.slice(0, middle).trimEnd()}…`).width <= room) low = middle;
    else high = middle - 1;
  }
  return low ? `${short.slice(0, low).trimEnd()}…` : '';
}

/**
 * A text with a halo, readable on any ground.
 * @param {CanvasRenderingContext2D} context @param {string} text @param {number} x @param {number} y
 * @param {{colour: string, halo: string, width?: number}} look
 */
export function haloed(context, text, x, y, { colour, halo, width = 3 }) {
  context.lineJoin = 'round';
  context.lineWidth = width;
  context.strokeStyle = halo;
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}
