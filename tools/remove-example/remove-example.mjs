import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as prettier from 'prettier';

const USAGE = `Usage: npm run remove:example

Removes the example feature "transfers": its code, tests, routes, options and documentation. A database that has its
tables keeps them. The working tree must be clean, so that "git diff" shows all that was done.
`;

const FEATURE = 'src/features/transfers';

const REMOVED = [
  FEATURE,
  'src/pages/public/view-transfers.js',
  'test/features/transfers.e2e-spec.ts',
  // The tool itself has nothing left to do.
  'test/hard/tools/remove-example.e2e-spec.ts',
];

/** Lines between these two markers belong to the example, in source and documents. */
const MARKED = /^[ \t]*(?:\/\/|#|<!--) example:begin[^]*?example:end.*\n/gm;

/** Rows of documents about the routes, the error code and the variable of the example. */
const ROW = /^\| `(?:\w+ \/transfers|insufficient_funds|TRANSFERS_\w+)`.*\n/gm;

const STORY = /(## The story in curl\n[^]*?)```sh\n[^]*?```\n/;

/** Other references to the example, by file; each pattern is removed. */
const EDITS = {
  'src/features/features.module.ts': [/^import .*transfers\.module.*\n/m, /,? ?\bTransfersModule\b/],
  'src/features/features.options.ts': [/^import .*transfers\.options.*\n/m, /,? ?\bTransfersOptions\b/],
  'src/openapi/setup.ts': [/^ *\.addTag\('transfers'.*\n/m],
  'test/architecture/__snapshots__/route-policies.e2e-spec.ts.snap': [/^ *"\w+ \/transfers .*\n/gm],
  '.env.example': [/\n(?:#.*\n)*#TRANSFERS_\w+=.*\n/],
  'compose.yaml': [/^ *TRANSFERS_\w+:.*\n/gm],
  'docs/security.md': [/, `test\/features\/transfers\.e2e-spec\.ts`/g],
  'README.md': [/(?: and|,)\s+\[`features\/transfers`\]\([^)]*\)/],
};

/** The removal is impossible; nothing has been written. */
class RemovalError extends Error {}

const git = (...args) => execFileSync('git', args, { encoding: 'utf8' });

/** Returns every tracked file that changes, with its new text. */
async function plan() {
  const paths = git('ls-files', '-z')
    .split('\0')
    .filter((path) => /\.(ts|js|html|snap|md|yaml|example)$/.test(path) && !path.startsWith('tools/'))
    .filter((path) => path !== 'CHANGELOG.md' && existsSync(path))
    .filter((path) => !REMOVED.some((removed) => path.startsWith(removed)));
  const changed = [];
  for (const path of paths) {
    const before = readFileSync(path, 'utf8');
    const after = edited(path, before);
    if (after !== before) changed.push([path, await formatted(path, after)]);
  }
  return changed;
}

function edited(path, before) {
  let text = before.replace(MARKED, '');
  if (path.endsWith('.md')) text = text.replace(ROW, '');
  for (const pattern of EDITS[path] ?? []) {
    if (text.search(pattern) === -1) throw new RemovalError(`${path}: nothing matches ${pattern}`);
    text = text.replace(pattern, '');
  }
  return path === 'README.md' ? withoutTransfers(text) : text;
}

function withoutTransfers(readme) {
  if (!STORY.test(readme))
    throw new RemovalError('README.md: "## The story in curl" has no block of commands');
  const story = readFileSync(join(import.meta.dirname, 'story.md'), 'utf8');
  return readme.replace(STORY, (_, heading) => heading + story);
}

async function formatted(path, text) {
  if (!/\.(ts|js|html|md|yaml)$/.test(path)) return text;
  return prettier.format(text, { ...(await prettier.resolveConfig(path)), filepath: path });
}

/** Lists sentences that a person must rewrite. */
function mentions() {
  const lines = [];
  for (const path of git('ls-files', '-z', '*.md', 'src').split('\0').filter(existsSync)) {
    if (path === 'CHANGELOG.md' || path.startsWith('tools/')) continue;
    for (const [i, line] of readFileSync(path, 'utf8').split('\n').entries())
      if (/\btransfers?\b/i.test(line) && !/transfer-encoding/i.test(line))
        lines.push(`  ${path}:${i + 1}: ${line.trim().slice(0, 100)}\n`);
  }
  return lines.join('');
}

async function run(args) {
  const { values } = parseArgs({ args, options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help) return USAGE;
  if (!existsSync(FEATURE)) return `Nothing to do: there is no ${FEATURE}.\n`;
  const status = git('status', '--porcelain');
  if (status !== '') throw new RemovalError(`the working tree has changes; commit or stash them:\n${status}`);

  const changed = await plan();
  for (const path of REMOVED) rmSync(path, { recursive: true, force: true });
  for (const [path, text] of changed) writeFileSync(path, text);
  const report = [
    ...REMOVED.map((path) => `  removed ${path}\n`),
    ...changed.map(([path]) => `  changed ${path}\n`),
  ].join('');
  const left = mentions();
  return `${report}${left && `\nSentences that still mention a transfer:\n${left}`}\nNext: npm run check && npm test\n`;
}

try {
  process.stdout.write(await run(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof RemovalError) && !error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
  process.stderr.write(`${error.message} (--help shows how this is used)\n`);
  process.exitCode = 1;
}
