/** Writes the results in Markdown and as a chart. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { chart } from './chart.mjs';
import { CAN_BE_FIRST, CORES } from './processes.mjs';

/** @typedef {import('./rounds.mjs').Ratio} Ratio */
/** @typedef {string | number | Ratio | { milliseconds: number }} Cell */

/**
 * @typedef {object} Goal
 * @property {string} name
 * @property {Ratio} [value]
 * @property {number} [atLeast]
 * @property {number} [atMost]
 * @property {number} [aim]
 * @property {string} [spreadIs] where it is not the quartiles
 */

/**
 * @typedef {object} Result
 * @property {string} title
 * @property {Goal[]} goals
 * @property {{ head: string[], rows: Cell[][] }} [table]
 * @property {{ title: string, bars: import('./chart.mjs').Bar[] }} [chart]
 * @property {() => import('./profile.mjs').Profiled | Promise<import('./profile.mjs').Profiled>} [profile] what to look at when a goal is missed
 * @property {[name: string, share: number][]} [shares] the profile, if a goal was missed
 */

const DOCUMENT = new URL('../../docs/performance.md', import.meta.url);
const DRAWING = new URL('../../docs/performance.svg', import.meta.url);
const BEGIN = '<!-- Written by `npm run bench`, from here -->';
const END = '<!-- to here. -->';

/** @param {Goal} goal */
export function isMet({ value, atLeast = -Infinity, atMost = Infinity }) {
  return value !== undefined && value.median >= atLeast && value.median <= atMost;
}

/** @param {Goal} goal */
function reachesAim({ value, atLeast, aim = Number.NaN }) {
  if (value === undefined) return false;
  return atLeast === undefined ? value.median <= aim : value.median >= aim;
}

/** All of it in Markdown. @param {Result[]} results @param {{ quick: boolean, minutes: number }} run */
export function toMarkdown(results, { quick, minutes }) {
  const drawn = results.some((result) => result.chart);
  return [
    `${machine()} The run took ${minutes.toFixed(1)} minutes.`,
    quick ? '**A quick run: too short to be believed.**' : '',
    table(
      ['goal', 'wanted', 'found', ''],
      results.flatMap(({ goals }) => goals.map(goalRow)),
    ),
    drawn && !quick ? '![Answers per second of CPU, ours and others](performance.svg)' : '',
    ...results.filter((result) => result.table ?? result.shares).flatMap(section),
  ]
    .filter(Boolean)
    .join('\n\n');
}

/** Puts it into the document, between what people wrote there. @param {Result[]} results @param {number} minutes */
export async function write(results, minutes) {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [before, after] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`docs/performance.md lacks "${BEGIN}" or "${END}"`);
  const found = toMarkdown(results, { quick: false, minutes });
  const { format } = await import('prettier');
  writeFileSync(
    DOCUMENT,
    await format(`${text.slice(0, before + BEGIN.length)}\n\n${found}\n\n${text.slice(after)}`, {
      parser: 'markdown',
      printWidth: 110,
    }),
  );
  const drawn = results.find((result) => result.chart)?.chart;
  if (drawn) writeFileSync(DRAWING, chart(drawn.title, drawn.bars));
}

/** @param {Goal} goal @returns {Cell[]} */
function goalRow(goal) {
  const { name, value, atLeast, atMost, aim } = goal;
  const bound = atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`;
  const verdict = !isMet(goal)
    ? '**missed**'
    : aim === undefined
      ? 'met'
      : reachesAim(goal)
        ? 'met, and the aim'
        : 'met';
  return [
    goal.spreadIs === undefined ? name : `${name} (${goal.spreadIs})`,
    aim === undefined ? bound : `${bound}, aim ${aim}`,
    value ?? 'nothing',
    verdict,
  ];
}

/** @param {Result} result */
function section({ title, table: found, shares, goals }) {
  const missed = goals.filter((goal) => !isMet(goal)).map(({ name }) => name);
  return [
    `### ${title}`,
    found ? table(found.head, found.rows) : '',
    shares
      ? `Missed: ${missed.join('; ')}. Where the time of freshgate’s main thread goes, waiting for the disk included:\n\n${table(
          ['package', 'share'],
          shares.map(([name, share]) => [name, `${(share * 100).toFixed(1)} %`]),
        )}`
      : '',
  ];
}

/** @param {string[]} head @param {Cell[][]} rows */
function table(head, rows) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map((row) => line(row.map(show)))].join('\n');
}

/** @param {Cell} cell */
function show(cell) {
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number') return cell.toLocaleString('en');
  if ('milliseconds' in cell) return `${precise(cell.milliseconds)} ms`;
  const { median, low, high } = cell;
  return low === high ? precise(median) : `${precise(median)} (${precise(low)} to ${precise(high)})`;
}

/** Three digits that count. @param {number} value */
function precise(value) {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function machine() {
  const [cpu] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const pinned = CORES
    ? `servers on core ${CORES.servers}, load and PostgreSQL on ${CORES.load}`
    : 'nothing pinned to cores';
  const first = CAN_BE_FIRST ? '' : '; who measures beside a flood of logins waits like all others';
  const where = `${cpu?.model.trim()}, ${cpus().length} cores, ${memory}, ${type()} ${release()}, Node ${process.version}; ${pinned}${first}.`;
  return `${where} Beside ${peers().join(', ')}.`;
}

/** The names and versions of the compared packages. */
function peers() {
  const bench = createRequire(new URL('../package.json', import.meta.url));
  const names = Object.keys(bench('./package.json').devDependencies);
  return ['@nestjs/core', 'passport-jwt', ...names].map((name) => `${name} ${versionOf(bench, name)}`);
}

/** @param {NodeJS.Require} from @param {string} name @returns {string} */
function versionOf(from, name) {
  const folders = from.resolve.paths(name) ?? [];
  const manifest = folders.map((folder) => join(folder, name, 'package.json')).find(existsSync);
  return manifest === undefined ? '' : JSON.parse(readFileSync(manifest, 'utf8')).version;
}
