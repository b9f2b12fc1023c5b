// @ts-check
/** What is done with the outcome of something that took its time. */
import { save } from 'fallline/dom';

/** @typedef {import('fallline/runs/view').RunsView} RunsView */

/** What `measure` fills, from above. */
const MEASURED = /** @type {const} */ (['flow', 'activations', 'confusion', 'residuals', 'boundary', 'surface']);

/** @param {RunsView} view @param {any} message "diagnosis", "examined", "report" or "failed" */
export function ended(view, message) {
  const { services, single } = view;
  const { type, name } = message;
  const mine = view.chosen.length === 1 && view.chosen[0] === name;
  view.setDeed('');
  if (type === 'failed') {
    services.fail(message.sentence);
  } else if (type === 'report') {
    save(message.file, new Blob([message.html], { type: 'text/html;charset=utf-8' }));
    services.announce(services.t('runs.reported', { file: message.file }));
  } else if (type === 'diagnosis') {
    const { diagnosis, remark } = message;
    view.diagnoses.set(name, { diagnosis, remark });
    if (mine) {
      single.diagnosed(diagnosis, remark);
      single.boxes.findings.element.scrollIntoView({ block: 'nearest', behavior: services.reduced() ? 'auto' : 'smooth' });
    }
    services.announce(diagnosis.headline ?? '');
  } else {
    view.cards.set(name, message.card);
    if (mine) {
      single.set(message.card);
      const first = MEASURED.map((one) => single.boxes[one].element).find((element) => !element.hidden);
      first?.scrollIntoView({ block: 'nearest', behavior: services.reduced() ? 'auto' : 'smooth' });
    }
    services.announce(services.t('runs.measured', { name }));
  }
}
