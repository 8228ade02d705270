import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { POSTGRES_URL } from '../../support/engines.js';
import { blocksOf, readDocument, ROOT } from '../../docs/documents.js';

/*
 * On a copy of the project: features that the generator makes, and one made by hand as docs/extending.md says it. They
 * must be green at once: formatted, without a complaint of the linter or the compiler, and with their tests passed.
 */

const COPIED = [
  'src',
  'test',
  'tools',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'nest-cli.json',
  'jest.config.mjs',
  '.prettierrc.json',
  '.prettierignore',
  '.oxlintrc.json',
];
/** Snapshot and direction: those of that folder that need no documents. */
const ARCHITECTURE = 'test/architecture/(route-policies|import-direction)';
/** Milliseconds; a compiler, a linter and a run of Jest. */
const LONG = 300_000;

const execute = promisify(execFile);
let folder: string;

interface Outcome {
  code: number;
  output: string;
}

async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  const { PATH = '', HOME = '' } = process.env;
  try {
    const { stdout, stderr } = await execute(command, args, {
      cwd: folder,
      env: { PATH, HOME, NO_COLOR: '1', ...env },
      maxBuffer: 2 ** 24,
    });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

const generate = (...args: string[]) => run(process.execPath, ['tools/new-feature/new-feature.mjs', ...args]);
const bin = (name: string, args: string[]) =>
  run(process.execPath, [join('node_modules', ...name.split('/')), ...args]);

/** What a team has added by now is not what is tried here, and may have the names that are. */
function removeOthers(): void {
  const change = (path: string, edit: (text: string) => string) =>
    writeFileSync(join(folder, path), edit(readFileSync(join(folder, path), 'utf8')));
  const others = readdirSync(join(folder, 'src/features'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !['profile', 'transfers'].includes(entry.name))
    .map(({ name }) => name);
  for (const name of others) {
    rmSync(join(folder, 'src/features', name), { recursive: true });
    rmSync(join(folder, 'test/features', `${name}.e2e-spec.ts`), { force: true });
    change('src/features/features.module.ts', (text) => {
      const [line = '', module = ''] =
        new RegExp(`^import \\{ (\\w+) \\} from '\\./${name}/.*\\n`, 'm').exec(text) ?? [];
      return text.replace(line, '').replace(new RegExp(`${module},? ?`), '');
    });
  }
  change('test/architecture/__snapshots__/route-policies.e2e-spec.ts.snap', (text) =>
    text.replace(/^ {2}"\w+ \/(?!\.well-known|admin|auth|health|profile|transfers).*\n/gm, ''),
  );
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'freshgate-generator-'));
  for (const name of COPIED) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  removeOthers();
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('npm run new:feature', () => {
  it.each([
    [[], 'expected one name'],
    [['invoices', 'orders'], 'expected one name'],
    [['Invoices'], '"Invoices" is not lower case words'],
    [['../invoices'], 'is not lower case words'],
    [['invoices', '--singular', 'an invoice'], 'is not lower case words'],
    [['invoices', '--plural', 'x'], "Unknown option '--plural'"],
    [['profile'], 'src/features/profile exists already'],
    [['auth'], 'the path /auth is taken'],
    [['docs'], '"docs" is taken'],
    [['features'], '"features" is taken'],
    [['database'], '"database" is taken'],
    [['sessions'], 'the table sessions is made by src/sessions/sessions.table.ts'],
  ])('refuses %j, and writes nothing', async (args, complaint) => {
    const before = readFileSync(join(folder, 'src/features/features.module.ts'), 'utf8');
    const { code, output } = await generate(...args);
    expect([code, output]).toEqual([1, expect.stringContaining(complaint)]);
    expect(readFileSync(join(folder, 'src/features/features.module.ts'), 'utf8')).toBe(before);
    expect(existsSync(join(folder, 'src/features/invoices'))).toBe(false);
  });

  it('shows how it is used', async () => {
    expect(await generate('--help')).toEqual({ code: 0, output: expect.stringContaining('Usage:') });
  });

  it('numbers the migrations of one day in the order of their making', async () => {
    const today = new Date().toISOString().slice(0, 10);
    const numberOf = (path: string) => {
      const text = readFileSync(join(folder, path), 'utf8');
      return parseInt(new RegExp(`'${today}\\.([\\da-z])-`).exec(text)?.[1] ?? '', 36);
    };
    // The names are in the other order.
    for (const name of ['vehicles', 'garages']) expect(await generate(name)).toMatchObject({ code: 0 });
    const [first, second] = ['vehicles', 'garages'].map((name) =>
      numberOf(`src/features/${name}/${name}.table.ts`),
    );
    expect(second).toBe((first ?? NaN) + 1);
  });

  it('makes features, and none twice', async () => {
    for (const args of [['customers'], ['invoices'], ['credit-notes'], ['lenses', '--singular', 'lens']])
      expect(await generate(...args)).toMatchObject({ code: 0 });
    const again = await generate('invoices');
    expect(again).toEqual({ code: 1, output: expect.stringContaining('src/features/invoices exists') });
  });
});

describe('docs/extending.md', () => {
  it('has all files of a feature', async () => {
    // Those that say where they go; the others are compiled with all examples.
    const named = blocksOf(readDocument('docs/extending.md'), 'ts').filter((code) => code.startsWith('// '));
    const files = named.map((code) => {
      const [, path = '', text = ''] = /^\/\/ (\S+)\n([^]*)$/.exec(code) ?? [];
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
      return path;
    });
    expect(files).toHaveLength(7);
    expect(files.slice(-2)).toEqual([
      'test/features/reminders.e2e-spec.ts',
      'test/features/invoices-of-customers.e2e-spec.ts',
    ]);
    const list = join(folder, 'src/features/features.module.ts');
    const line = "import { RemindersModule } from './reminders/reminders.module.js';\n";
    const text = readFileSync(list, 'utf8').replace('imports: [', 'imports: [RemindersModule, ');
    writeFileSync(list, line + text);
    expect(await bin('prettier/bin/prettier.cjs', ['--write', list])).toMatchObject({ code: 0 });
  });

  it('relates two generated features by the difference that it shows', async () => {
    const [difference = '', ...more] = blocksOf(readDocument('docs/extending.md'), 'diff');
    expect(more).toEqual([]);
    writeFileSync(join(folder, 'relation.diff'), difference);
    expect(await run('git', ['apply', 'relation.diff'])).toEqual({ code: 0, output: '' });
  });
});

describe('they', () => {
  it(
    'are formatted, and neither the compiler nor the linter complains',
    async () => {
      expect(await bin('prettier/bin/prettier.cjs', ['--check', 'src', 'test'])).toMatchObject({ code: 0 });
      expect(await bin('typescript/bin/tsc', [])).toEqual({ code: 0, output: '' });
      const { output } = await bin('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings', 'src', 'test']);
      expect(output).toContain('Found 0 warnings and 0 errors');
    },
    LONG,
  );

  const jest = (...args: string[]) =>
    run(
      process.execPath,
      ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--runInBand', ...args],
      process.env[POSTGRES_URL] === undefined ? {} : { TEST_DATABASE_URL: process.env[POSTGRES_URL] },
    );

  it(
    'pass their tests',
    async () => {
      // The generator has said what its routes need; for what was made by hand, somebody has to agree.
      const unseen = await jest('--ci', ARCHITECTURE);
      expect(unseen).toEqual({ code: 1, output: expect.stringContaining('/reminders → fresh-access') });
      expect(unseen.output).not.toMatch(/^\s*[+-].*invoices/m);
      const all = await jest(
        '-u',
        'features/(customers|invoices|credit-notes|lenses|reminders)',
        ARCHITECTURE,
      );
      expect(all).toEqual({ code: 0, output: expect.stringMatching(/Test Suites: 12 passed, 12 total/) });
      expect(all.output).toContain('1 snapshot updated');
    },
    LONG,
  );
});
