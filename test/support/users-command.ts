import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { runUsers } from '../../src/cli/run-users.js';
import { loadConfig } from '../../src/app.config.js';
import { builtFile } from './server-process.js';

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface CommandOptions {
  folder: string;
  env?: Record<string, string>;
  /** What it reads on its standard input. */
  input?: string;
}

/** Runs `npm run users -- …` as built, to its end. */
export async function users(
  args: string[],
  { folder, env = {}, input = '' }: CommandOptions,
): Promise<CommandResult> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [builtFile('cli/users.js'), ...args], {
    cwd: folder,
    env: { PATH, HOME, NO_COLOR: '1', ...env },
  });
  const result: CommandResult = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (result.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (result.stderr += text));
  // Most commands never read it, and may have ended before it is written.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ ...result, code }));
  });
}

/** The same within this process, on PostgreSQL: faster, for tests that need no process. */
export async function usersHere(
  args: string[],
  { folder, env = {}, input = '' }: CommandOptions,
): Promise<CommandResult> {
  const config = { AUTH_KEYS_FILE: join(folder, 'keys.json'), ...env };
  return runUsers(args, Readable.from([Buffer.from(input)]), () => loadConfig(config));
}
