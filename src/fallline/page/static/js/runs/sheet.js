// @ts-check
/** The list of runs as a table for a spreadsheet. */

/** @typedef {import('fallline/runs/words').Row} Row */

const COLUMNS = /** @type {const} */ (['name', 'status', 'created', 'data', 'target', 'model', 'optimizer', 'metric',
  'value', 'baseline', 'seconds']);

/** @param {Row[]} rows */
export function table(rows) {
  const cell = (/** @type {any} */ value) => {
    const text = value === null || value === undefined ? '' : String(value);
    // A spreadsheet takes what begins so for a formula.
    const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  };
  return [COLUMNS.join(','), ...rows.map((row) => COLUMNS.map((name) => cell(row[name])).join(','))].join('\n') + '\n';
}
