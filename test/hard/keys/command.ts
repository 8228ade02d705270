import { execFile } from 'node:child_process';
import { builtFile } from '../../support/server-process.js';

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `keys …` in the folder of a server, with that server's environment. */
export function keys(folder: string, args: string[], env: Record<string, string> = {}): Promise<Outcome> {
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
