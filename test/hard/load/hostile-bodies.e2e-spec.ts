import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import { type ServerProcess, start } from '../../support/server-process.js';
import { type Answer, median, onCore, quantile, send } from './traffic.js';

/** Ordinary requests a second. */
const RATE = 100;
const WINDOWS = 5;
/** Seconds. */
const WINDOW = 3;
/** Hostile bodies a second. */
const HOSTILE = 10;
const SLOWER = 3;
/** Milliseconds that any machine may add. */
const FLOOR = 5;
const TIMEOUT = 180_000;

const members = (count: number, value: unknown = 1): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, value]));

/** Each is refused; all but the first fit the bounds of their route. */
const BODIES: [path: string, body: string][] = [
  ['/auth/login', JSON.stringify(members(6_000))],
  ['/auth/login', JSON.stringify(members(64, members(12)))],
  // example:begin
  ['/transfers', JSON.stringify(members(7, members(1_000)))],
  // example:end
  ['/auth/register', JSON.stringify({ username: members(64, [[], [], []]), password: members(64) })],
];

describe('ten hostile bodies a second', () => {
  const idle: number[] = [];
  const beside: number[] = [];
  const answers: Answer[] = [];
  const refused = new Map<string, number>();
  let server: ServerProcess;

  beforeAll(async () => {
    server = await start({ env: { DATABASE_URL: ':memory:' }, prefix: onCore('server') });
    const account = { username: 'laika', password: 'space-corgi' };
    await server.request('POST', '/auth/register', { body: account });
    const { body } = await server.request<TokenPairDto>('POST', '/auth/login', { body: account });
    const guarded = { url: server.url, rate: RATE, seconds: WINDOW, token: body.access_token };
    await send(guarded);
    for (let window = 0; window < WINDOWS; window++) {
      idle.push(p95(keep(await send(guarded))));
      const flood = hostile(server.url, body.access_token);
      beside.push(p95(keep(await send(guarded))));
      await flood.end();
    }
    process.stdout.write(
      `  GET /profile, p95: ${median(idle).toFixed(2)} ms, beside ${HOSTILE} hostile bodies a second ${median(beside).toFixed(2)} ms\n`,
    );
  }, TIMEOUT);
  afterAll(() => server?.stop());

  const keep = (some: Answer[]): Answer[] => {
    answers.push(...some);
    return some;
  };

  /** Sent one by one, evenly, until it is ended. */
  function hostile(url: string, token: string): { end(): Promise<void> } {
    const sent: Promise<void>[] = [];
    const sendHostile = async (turn: number) => {
      const [path, body] = BODIES[turn % BODIES.length] ?? ['/', ''];
      const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` };
      const response = await fetch(url + path, { method: 'POST', headers, body });
      await response.arrayBuffer();
      const key = `${path} ${response.status}`;
      refused.set(key, (refused.get(key) ?? 0) + 1);
    };
    const timer = setInterval(() => {
      sent.push(sendHostile(sent.length));
    }, 1_000 / HOSTILE);
    return {
      async end() {
        clearInterval(timer);
        await Promise.all(sent);
      },
    };
  }

  it('are refused, and every ordinary request is answered', () => {
    expect([...refused.keys()].filter((key) => !/ 4\d\d$/.test(key))).toEqual([]);
    expect([...refused.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(
      WINDOWS * WINDOW * 5,
    );
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  });

  it(`keep the p95 of ordinary requests within ${SLOWER} times that of an idle server`, () => {
    expect(median(beside)).toBeLessThan(SLOWER * median(idle) + FLOOR);
  });
});

function p95(answers: readonly Answer[]): number {
  return quantile(
    answers.map(({ milliseconds }) => milliseconds),
    0.95,
  );
}
