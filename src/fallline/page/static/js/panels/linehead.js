// @ts-check
/** What stands above a chart of lines: their legend, the place that is read out, the chart's own buttons. */
import { button } from 'fallline/controls';
import { h } from 'fallline/dom';
import { Legend } from 'fallline/panels/legend';

/** @param {import('fallline/panels/lines').Lines} panel */
export function headOf(panel) {
  const given = /** @type {any} */ ({ touched: () => {}, ...panel.services });
  const legend = new Legend({
    toggle: (index) => panel.toggle(index),
    point: (index) => panel.point(index),
  });
  const place = h('span', { class: 'place number' });
  const whole = button(given, {
    t: 'panels.whole',
    label: 'panels.wholeAbout',
    class: 'tiny',
    onclick: () => panel.setZoom(null),
  });
  const logButton = button(given, {
    t: 'panels.log',
    label: 'panels.logAbout',
    pressed: false,
    class: 'tiny',
    onclick: () => panel.swap(),
  });
  const tools = [place, ...(panel.options.tools ?? []), whole.element, logButton.element];
  const head = h('div', { class: 'lines-head' }, legend.element, h('div', { class: 'lines-tools' }, ...tools));
  return { legend, place, whole, logButton, head };
}
