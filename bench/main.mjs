/** `npm run bench`: see README.md beside this file. */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { endAll } from './machinery/processes.mjs';
import { stopPostgres } from './machinery/postgres.mjs';
import { profile } from './machinery/profile.mjs';
import { isMet, toMarkdown, write } from './machinery/report.mjs';

/**
 * @typedef {object} Plan
 * @property {boolean} quick
 * @property {(text: string) => void} step says what is going on
 */

const GOALS = ['guarded', 'first-sight', 'login', 'refresh', 'revocation', 'start', 'soak'];

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: GOALS.join(',') },
  },
});
const { quick } = values;
const chosen = values.only.split(',');
const began = performance.now();

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.once(signal, () => {
    void finish().finally(() => process.exit(1));
  });
}

try {
  const unknown = chosen.filter((name) => !GOALS.includes(name));
  if (unknown.length > 0) throw new Error(`--only takes some of ${GOALS.join(',')}`);
  if (!existsSync(new URL('../dist/main.js', import.meta.url))) throw new Error('run `npm run build` first');
  const results = [];
  for (const name of chosen) results.push(await measured(name));
  process.stdout.write(`${toMarkdown(results, { quick })}\n`);
  // Ratios are of one run: what is written down was measured together.
  if (!quick && chosen.length === GOALS.length) await write(results);
} finally {
  await finish();
}

/** @param {string} name */
async function measured(name) {
  const step = (/** @type {string} */ text) => {
    const seconds = Math.round((performance.now() - began) / 1000);
    process.stderr.write(`${String(seconds).padStart(5)} s  ${name}: ${text}\n`);
  };
  const { measure } = await import(`./${name}.mjs`);
  const result = /** @type {import('./machinery/report.mjs').Result} */ (await measure({ quick, step }));
  if (!quick && result.profile && !result.goals.every(isMet)) {
    step('a goal is missed, looking where the time goes');
    result.shares = await profile(await result.profile(), 12);
  }
  await endAll();
  return result;
}

async function finish() {
  await endAll();
  await stopPostgres();
}
