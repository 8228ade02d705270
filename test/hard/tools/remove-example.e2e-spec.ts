import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../../docs/documents.js';
import { POSTGRES_URL } from '../../support/engines.js';

/* On a copy of the project that is a repository of its own. */

/** Milliseconds; a compiler, a linter and a run of Jest. */
const LONG = 500_000;

/** Those that used the example, and those that compare documents with the code. */
const SUITES = [
  'test/architecture',
  'test/docs/(option-tables|configuration|errors|http-api|links|readme|security|tokens)',
  'test/database/stored',
  'test/guard/(caching|policy-matrix)',
  'test/http/http',
  'src/app.config',
];
const HARD_SUITES = ['test/hard/processes/(logs|configuration)'];

const execute = promisify(execFile);
let folder: string;

async function run(command: string, args: string[], env: Record<string, string> = {}) {
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

const git = async (...args: string[]) => {
  const who = ['-c', 'user.name=test', '-c', 'user.email=test@example.com'];
  const { code, output } = await run('git', [...who, ...args]);
  if (code !== 0) throw new Error(output);
  return output;
};
const remove = () => run(process.execPath, ['tools/remove-example/remove-example.mjs']);
const bin = (name: string, args: string[]) =>
  run(process.execPath, [join('node_modules', ...name.split('/')), ...args]);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'freshgate-example-'));
  const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { stdout } = await execute('git', listed, { cwd: ROOT });
  const present = stdout.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)));
  for (const path of present) cpSync(join(ROOT, path), join(folder, path));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  // A link is no directory, which the pattern `node_modules/` would match.
  await git('init', '-q');
  writeFileSync(join(folder, '.git/info/exclude'), 'node_modules\n');
  await git('add', '-A');
  await git('commit', '-qm', 'all');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('npm run remove:example', () => {
  it('refuses a tree with changes, and writes nothing', async () => {
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    const refused = await remove();
    expect(refused).toEqual({ code: 1, output: expect.stringContaining('?? notes.txt') });
    rmSync(join(folder, 'notes.txt'));
    expect(await git('status', '--porcelain')).toBe('');
  });

  it('removes the feature, and says what it has removed and changed', async () => {
    const { code, output } = await remove();
    expect([code, output]).toEqual([0, expect.stringContaining('removed src/features/transfers\n')]);
    const changed = (await git('status', '--porcelain')).match(/^ M .*$/gm) ?? [];
    expect(changed.length).toBeGreaterThan(15);
    for (const line of changed) expect(output).toContain(line.replace(' M ', '  changed '));
    const left = await run('git', ['grep', '-lE', 'example:(begin|end)|TRANSFERS_', '--', ':!tools']);
    expect(left.output).toBe('');
  });

  it('has nothing to do the second time', async () => {
    expect(await remove()).toEqual({ code: 0, output: expect.stringContaining('Nothing to do') });
  });

  it(
    'leaves a tree that is formatted, and about which neither the compiler nor the linter complains',
    async () => {
      expect(await bin('prettier/bin/prettier.cjs', ['--check', '.'])).toMatchObject({ code: 0 });
      expect(await bin('typescript/bin/tsc', [])).toEqual({ code: 0, output: '' });
      const { output } = await bin('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings']);
      expect(output).toContain('Found 0 warnings and 0 errors');
    },
    LONG,
  );

  it(
    'leaves tests that pass',
    async () => {
      const url = process.env[POSTGRES_URL];
      const jest = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--ci', '-w', '2'];
      for (const suites of [SUITES, ['--config', 'test/hard/jest.config.mjs', ...HARD_SUITES]]) {
        const { code, output } = await run(
          process.execPath,
          [...jest, ...suites],
          url === undefined ? {} : { TEST_DATABASE_URL: url },
        );
        expect([code, output]).toEqual([0, expect.stringMatching(/^Tests: +(\d+ skipped, )?\d+ passed/m)]);
      }
    },
    LONG,
  );
});
