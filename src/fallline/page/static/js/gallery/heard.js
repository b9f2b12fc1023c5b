// @ts-check
/** What the server says on its own: who is trained, how the opened patient is, what the doctor found. */

/** @typedef {import('fallline/gallery/view').GalleryView} GalleryView */

/** @param {GalleryView} view @param {any} message */
export function heard(view, message) {
  const { services } = view;
  if (message.type === 'error') {
    services.fail(message.message);
    return;
  }
  const { case: name } = message;
  if (message.type === 'begun' && message.stage === 'train') view.stages[name] = 'training';
  else if (message.type === 'trained') {
    view.stages[name] = 'ready';
    const patient = view.patients.find((one) => one.name === name);
    if (patient) patient.thumb = message.thumb;
  } else if (message.type === 'patient') {
    view.symptoms[name] = message;
    if (name === view.case) view.draw();
  } else if (message.type === 'verdict') {
    // An answer in the language of before comes too late.
    if (message.lang !== services.language()) return;
    view.verdicts[name] = message;
    if (name === view.case && view.ill) {
      view.bedside.tell(true, message);
      services.announce(message.diagnosis.headline);
    }
  } else if (message.type === 'failed') {
    view.stages[name] = 'failed';
    services.fail(`${services.t('gallery.failed')} ${message.sentence}`);
  }
  if (name) view.wall.changed(name);
}
