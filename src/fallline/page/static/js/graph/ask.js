// @ts-check
/** Questions to the server, of which only the newest counts. */

/**
 * @typedef {Object} Question
 * @property {Record<string, any>} fields
 * @property {(answer: any) => void} resolve
 * @property {(error: any) => void} reject
 */

/** @param {unknown} error @returns {string} */
export const reason = (error) => (error instanceof Error ? error.message : String(error));

/**
 * One question at a time: while one is on its way, only the newest of those that follow is asked then.
 * @param {(fields: Record<string, any>) => Promise<any>} request
 * @returns {(fields: Record<string, any>) => Promise<any>} the answer; null where a newer question was asked
 */
export function latest(request) {
  /** @type {Question | null} */
  let waiting = null;
  let asked = false;
  /** @param {Question} question */
  const send = ({ fields, resolve, reject }) => {
    asked = true;
    // An answer that another question has overtaken is dropped: the next one is on its way.
    const answered = (/** @type {any} */ answer) => resolve(waiting ? null : answer);
    const failed = (/** @type {any} */ error) => (waiting ? resolve(null) : reject(error));
    request(fields)
      .then(answered, failed)
      .finally(() => {
        asked = false;
        const next = waiting;
        waiting = null;
        if (next) {
          send(next);
        }
      });
  };
  return (fields) =>
    new Promise((resolve, reject) => {
      if (asked) {
        waiting?.resolve(null);
        waiting = { fields, resolve, reject };
      } else {
        send({ fields, resolve, reject });
      }
    });
}
