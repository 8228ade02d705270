import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../docs/documents.js';
import { POSTGRES_URL } from './engines.js';
import { SERVER_MISSING } from './server-process.js';

const execute = promisify(execFile);

export interface Outcome {
  code: number;
  output: string;
}

/** A copy of the project in a temporary folder: for commands that change the project. */
export class ProjectCopy {
  readonly folder = mkdtempSync(join(tmpdir(), 'freshgate-copy-'));

  /** @param paths relative to the project; those that do not exist are left out */
  constructor(paths: readonly string[]) {
    for (const path of paths.filter((each) => existsSync(join(ROOT, each))))
      cpSync(join(ROOT, path), this.path(path), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), this.path('node_modules'));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Runs a command there. Does not throw if it fails. */
  async run(command: string, args: string[], env: Record<string, string> = {}): Promise<Outcome> {
    const { PATH = '', HOME = '' } = process.env;
    try {
      const { stdout, stderr } = await execute(command, args, {
        cwd: this.folder,
        env: { PATH, HOME, NO_COLOR: '1', ...env },
        maxBuffer: 2 ** 24,
      });
      return { code: 0, output: stdout + stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, output: stdout + stderr };
    }
  }

  /** Runs a script of a package, such as `typescript/bin/tsc`. */
  bin(name: string, args: string[]): Promise<Outcome> {
    return this.run(process.execPath, [join('node_modules', ...name.split('/')), ...args]);
  }

  /**
   * Runs test files, on the PostgreSQL of this run.
   * @param isBuilt whether one of them starts the server as a process
   */
  jest(args: string[], { isBuilt = false } = {}): Promise<Outcome> {
    const url = process.env[POSTGRES_URL];
    return this.run(
      process.execPath,
      ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--ci', '-w', '2', ...args],
      {
        ...(url !== undefined && { TEST_DATABASE_URL: url }),
        ...(!isBuilt && { [SERVER_MISSING]: 'no test here starts it' }),
      },
    );
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
