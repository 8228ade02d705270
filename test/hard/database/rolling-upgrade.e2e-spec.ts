import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createTestDatabase, describePostgres, type TestDatabase } from '../../support/engines.js';
import {
  type Answer,
  DEFAULTS,
  makeFolder,
  type ServerProcess,
  start,
} from '../../support/server-process.js';
import { until } from '../../support/until.js';
import { buildEarlierServer } from './earlier-server.js';

/* Instances are replaced one at a time: for a while both versions work on one database and one key file. */

jest.setTimeout(120_000);

/** The oldest version beside which today's must run. */
const EARLIER = '3a9760d';

const earlier = await buildEarlierServer(EARLIER);

const PASSWORD = 'space-corgi-1';
const NEXT_PASSWORD = 'lunar-dachshund-2';
/** Milliseconds in which a revocation reaches the other server. */
const HEARD = 2_000;

interface Tokens {
  access_token: string;
  refresh_token: string;
}

async function answered<T = Tokens>(status: number, request: Promise<Answer<T>>): Promise<T> {
  const answer = await request;
  expect(answer).toMatchObject({ status });
  return answer.body;
}

const problemsOf = ({ output }: ServerProcess) =>
  output.split('\n').filter((line) => /\b(WARN|ERROR|FATAL)\b/.test(line));

/** Waits until a server has heard that a session is revoked. */
const refused = (server: ServerProcess, token: string) =>
  until(HEARD, async () => (await server.request('GET', '/profile', { token })).status === 401);

(earlier.missing === undefined ? describePostgres : describe.skip)('beside an earlier version', () => {
  let database: TestDatabase;
  let old: ServerProcess;
  let today: ServerProcess;
  let users = 0;

  const startOne = (main?: string) =>
    start({
      // The earlier version does not know all of today's variables.
      env: { ...DEFAULTS, DATABASE_URL: database.url, AUTH_KEYS_FILE: keys },
      ...(main !== undefined && { main }),
    });
  const startEarlier = () => startOne(earlier.main ?? 'not built');
  const keys = join(makeFolder(), 'keys.json');

  /** A user who registers on one server and logs in on the other. */
  async function userOf(here: ServerProcess, there: ServerProcess) {
    const body = { username: `dog-${users++}`, password: PASSWORD };
    await answered(201, here.request('POST', '/auth/register', { body }));
    return { body, tokens: await answered(200, there.request<Tokens>('POST', '/auth/login', { body })) };
  }

  /** Refreshes on one, has the answer repeated by the other, and shows the access token to both. */
  async function refresh(here: ServerProcess, there: ServerProcess, { refresh_token }: Tokens, key: string) {
    const request = { token: refresh_token, idempotencyKey: key };
    const tokens = await answered(200, here.request<Tokens>('POST', '/auth/refresh', request));
    const repeated = await answered(200, there.request<Tokens>('POST', '/auth/refresh', request));
    for (const server of [here, there]) {
      for (const { access_token: token } of [tokens, repeated])
        await answered(200, server.request('GET', '/profile', { token }));
    }
    return { tokens, repeated };
  }

  beforeAll(async () => {
    database = await createTestDatabase('postgres');
    old = await startEarlier();
    const { tokens } = await userOf(old, old);
    today = await startOne();
    // Logged in before the new version came: still logged in, on both.
    for (const server of [old, today])
      await answered(200, server.request('GET', '/profile', { token: tokens.access_token }));
    await refresh(today, old, tokens, 'before-today');
  });
  afterAll(async () => {
    await Promise.all([old?.stop(), today?.stop()]);
    await database?.drop();
  });

  /** Everything a user does, with each step on the other server than the one before. */
  async function story(here: ServerProcess, there: ServerProcess): Promise<void> {
    const user = await userOf(here, there);
    let { tokens } = user;
    for (const [round, [one, other]] of [
      [here, there],
      [there, here],
      [here, there],
      [there, here],
    ].entries() as Iterable<[number, [ServerProcess, ServerProcess]]>) {
      const next = await refresh(one, other, tokens, `key-of-round-${round}`);
      // Both are of the live generation: either may be used next.
      tokens = round % 2 === 0 ? next.tokens : next.repeated;
    }

    tokens = await answered(
      200,
      here.request<Tokens>('POST', '/auth/reauthenticate', {
        token: tokens.refresh_token,
        body: { password: PASSWORD },
      }),
    );
    // example:begin
    // To the user of `beforeAll`.
    const transfer = { token: tokens.access_token, body: { to: 'dog-0', amount: 1 } };
    await answered(201, there.request('POST', '/transfers', transfer));
    // example:end

    await answered(204, here.request('POST', '/auth/logout', { token: tokens.access_token }));
    await refused(there, tokens.access_token);
    await answered(401, there.request('POST', '/auth/refresh', { token: tokens.refresh_token }));

    const login = () => answered(200, here.request<Tokens>('POST', '/auth/login', { body: user.body }));
    const [changing, other] = [await login(), await login()];
    const after = await answered(
      200,
      there.request<Tokens>('PUT', '/auth/password', {
        token: changing.access_token,
        body: { current_password: PASSWORD, new_password: NEXT_PASSWORD },
      }),
    );
    // A new password ends the other sessions.
    await refused(here, other.access_token);
    await answered(401, here.request('POST', '/auth/login', { body: user.body }));
    const changed = { ...user.body, password: NEXT_PASSWORD };
    await answered(200, here.request('POST', '/auth/login', { body: changed }));
    await answered(204, here.request('DELETE', '/profile', { token: after.access_token }));
    await refused(there, after.access_token);
    await answered(401, there.request('POST', '/auth/login', { body: changed }));
  }

  /** One user who reads and now and then refreshes, on both in turn. */
  async function traffic(over: { now: boolean }, servers: [ServerProcess, ServerProcess], name: string) {
    const [here, there] = servers;
    let { tokens } = await userOf(here, there);
    const statuses: number[] = [];
    for (let i = 0; !over.now; i++) {
      const [one, other] = i % 2 === 0 ? [here, there] : [there, here];
      // Not more than the 60 refreshes of a session in a minute.
      if (i % 50 === 49) ({ tokens } = await refresh(one, other, tokens, `${name}-refresh-${i}`));
      statuses.push((await one.request('GET', '/profile', { token: tokens.access_token })).status);
      await delay(20);
    }
    return statuses;
  }

  it('accepts what the other has issued, changed and revoked, in both directions, under load', async () => {
    const over = { now: false };
    const load = Promise.all([
      traffic(over, [old, today], 'first-user'),
      traffic(over, [today, old], 'second-user'),
    ]);
    try {
      for (let round = 0; round < 2; round++) await Promise.all([story(old, today), story(today, old)]);
    } finally {
      over.now = true;
    }
    const statuses = (await load).flat();
    expect(statuses.length).toBeGreaterThan(50);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(problemsOf(today)).toEqual([]);
    expect(problemsOf(old)).toEqual([]);
  });

  it('goes on when either is restarted, also the earlier one: so an upgrade can be undone', async () => {
    const { tokens } = await userOf(old, today);
    await today.stop();
    today = await startOne();
    const { tokens: next } = await refresh(today, old, tokens, 'after-restart-of-today');
    await old.stop();
    old = await startEarlier();
    await refresh(old, today, next, 'after-restart-of-earlier');
    expect([...problemsOf(old), ...problemsOf(today)]).toEqual([]);
  });
});
