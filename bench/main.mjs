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
 * @property {(text: string) => void} step reports progress
 */

const PARTS = ['guarded', 'connections', 'first-sight', 'login', 'refresh', 'revocation', 'start', 'soak'];
/** Seconds for each part: about twice as long as the longest takes. */
const LIMIT = { quick: 90, full: 480 };
/** Seconds for cleaning up; processes that still run then are killed. */
const END_LIMIT = 20;

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const { quick } = values;
const unknown = positionals.filter((name) => !PARTS.includes(name));
if (unknown.length > 0)
  throw new Error(`no part is called ${unknown.join(', ')}: there are ${PARTS.join(', ')}`);
if (!existsSync(new URL('../dist/main.js', import.meta.url))) throw new Error('run `npm run build` first');
const chosen = PARTS.filter((name) => positionals.length === 0 || positionals.includes(name));
const began = performance.now();
const minutes = () => (performance.now() - began) / 60_000;

/** @type {Promise<never>} */
const interrupted = new Promise((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => reject(new Error('interrupted')));
});

/** @type {import('./machinery/report.mjs').Result[]} */
const results = [];
/** @type {string | undefined} */
let failure;
for (const name of chosen) {
  try {
    results.push(await Promise.race([interrupted, within(LIMIT[quick ? 'quick' : 'full'], measured(name))]));
  } catch (error) {
    failure = `${name} failed: ${error instanceof Error ? error.message : String(error)}`;
    break;
  }
}
if (results.length > 0) process.stdout.write(`${toMarkdown(results, { quick, minutes: minutes() })}\n`);
if (failure !== undefined) process.stderr.write(`\n${failure}\n`);
// Only a whole run is written: its ratios were measured together.
else if (!quick && chosen.length === PARTS.length) await write(results, minutes());
await end(failure === undefined ? 0 : 1);

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
    result.shares = await profile(await result.profile());
  }
  await endAll();
  return result;
}

/** @param {number} code */
async function end(code) {
  try {
    await within(END_LIMIT, Promise.all([endAll(), stopPostgres()]));
  } catch (error) {
    process.stderr.write(`cleaning up: ${String(error)}\n`);
  }
  process.exit(code);
}

/** @template T @param {number} seconds @param {Promise<T>} work @returns {Promise<T>} */
async function within(seconds, work) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${seconds} seconds`)), seconds * 1000);
  });
  try {
    return await Promise.race([work, /** @type {Promise<never>} */ (late)]);
  } finally {
    clearTimeout(timer);
  }
}
