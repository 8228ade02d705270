import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { Agent, request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { AccountAdmin } from '../../../src/auth/index.js';
import { PasswordHasher } from '../../../src/passwords/password-hasher.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { describeEachEngine } from '../../support/engines.js';
import { portOf } from '../../support/raw-http.js';
import { separation, strayOf } from './separation.js';

/*
 * The time of a refused login does not reveal which accounts exist, are disabled or have a second factor. With one connection, one
 * request at a time, and the kinds in random order within each round: whatever else the machine does falls on all
 * of them alike. LONG=1 looks closer, on both engines.
 */
const LONG = process.env['LONG'] === '1';
const ROUNDS = LONG ? 1_500 : 250;
/**
 * How far from 0.5 two kinds may be. Of samples that cannot be told apart, 1,500 stray by more than 0.05, and 250 by
 * more than 0.12, beyond 4.6 standard deviations: once in 200,000 comparisons. See `strayOf`.
 */
const TOLERANCE = LONG ? 0.05 : 0.12;
const ACCOUNTS = 12;
const TIMEOUT = 900_000;

const KINDS = ['unknown', 'wrong password', 'disabled', 'second factor'] as const;
type Kind = (typeof KINDS)[number];

describeEachEngine('the time of a refused login', (engine) => {
  // Costs a quarter of a minute, and PostgreSQL takes the same way through the code.
  if (!LONG && engine !== 'sqlite') return;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let api: TestApp;
  let names: Record<Kind, (round: number) => string>;

  beforeAll(async () => {
    api = await createTestApp({ engine, realHashes: true });
    const [active, disabled, enrolled] = [name('active'), name('barred'), name('mobile')];
    for (let i = 0; i < ACCOUNTS; i++) {
      await api.user(active(i));
      await api.user(disabled(i));
      await api.get(AccountAdmin).disable(disabled(i));
      await api.authenticator(await api.user(enrolled(i)));
    }
    const some = (named: (i: number) => string) => (round: number) => named(round % ACCOUNTS);
    names = {
      unknown: name('nobody'),
      'wrong password': some(active),
      disabled: some(disabled),
      'second factor': some(enrolled),
    };
  }, TIMEOUT);
  afterAll(async () => {
    agent.destroy();
    await api.close();
  });

  /** Milliseconds until the whole answer is there. The disabled account is shown its own password. */
  function timeOf(kind: Kind, round: number): Promise<number> {
    const password = kind === 'disabled' ? 'space-corgi' : 'wrong-corgi';
    const body = JSON.stringify({ username: names[kind](round), password });
    const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
    return new Promise((resolve, reject) => {
      const began = performance.now();
      request({ port: portOf(api.app), method: 'POST', path: '/auth/login', headers, agent }, (answer) => {
        if (answer.statusCode !== 401) reject(new Error(`${kind}: ${answer.statusCode}`));
        answer.resume().once('end', () => resolve(performance.now() - began));
      })
        .once('error', reject)
        .end(body);
    });
  }

  /** Each pair of kinds, and how well their times can be told apart. */
  async function measure(rounds: number): Promise<Record<string, number>> {
    const times: Record<Kind, number[]> = {
      unknown: [],
      'wrong password': [],
      disabled: [],
      'second factor': [],
    };
    // The first rounds compile the code and are not compared.
    for (let round = -10; round < rounds; round++)
      for (const kind of shuffled(KINDS)) {
        const time = await timeOf(kind, round + 10);
        if (round >= 0) times[kind].push(time);
      }
    const pairs = KINDS.flatMap((one, i) => KINDS.slice(i + 1).map((other) => [one, other] as const));
    return Object.fromEntries(
      pairs.map(([one, other]) => [`${one}/${other}`, separation(times[one], times[other])]),
    );
  }

  it(
    'is the same for an unknown name, a disabled account, and a wrong password with and without a second factor',
    async () => {
      const pairs = await measure(ROUNDS);
      process.stdout.write(`${engine}, ${ROUNDS} of each: ${told(pairs)}\n`);
      expect(TOLERANCE / strayOf(ROUNDS)).toBeGreaterThan(4.6);
      expect(Object.entries(pairs).filter(([, auc]) => Math.abs(auc - 0.5) > TOLERANCE)).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'would reveal an unknown name, if nothing were hashed for it',
    async () => {
      const hasher = api.get(PasswordHasher);
      const verify = hasher.verify.bind(hasher);
      const spy = jest
        .spyOn(hasher, 'verify')
        .mockImplementation(async (hash, password) => hash !== undefined && verify(hash, password));
      const pairs = await measure(20);
      spy.mockRestore();
      expect(pairs['unknown/wrong password']).toBeLessThan(0.1);
      expect(pairs['unknown/disabled']).toBeLessThan(0.1);
    },
    TIMEOUT,
  );
});

/** Names of one length: longer ones are longer to read. */
function name(prefix: string): (i: number) => string {
  return (i) => `${prefix}-${String(i).padStart(6, '0')}`;
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

function told(pairs: Record<string, number>): string {
  return Object.entries(pairs)
    .map(([pair, auc]) => `${pair} ${auc.toFixed(3)}`)
    .join(', ');
}
