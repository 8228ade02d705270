import { execFileSync, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const GENERATOR = join(import.meta.dirname, 'generator.mjs');

/** What became of one request. */
export interface Answer {
  /** Milliseconds from the begin to the moment at which it was meant to be sent. */
  at: number;
  /** From that moment to the end of the answer. */
  milliseconds: number;
  /** 0: none came. */
  status: number;
  errorCode: string | null;
  retryAfter: string | null;
}

interface Traffic {
  url: string;
  /** Requests a second, however long the answers take. */
  rate: number;
  seconds: number;
}

/** `GET /profile` with this token, or wrong logins: some for these names, most for unknown names. */
export type Requests = { token: string } | { names: string[] };

/** Sends from a process of its own, and waits for every answer. */
export async function send(traffic: Traffic & Requests): Promise<Answer[]> {
  const [command, ...args] = [...onCore('clients'), process.execPath, GENERATOR, JSON.stringify(traffic)];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`the generator of load ended with ${String(code)}`);
  return JSON.parse(output) as Answer[];
}

/**
 * The words before a command that keep it to a core, where the system has them and there are two: clients that take
 * turns with the server on one core would measure themselves.
 */
export function onCore(whose: 'server' | 'clients'): string[] {
  return CAN_PIN ? ['taskset', '-c', whose === 'server' ? '0' : '1'] : [];
}

const CAN_PIN = availableParallelism() > 1 && has('taskset');

function has(command: string): boolean {
  try {
    execFileSync(command, ['-c', '0,1', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
