import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { type Outcome } from '../../../src/cli/operator.js';
import { runKeys } from '../../../src/cli/run-keys.js';
import { builtFile } from '../../support/server-process.js';

/** What a process ends with: more codes than the command has. */
export type Ended = Omit<Outcome, 'code'> & { code: number };

/** Runs `keys …` in the folder of a server, with that server's environment. */
export function keys(folder: string, args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const { PATH = '', HOME = '' } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [builtFile('cli/keys.js'), ...args],
      { cwd: folder, env: { PATH, HOME, ...env } },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

/** The same within this process, for tests that need no process. */
export function keysHere(folder: string, args: string[], env: Record<string, string> = {}): Outcome {
  return runKeys(args, () => ({ AUTH_KEYS_FILE: join(folder, 'data/keys.json'), ...env }));
}
