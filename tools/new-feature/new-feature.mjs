import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import * as prettier from 'prettier';
import { className, rename, singularOf, tableName } from './names.mjs';

const USAGE = `Usage: npm run new:feature -- NAME [--singular NAME]

  npm run new:feature -- invoices
  npm run new:feature -- credit-notes
  npm run new:feature -- lenses --singular lens

Makes src/features/NAME (module, controller, service, repository, migration, DTOs, a spec, and an index for other features) and
test/features/NAME.e2e-spec.ts, names the module in src/features/features.module.ts, and its routes in the snapshot of
all routes. Every route is guarded; deleting takes a fresh token.
`;

const TEMPLATE = join(import.meta.dirname, 'template');
const FEATURES = 'src/features/features.module.ts';
const SNAPSHOT = 'test/architecture/__snapshots__/route-policies.e2e-spec.ts.snap';
const NAME = /^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/;

/** Paths without a controller, and classes that the files of a feature import. */
const RESERVED = ['docs', 'features', 'database'];

/** The name cannot be used; nothing has been written. */
class FeatureError extends Error {}

/** The files of the feature, by their paths, and the two that name it. All are read before the first is written. */
function plan({ many, one }) {
  refuseTaken(many);
  const migration = nextMigration(new Date().toISOString().slice(0, 10));
  const files = readdirSync(TEMPLATE, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((path) => {
      const text = readFileSync(path, 'utf8').replaceAll('MIGRATION', migration);
      return [rename(path.slice(TEMPLATE.length + 1), { many, one }), rename(text, { many, one })];
    });
  const taken = files.map(([path]) => path).find((path) => existsSync(path));
  if (taken !== undefined) throw new FeatureError(`${taken} exists already`);
  return [...files, [FEATURES, withModule(many)], [SNAPSHOT, withRoutes(many)]];
}

function refuseTaken(many) {
  if (RESERVED.includes(many)) throw new FeatureError(`"${many}" is taken; choose another name`);
  if (readdirSync('src/features').includes(many))
    throw new FeatureError(`src/features/${many} exists already`);
  const route = readFileSync(SNAPSHOT, 'utf8').match(new RegExp(`^ {2}"\\w+ /${many}[/ ].*$`, 'm'))?.[0];
  if (route) throw new FeatureError(`the path /${many} is taken: ${route.trim()}`);
  const table = new RegExp(`createTable\\('${tableName(many)}'\\)`);
  const owner = tableFiles().find((path) => table.test(readFileSync(path, 'utf8')));
  if (owner) throw new FeatureError(`the table ${tableName(many)} is made by ${owner}`);
}

function tableFiles() {
  return readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.table.ts'))
    .map((path) => join('src', path));
}

/**
 * `2026-11-28.3`: the next free number of the day. Migrations run in the order of their names as text, so `a` follows `9`.
 */
function nextMigration(day) {
  const numbers = tableFiles()
    .flatMap((path) => [...readFileSync(path, 'utf8').matchAll(/'(\d{4}-\d\d-\d\d)\.([\da-z])-/g)])
    .filter(([, date]) => date === day)
    .map(([, , number]) => parseInt(number, 36));
  return `${day}.${(Math.max(0, ...numbers) + 1).toString(36)}`;
}

function withModule(many) {
  const module = `${className(many)}Module`;
  const before = readFileSync(FEATURES, 'utf8');
  // Only a plain list of names: anything else needs a person.
  const [list, names] = /imports: \[((?:\s*\w+,?)*)\s*\]/.exec(before) ?? [];
  const [last] = before.match(/^import .*$/gm)?.slice(-1) ?? [];
  if (list === undefined || last === undefined)
    throw new FeatureError(`${FEATURES} has no plain list of modules; make it "imports: [AModule, BModule]"`);
  const modules = [...(names.match(/\w+/g) ?? []), module].join(', ');
  return before
    .replace(last, `${last}\nimport { ${module} } from './${many}/${many}.module.js';`)
    .replace(list, `imports: [${modules}]`);
}

/** The snapshot of all routes with those of the feature, in its order. */
function withRoutes(many) {
  const added = [
    `GET /${many} → access`,
    `POST /${many} → access`,
    `DELETE /${many}/:id → fresh-access, max age 15m`,
    `GET /${many}/:id → access`,
  ].map((line) => `  "${line}",`);
  const lines = readFileSync(SNAPSHOT, 'utf8').split('\n');
  const routes = lines.filter((line) => line.startsWith('  "'));
  const key = (line) => line.match(/"(\w+) (\S+)/)?.slice(1) ?? [];
  const sorted = [...routes, ...added].toSorted((a, b) => {
    const [[methodA, pathA], [methodB, pathB]] = [key(a), key(b)];
    return pathA.localeCompare(pathB) || methodA.localeCompare(methodB);
  });
  lines.splice(lines.indexOf(routes[0]), routes.length, ...sorted);
  return lines.join('\n');
}

async function formatted(path, text) {
  if (!path.endsWith('.ts')) return text;
  return prettier.format(text, { ...(await prettier.resolveConfig(path)), filepath: path });
}

async function run(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { singular: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) return USAGE;
  const [many, ...more] = positionals;
  if (many === undefined || more.length > 0) throw new FeatureError('expected one name, like invoices');
  const one = values.singular ?? singularOf(many);
  for (const name of [many, one]) {
    if (!NAME.test(name))
      throw new FeatureError(
        `"${name}" is not lower case words with hyphens between them, like credit-notes`,
      );
  }
  const files = await Promise.all(
    plan({ many, one }).map(async ([path, text]) => [path, await formatted(path, text)]),
  );
  for (const [path, text] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  const paths = files.map(([path]) => `  ${path}\n`).join('');
  return `${paths}\nGuarded and served at /${many}. Next: npm test -- ${many} test/architecture\n`;
}

try {
  process.stdout.write(await run(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof FeatureError) && !error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
  process.stderr.write(`${error.message} (--help shows how this is used)\n`);
  process.exitCode = 1;
}
