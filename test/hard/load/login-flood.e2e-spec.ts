import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import { type ServerProcess, start } from '../../support/server-process.js';
import { type Answer, median, onCore, quantile, send } from './traffic.js';

/*
 * Ten times the logins that the machine can hash, from as many addresses and for as many names, beside ordinary requests
 * at a steady rate: those must not notice. What must hold on any machine is asserted always; LONG=1 repeats it, and
 * asserts the times too.
 */
const LONG = process.env['LONG'] === '1';
const ROUNDS = LONG ? 7 : 1;
/** Seconds of each phase. */
const PHASE = LONG ? 10 : 4;
/** Seconds in which the slowest of a hundred are looked for: four of the requests are slower then. */
const WINDOW = 2;
/** Seconds that a flood lasts before it is looked at: the queue is full then, and the code compiled. */
const LEAD = 2;
/** Ordinary requests a second. */
const RATE = 200;
const TIMES = 10;
/** Maximum logins a second: one process of clients cannot send more. */
const MOST = 2_000;
/** Under a flood the slowest of a hundred may take this many times as long as without one. */
const SLOWER = 2;
/** Bytes: hashes, their threads and what the requests of some seconds leave to the garbage collector. */
const MOST_MEMORY = 512 * 2 ** 20;
const TIMEOUT = 600_000;

interface Round {
  idle: Answer[];
  guarded: Answer[];
  logins: Answer[];
  health: number[];
  memory: number[];
}

describe('a flood of logins', () => {
  const names = Array.from({ length: 20 }, (_, i) => `user-${i}`);
  const rounds: Round[] = [];
  let server: ServerProcess;
  let capacity = 0;

  beforeAll(async () => {
    server = await start({ env: { TRUSTED_PROXIES: '127.0.0.1' }, prefix: onCore('server') });
    const { url } = server;
    for (const username of names)
      await server.request('POST', '/auth/register', { body: { username, password: 'space-corgi' } });
    const body = { username: 'user-0', password: 'space-corgi' };
    const { body: pair } = await server.request<TokenPairDto>('POST', '/auth/login', { body });
    const guarded = { url, rate: RATE, seconds: PHASE, token: pair.access_token };
    capacity = await loginsASecond(url);
    await send(guarded);
    for (let round = 0; round < ROUNDS; round++) {
      const idle = await send(guarded);
      const rate = Math.min(MOST, TIMES * capacity);
      const flood = send({ url, rate, seconds: LEAD + PHASE, names });
      await delay(LEAD * 1000);
      const watch = watching(server);
      const under = await send(guarded);
      rounds.push({ idle, guarded: under, logins: await flood, ...(await watch.end()) });
    }
    process.stdout.write(report(capacity, rounds));
  }, TIMEOUT);
  afterAll(() => server?.stop());

  it('leaves no ordinary request without its answer', () => {
    const sent = rounds.flatMap(({ idle, guarded }) => [...idle, ...guarded]);
    expect(sent.length).toBeGreaterThan(ROUNDS * 2 * PHASE * RATE * 0.99);
    expect(sent.filter(({ status }) => status !== 200)).toEqual([]);
  });

  it('is refused without a hash, at once, for the most part', () => {
    const logins = rounds.flatMap((round) => round.logins);
    const refused = logins.filter(({ errorCode }) => errorCode === 'overloaded');
    const looked = logins.filter(({ errorCode }) => errorCode === 'invalid_credentials');
    expect(refused.length / logins.length).toBeGreaterThan(0.5);
    expect(looked.length).toBeGreaterThan(0);
    // A hashed login has waited for all before it; a refused one does not wait.
    expect(median(timesOf(refused))).toBeLessThan(median(timesOf(looked)) / 3);
  });

  it('gets no other answer than those that tell it to go away, or that the password is wrong', () => {
    const strange = rounds
      .flatMap(({ logins }) => logins)
      .filter(({ status, errorCode, retryAfter }) => {
        const known =
          (status === 401 && errorCode === 'invalid_credentials') ||
          (status === 429 && errorCode === 'rate_limited') ||
          (status === 503 && errorCode === 'overloaded');
        return !known || (status !== 401 && !(Number(retryAfter) > 0));
      });
    expect(strange).toEqual([]);
  });

  it('does not make the server look dead', () => {
    for (const { health } of rounds) {
      expect(health.length).toBeGreaterThan(2);
      expect(new Set(health)).toEqual(new Set([200]));
    }
  });

  it('does not fill the memory', () => {
    const memory = rounds.flatMap((round) => round.memory);
    expect(memory.filter((bytes) => bytes > MOST_MEMORY)).toEqual([]);
    // It rises until the garbage is first collected, and goes on rising only where something is kept.
    const half = memory.length / 2;
    expect(Math.max(0, ...memory.slice(half))).toBeLessThan(
      Math.max(0, ...memory.slice(0, half)) + MOST_MEMORY / 8,
    );
  });

  // An ordinary run tells the figure and judges nothing by it: the machine may have other things to do.
  if (LONG) {
    it(`makes the slowest of a hundred ordinary requests at most ${SLOWER} times as slow`, () => {
      expect(slowdown(rounds)).toBeLessThanOrEqual(SLOWER);
    });
  }
});

/** Logins that the server hashes in a second, when two at a time wait for it. */
async function loginsASecond(url: string): Promise<number> {
  const SECONDS = 3;
  const end = performance.now() + SECONDS * 1000;
  let done = 0;
  const clients = [1, 2].map(async (client) => {
    while (performance.now() < end) {
      done++;
      const body = JSON.stringify({ username: `capacity-${client}-${done}`, password: 'wrong-corgi' });
      const headers = {
        'Content-Type': 'application/json',
        'X-Forwarded-For': `10.0.${done >> 8}.${done & 255}`,
      };
      const { status } = await fetch(`${url}/auth/login`, { method: 'POST', headers, body });
      expect(status).toBe(401);
    }
  });
  await Promise.all(clients);
  return done / SECONDS;
}

/** What a load balancer sees meanwhile, and how much memory the process has: on Linux alone, no memory elsewhere. */
function watching(server: ServerProcess): { end(): Promise<Pick<Round, 'health' | 'memory'>> } {
  const PERIOD = 500;
  const [health, memory]: [number[], number[]] = [[], []];
  const over = new AbortController();
  const look = async () => {
    for (const path of ['/health/live', '/health/ready'])
      health.push((await server.request('GET', path)).status);
    const file = `/proc/${server.pid}/status`;
    const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(existsSync(file) ? readFileSync(file, 'utf8') : '') ?? [];
    if (kilobytes !== undefined) memory.push(Number(kilobytes) * 1024);
  };
  const watch = (async () => {
    for (; !over.signal.aborted; await delay(PERIOD)) await look();
  })();
  return {
    async end() {
      over.abort();
      await watch;
      return { health, memory };
    },
  };
}

/** p99 of the requests of each window. */
function slowestOf(answers: readonly Answer[]): number[] {
  const windows = Array.from({ length: PHASE / WINDOW }, (_, i) => i * WINDOW * 1000);
  return windows.map((from) =>
    quantile(timesOf(answers.filter(({ at }) => at >= from && at < from + WINDOW * 1000)), 0.99),
  );
}

/** By the median of all windows, so that those in which the machine did something else do not decide. */
function slowdown(rounds: readonly Round[]): number {
  const typical = (answers: Answer[][]) => median(answers.flatMap(slowestOf));
  return typical(rounds.map(({ guarded }) => guarded)) / typical(rounds.map(({ idle }) => idle));
}

function timesOf(answers: readonly Answer[]): number[] {
  return answers.map(({ milliseconds }) => milliseconds);
}

function report(capacity: number, rounds: readonly Round[]): string {
  const told = (answers: readonly Answer[]) =>
    [0.5, 0.99].map((q) => quantile(timesOf(answers), q).toFixed(2)).join(' / ');
  const lines = rounds.map(({ idle, guarded, logins, memory }) => {
    const refused = logins.filter(({ status }) => status === 503);
    const share = ((100 * refused.length) / logins.length).toFixed(0);
    const rss = (Math.max(0, ...memory) / 2 ** 20).toFixed(0);
    return `  idle ${told(idle)}, under flood ${told(guarded)}; ${logins.length} logins, ${share} % refused in ${told(refused)}; ${rss} MB`;
  });
  return [
    `${capacity.toFixed(0)} logins a second can be hashed; milliseconds, p50 / p99:`,
    ...lines,
    `  under flood / idle, p99 in the median of windows of ${WINDOW} s: ${slowdown(rounds).toFixed(2)}\n`,
  ].join('\n');
}
