import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../../docs/documents.js';

const run = promisify(execFile);

const SOURCES = ['src', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

/** Why there is no server of an earlier commit, or its built `main.js`. */
export type EarlierServer = { main: string; missing?: undefined } | { main?: undefined; missing: string };

/**
 * Builds the server of an earlier commit, with the packages of its own lock file. It is kept under `node_modules`, because
 * a commit does not change. A reason why it cannot be built is printed.
 * @throws Error where CI=true and the commit is there, but cannot be built
 */
export async function buildEarlierServer(commit: string): Promise<EarlierServer> {
  const build = join(ROOT, 'node_modules/.cache/freshgate-earlier', commit);
  const main = join(build, 'dist/main.js');
  if (existsSync(main)) return { main };
  try {
    await run('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: ROOT });
  } catch {
    return skip(`the commit ${commit} is not in this clone (git fetch --unshallow)`);
  }
  // Under a name of its own until it is whole: another run may be building the same.
  const draft = `${build}.${process.pid}`;
  try {
    await buildInto(draft, commit);
    renameSync(draft, build);
    return { main };
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (existsSync(main)) return { main };
    if (process.env.CI === 'true')
      throw new Error(`the server of ${commit} could not be built`, { cause: error });
    const { stderr, stdout } = error as { stderr?: string; stdout?: string };
    return skip(`the server of ${commit} could not be built: ${stderr || stdout || String(error)}`);
  }
}

async function buildInto(folder: string, commit: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const archive = join(folder, 'sources.tar');
  await run('git', ['archive', '--output', archive, commit, '--', ...SOURCES], { cwd: ROOT });
  await run('tar', ['-xf', archive], { cwd: folder });
  const quiet = ['--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  await run('npm', ['ci', ...quiet, '--loglevel=error'], { cwd: folder });
  // Our compiler: the old one is a development dependency.
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const options = ['--noCheck', '--declaration', 'false', '--sourceMap', 'false', '--outDir', 'dist'];
  await run(process.execPath, [tsc, '--project', 'tsconfig.build.json', ...options], { cwd: folder });
}

function skip(missing: string): EarlierServer {
  process.stderr.write(`\n!!! The tests beside an earlier version were SKIPPED: ${missing}\n`);
  return { missing };
}
