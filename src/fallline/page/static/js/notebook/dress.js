// @ts-check
/** Whether the notebook around a widget is dark or light. */

/** What notebooks tell of their theme by. */
const TOLD = ['class', 'style', 'data-theme', 'data-jp-theme-light', 'data-jp-theme-name', 'data-vscode-theme-kind'];
/** Milliseconds after which a notebook has faded from one theme to the other. */
const FADE = 400;

/**
 * JupyterLab and VS Code say it; elsewhere the ground that the widget lies on tells, or else the reader's system.
 * @param {Element} element of the notebook, around the widget
 * @returns {'dark' | 'light'}
 */
export function dressOf(element) {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight) {
    return jpThemeLight === 'true' ? 'light' : 'dark';
  }
  if (vscodeThemeKind) {
    return vscodeThemeKind.includes('light') ? 'light' : 'dark';
  }
  for (let at = /** @type {Element | null} */ (element); at; at = outside(at)) {
    const [red, green, blue, opaque] = seen(getComputedStyle(at).backgroundColor);
    if (opaque > 127) {
      return 0.3 * red + 0.59 * green + 0.11 * blue > 127 ? 'light' : 'dark';
    }
  }
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

/** The element around one, across the border of a shadow tree. @param {Element} element @returns {Element | null} */
function outside(element) {
  const root = element.getRootNode();
  return element.parentElement ?? (root instanceof ShadowRoot ? root.host : null);
}

/** @type {CanvasRenderingContext2D | null | undefined} */
let pen;

/** A colour as CSS writes it, in whatever way, as red, green, blue, alpha. @param {string} colour */
function seen(colour) {
  pen ??= document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  if (!pen || !colour) {
    return [0, 0, 0, 0];
  }
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data;
}

/**
 * Be told when the notebook changes its theme.
 * @param {() => void} changed perhaps it has
 * @returns {() => void} stop
 */
export function watchDress(changed) {
  let later = 0;
  const look = () => {
    changed();
    clearTimeout(later);
    later = window.setTimeout(changed, FADE);
  };
  const observer = new MutationObserver(look);
  for (const element of [document.documentElement, document.body]) {
    observer.observe(element, { attributes: true, attributeFilter: TOLD });
  }
  const system = matchMedia('(prefers-color-scheme: dark)');
  system.addEventListener('change', look);
  later = window.setTimeout(changed, FADE);
  return () => {
    clearTimeout(later);
    observer.disconnect();
    system.removeEventListener('change', look);
  };
}
