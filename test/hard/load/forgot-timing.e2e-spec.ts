import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Agent, request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { AccountAdmin } from '../../../src/auth/index.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { describeEachEngine } from '../../support/engines.js';
import { portOf } from '../../support/raw-http.js';
import { separation, strayOf } from './separation.js';

/* The time of a request for a reset does not reveal which accounts exist or are disabled; see login-timing. */
const LONG = process.env['LONG'] === '1';
const ROUNDS = LONG ? 1_500 : 600;
const TOLERANCE = LONG ? 0.05 : 0.08;
const TIMEOUT = 900_000;
/** A person asks a few times, not thousands of times in a row. */
const PAUSE_MS = 5;

type Kind = 'unknown' | 'known' | 'disabled';
const KINDS: Kind[] = ['unknown', 'known', 'disabled'];

describeEachEngine('the time of a request for a reset', (engine) => {
  // PostgreSQL takes the same way through the code.
  if (!LONG && engine !== 'sqlite') return;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let app: TestApp;

  beforeAll(async () => {
    app = await createTestApp({ engine });
    // Each is asked for once: beyond three an hour, no mail is sent.
    for (let round = 0; round < ROUNDS + 10; round++) {
      await app.user(nameOf('known', round), { email: `${nameOf('known', round)}@example.com` });
      await app.user(nameOf('disabled', round), { email: `${nameOf('disabled', round)}@example.com` });
      await app.get(AccountAdmin).disable(nameOf('disabled', round));
    }
  }, TIMEOUT);
  afterAll(async () => {
    agent.destroy();
    await app.close();
  });

  /** Milliseconds until the whole answer is there. */
  function timeOf(kind: Kind, round: number): Promise<number> {
    const body = JSON.stringify({ username: nameOf(kind, round) });
    const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
    return new Promise((resolve, reject) => {
      const began = performance.now();
      const options = {
        port: portOf(app.app),
        method: 'POST',
        path: '/auth/password/forgot',
        headers,
        agent,
      };
      request(options, (answer) => {
        if (answer.statusCode !== 202) reject(new Error(`${kind}: ${answer.statusCode}`));
        answer.resume().once('end', () => resolve(performance.now() - began));
      })
        .once('error', reject)
        .end(body);
    });
  }

  it(
    'is the same for an unknown name, a known one and a disabled account',
    async () => {
      const times: Record<Kind, number[]> = { unknown: [], known: [], disabled: [] };
      for (let round = 0; round < ROUNDS + 10; round++)
        for (const kind of shuffled(KINDS)) {
          const time = await timeOf(kind, round);
          // The mail of this one is no part of the next one's time.
          await app.mails.all();
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
          if (round >= 10) times[kind].push(time);
        }
      const pairs = {
        'unknown/known': separation(times.unknown, times.known),
        'unknown/disabled': separation(times.unknown, times.disabled),
        'known/disabled': separation(times.known, times.disabled),
      };
      const told = Object.entries(pairs).map(([pair, auc]) => `${pair} ${auc.toFixed(3)}`);
      process.stdout.write(`${engine}, ${ROUNDS} of each: ${told.join(', ')}\n`);
      expect(TOLERANCE / strayOf(ROUNDS)).toBeGreaterThan(4.6);
      expect(Object.entries(pairs).filter(([, auc]) => Math.abs(auc - 0.5) > TOLERANCE)).toEqual([]);
      expect(await app.mails.to(`${nameOf('known', ROUNDS)}@example.com`).all()).toHaveLength(1);
    },
    TIMEOUT,
  );
});

/** Names of one length. */
function nameOf(kind: Kind, round: number): string {
  return `${kind.padEnd(8, 'x')}-${String(round).padStart(6, '0')}`;
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
