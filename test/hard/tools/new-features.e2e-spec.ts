import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { blocksOf, readDocument } from '../../docs/documents.js';
import { ProjectCopy } from '../../support/project-copy.js';

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
/** The tests of that folder that need no documents. */
const ARCHITECTURE = 'test/architecture/(route-policies|import-direction)';
/** The command that lists all routes is a process, for which the copy would be built. */
const NO_PROCESS = ['-t', '^(?!.*npm run routes)'];
/** Milliseconds; a compiler, a linter and a run of Jest. */
const LONG = 300_000;

let project: ProjectCopy;

const generate = (...args: string[]) =>
  project.run(process.execPath, ['tools/new-feature/new-feature.mjs', ...args]);

/** Features that a team has added are not tested here, and may have the same names. */
function removeOthers(): void {
  const change = (path: string, edit: (text: string) => string) =>
    writeFileSync(project.path(path), edit(readFileSync(project.path(path), 'utf8')));
  const others = readdirSync(project.path('src/features'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !['profile', 'transfers'].includes(entry.name))
    .map(({ name }) => name);
  for (const name of others) {
    rmSync(project.path(`src/features/${name}`), { recursive: true });
    rmSync(project.path(`test/features/${name}.e2e-spec.ts`), { force: true });
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
  project = new ProjectCopy(COPIED);
  removeOthers();
});
afterAll(() => project.remove());

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
    const before = readFileSync(project.path('src/features/features.module.ts'), 'utf8');
    const { code, output } = await generate(...args);
    expect([code, output]).toEqual([1, expect.stringContaining(complaint)]);
    expect(readFileSync(project.path('src/features/features.module.ts'), 'utf8')).toBe(before);
    expect(existsSync(project.path('src/features/invoices'))).toBe(false);
  });

  it('shows how it is used', async () => {
    expect(await generate('--help')).toEqual({ code: 0, output: expect.stringContaining('Usage:') });
  });

  it('numbers the migrations of one day in the order of their making', async () => {
    const today = new Date().toISOString().slice(0, 10);
    const numberOf = (path: string) => {
      const text = readFileSync(project.path(path), 'utf8');
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
      mkdirSync(dirname(project.path(path)), { recursive: true });
      writeFileSync(project.path(path), text);
      return path;
    });
    expect(files).toHaveLength(7);
    expect(files.slice(-2)).toEqual([
      'test/features/reminders.e2e-spec.ts',
      'test/features/invoices-of-customers.e2e-spec.ts',
    ]);
    const list = project.path('src/features/features.module.ts');
    const line = "import { RemindersModule } from './reminders/reminders.module.js';\n";
    const text = readFileSync(list, 'utf8').replace('imports: [', 'imports: [RemindersModule, ');
    writeFileSync(list, line + text);
    expect(await project.bin('prettier/bin/prettier.cjs', ['--write', list])).toMatchObject({ code: 0 });
  });

  it('relates two generated features by the difference that it shows', async () => {
    const [difference = '', ...more] = blocksOf(readDocument('docs/extending.md'), 'diff');
    expect(more).toEqual([]);
    writeFileSync(project.path('relation.diff'), difference);
    expect(await project.run('git', ['apply', 'relation.diff'])).toEqual({ code: 0, output: '' });
  });
});

describe('they', () => {
  it(
    'are formatted, and neither the compiler nor the linter complains',
    async () => {
      // The other tests do not see them.
      const program = { extends: './tsconfig.json', include: ['src', 'test/features', 'test/architecture'] };
      writeFileSync(project.path('tsconfig.features.json'), JSON.stringify(program));
      const folders = ['src/features', 'test/features'];
      const [formatted, compiled, linted] = await Promise.all([
        project.bin('prettier/bin/prettier.cjs', ['--check', ...folders]),
        project.bin('typescript/bin/tsc', ['--project', 'tsconfig.features.json']),
        project.bin('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings', ...folders]),
      ]);
      expect(formatted).toMatchObject({ code: 0 });
      expect(compiled).toEqual({ code: 0, output: '' });
      expect(linted.output).toContain('Found 0 warnings and 0 errors');
    },
    LONG,
  );

  it(
    'pass their tests',
    async () => {
      // The generator has said what its routes need; for what was made by hand, a person has to agree.
      const unseen = await project.jest(['-t', 'have these policies', 'test/architecture/route-policies']);
      expect(unseen).toEqual({ code: 1, output: expect.stringContaining('/reminders → fresh-access') });
      expect(unseen.output).not.toMatch(/^\s*[+-].*invoices/m);
      // The compiler has seen the others, which differ from these in their names alone.
      const all = await project.jest([
        '-u',
        ...NO_PROCESS,
        'features/(invoices|credit-notes|reminders)',
        ARCHITECTURE,
      ]);
      expect(all).toEqual({ code: 0, output: expect.stringMatching(/Test Suites: 8 passed, 8 total/) });
      expect(all.output).toContain('1 snapshot updated');
    },
    LONG,
  );
});
