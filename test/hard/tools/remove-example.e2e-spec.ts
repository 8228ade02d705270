import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { ROOT } from '../../docs/documents.js';
import { ProjectCopy } from '../../support/project-copy.js';

/* On a copy of the project that is a repository of its own. */

/** Milliseconds; a compiler, a linter and a run of Jest. */
const LONG = 500_000;

/** Those whose story changes without the example, and those that compare documents with the code. */
const SUITES = [
  'test/architecture',
  'test/client/client',
  'test/docs/(option-tables|configuration|errors|http-api|links|readme|security|tokens)',
  'test/guard/policy-matrix',
  'test/hard/processes/logs',
  'src/app.config',
];
/** The walks over every route, and the command that lists them: fewer routes are no other case. */
const OTHERS = '^(?!.*("warm"|npm run routes))';

let project: ProjectCopy;

const git = async (...args: string[]) => {
  const who = ['-c', 'user.name=test', '-c', 'user.email=test@example.com'];
  const { code, output } = await project.run('git', [...who, ...args]);
  if (code !== 0) throw new Error(output);
  return output;
};
const remove = () => project.run(process.execPath, ['tools/remove-example/remove-example.mjs']);

beforeAll(async () => {
  const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { stdout } = await promisify(execFile)('git', listed, { cwd: ROOT });
  project = new ProjectCopy(stdout.split('\0').filter(Boolean));
  // A link is no directory, which the pattern `node_modules/` would match.
  await git('init', '-q');
  writeFileSync(project.path('.git/info/exclude'), 'node_modules\n');
  await git('add', '-A');
  await git('commit', '-qm', 'all');
});
afterAll(() => project.remove());

describe('npm run remove:example', () => {
  it('refuses a tree with changes, and writes nothing', async () => {
    writeFileSync(project.path('notes.txt'), 'mine');
    const refused = await remove();
    expect(refused).toEqual({ code: 1, output: expect.stringContaining('?? notes.txt') });
    rmSync(project.path('notes.txt'));
    expect(await git('status', '--porcelain')).toBe('');
  });

  it('removes the feature, and says what it has removed and changed', async () => {
    const { code, output } = await remove();
    expect([code, output]).toEqual([0, expect.stringContaining('removed src/features/transfers\n')]);
    const changed = (await git('status', '--porcelain')).match(/^ M .*$/gm) ?? [];
    expect(changed.length).toBeGreaterThan(15);
    for (const line of changed) expect(output).toContain(line.replace(' M ', '  changed '));
    const left = await project.run('git', ['grep', '-lE', 'example:(begin|end)|TRANSFERS_', '--', ':!tools']);
    expect(left.output).toBe('');
  });

  it('has nothing to do the second time', async () => {
    expect(await remove()).toEqual({ code: 0, output: expect.stringContaining('Nothing to do') });
  });

  it(
    'leaves a tree that is formatted, and about which neither the compiler nor the linter complains',
    async () => {
      // The compiler sees all; the others see what was changed.
      const changed = (await git('diff', '--name-only', '--diff-filter=M')).trim().split('\n');
      const [formatted, compiled, linted] = await Promise.all([
        project.bin('prettier/bin/prettier.cjs', ['--check', '--ignore-unknown', ...changed]),
        project.bin('typescript/bin/tsc', []),
        project.bin('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings', ...changed]),
      ]);
      expect(formatted).toMatchObject({ code: 0 });
      expect(compiled).toEqual({ code: 0, output: '' });
      expect(linted.output).toContain('Found 0 warnings and 0 errors');
    },
    LONG,
  );

  it(
    'leaves tests that pass',
    async () => {
      // Those of test/hard are left out by default.
      const all = ['--testPathIgnorePatterns', '/node_modules/', '-t', OTHERS, ...SUITES];
      const { code, output } = await project.jest(all, { isBuilt: true });
      expect([code, output]).toEqual([0, expect.stringMatching(/^Tests: +(\d+ skipped, )?\d+ passed/m)]);
      expect(output).toContain('PASS test/hard/processes/logs.e2e-spec.ts');
    },
    LONG,
  );
});
