import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { sql } from 'kysely';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccountAdmin, UserStore } from '../../src/auth/index.js';
import { HashingQueue } from '../../src/auth/internals.js';
import { Database } from '../../src/database/index.js';
import { generateKeySet } from '../../src/keys/key-file.js';
import { createTestApp, type TestApp, type TestLogin, type TestUser } from '../support/create-test-app.js';
import {
  describeEachEngine,
  createTestDatabase,
  describePostgres,
  type TestDatabase,
} from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { fill } from '../support/full-queue.js';
import { DatabaseProxy } from '../support/database-proxy.js';
import { auditOf, BEHIND_PROXY, expectLimited, fail, hashesDuring, login, newAddress } from './strangers.js';

const LIMITS = {
  account: '3 per 1h',
  device: '4 per 1h',
  address: '30 per 1h',
  register: '5 per 1h',
  refresh: '7 per 1m',
};

describeEachEngine('limits', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      engine,
      env: BEHIND_PROXY,
      auth: { limits: { ...LIMITS, register: '1000000 per 1h' } },
    });
  });
  afterAll(() => api.close());

  const reauthenticate = (who: TestLogin, password: string) =>
    who.tryReauthenticate(who.refresh, password).set('X-Forwarded-For', newAddress());
  const changePassword = (who: TestLogin, current_password: string) =>
    api
      .request('PUT', '/auth/password', who.access)
      .set('X-Forwarded-For', newAddress())
      .send({ current_password, new_password: 'lunar-dachshund' });

  it('on reauthentication and password change count together in a session', async () => {
    const session = await api.login();
    const { user } = session;
    for (let i = 0; i < 2; i++) {
      expectError(await reauthenticate(session, 'wrong-password'), 401, 'invalid_credentials');
      expectError(await changePassword(session, 'wrong-password'), 401, 'invalid_credentials');
    }
    const hashed = await hashesDuring(api, async () => {
      expectLimited(await reauthenticate(session, user.password), 'device', 4, 3600);
      expectLimited(await changePassword(session, user.password), 'device', 4, 3600);
    });
    expect(hashed).toBe(0);
    // Neither the user's other sessions, nor logins.
    await (await user.login()).reauthenticate();
    await session.rotate();
    const [told] = (await auditOf(api, 'authn_login_fail_max')).slice(-1);
    expect(told).toMatchObject({ cause: 'device', subject_id: user.id, session_id: expect.any(String) });
  });

  it('on reauthentication restart with a success', async () => {
    const session = await api.login();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 3; i++)
        expectError(await reauthenticate(session, 'wrong-password'), 401, 'invalid_credentials');
      await session.reauthenticate();
    }
  });

  it('on reauthentication are not used up by strangers, who know the name alone', async () => {
    const session = await api.login();
    await fail(api, session.user.username, 3);
    expectLimited(await login(api, session.user.username, session.user.password), 'account', 3, 3600);
    await session.reauthenticate();
    expect((await changePassword(session, session.user.password)).status).toBe(200);
  });

  it('for an address do not apply in a session: strangers at the same address cannot prevent a step-up', async () => {
    const address = newAddress();
    const session = await api.login();
    for (let i = 0; i < 30; i++) await fail(api, `nobody-${i}`, 1, { address });
    expectLimited(
      await login(api, session.user.username, session.user.password, { address }),
      'address',
      30,
      3600,
    );
    const proved = session
      .tryReauthenticate(session.refresh, session.user.password)
      .set('X-Forwarded-For', address);
    expect((await proved).status).toBe(200);
  });

  it('on reauthentication do not count for a revoked token: no password is checked', async () => {
    const session = await api.login();
    const dead = session.refresh;
    await session.rotate();
    await session.rotate();
    const hashed = await hashesDuring(api, async () => {
      for (let i = 0; i < 6; i++)
        expectError(
          await session.tryReauthenticate(dead, 'wrong-password'),
          401,
          i === 0 ? 'refresh_token_reused' : 'token_revoked',
        );
    });
    expect(hashed).toBe(0);
  });

  it('on refreshes hold for one session alone', async () => {
    const [flooding, other] = [await api.login(), await api.login()];
    const second = await flooding.user.login();
    for (let i = 0; i < 7; i++) await flooding.rotate();
    const refused = await flooding.tryRefresh(flooding.refresh);
    expectLimited(refused, 'refresh', 7, 60);
    await other.rotate();
    await second.rotate();
    // What was refused has changed nothing: the token is still the live one.
    expectLimited(
      await flooding.tryReauthenticate(flooding.refresh, flooding.user.password),
      'refresh',
      7,
      60,
    );
    api.clock.advance('1m');
    await flooding.reauthenticate();
  });

  it('on refreshes are not used up by invalid tokens', async () => {
    const session = await api.login();
    for (let i = 0; i < 10; i++)
      expectError(await session.tryRefresh(`${session.refresh.slice(0, -4)}AAAA`), 401, 'token_invalid');
    await session.rotate();
  });
});

describeEachEngine('registrations', (engine) => {
  it('from one address are limited, before anything is hashed', async () => {
    const api = await createTestApp({ engine, env: BEHIND_PROXY, auth: { limits: LIMITS } });
    try {
      const register = (username: string, address: string) =>
        api
          .request('POST', '/auth/register')
          .set('X-Forwarded-For', address)
          .send({ username, password: 'space-corgi' });
      const address = newAddress();
      for (let i = 0; i < 4; i++) await register(`dog-${i}`, address).expect(201);
      expectError(await register('dog-1', address), 409, 'username_taken');
      const hashed = await hashesDuring(api, async () => {
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, i) => register(`cat-${i}`, address)),
        );
        for (const answer of answers) expectLimited(answer, 'register', 5, 3600);
      });
      expect(hashed).toBe(0);
      await register('cat-0', newAddress()).expect(201);
    } finally {
      await api.close();
    }
  });
});

describe('while no more passwords can wait to be hashed', () => {
  let api: TestApp;
  let user: TestUser;
  let release: () => Promise<void> = async () => {};
  beforeAll(async () => {
    api = await createTestApp({ auth: { limits: { accountAndAddress: '2 per 15m', register: '4 per 1h' } } });
    user = await api.user();
  });
  afterEach(async () => {
    await release();
    jest.restoreAllMocks();
  });
  afterAll(() => api.close());
  const overload = () => {
    release = fill(api.get(HashingQueue));
  };
  const logIn = (username: string, password: string) =>
    api.request('POST', '/auth/login').send({ username, password });

  it('refuses every login at once in the same way, without looking up the user', async () => {
    const disabled = await api.user();
    await api.get(AccountAdmin).disable(disabled.username);
    const lookUp = jest.spyOn(api.get(UserStore), 'findByUsername');
    overload();
    const answers = [
      await logIn(user.username, user.password),
      await logIn(user.username, 'wrong-corgi'),
      await logIn(disabled.username, disabled.password),
      await logIn('nobody', 'wrong-corgi'),
    ];
    for (const answer of answers) {
      expectError(answer, 503, 'overloaded');
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(lookUp).not.toHaveBeenCalled();
  });

  it('does not count a login that was refused for lack of capacity', async () => {
    overload();
    for (let i = 0; i < 4; i++) expectError(await logIn(user.username, 'wrong-corgi'), 503, 'overloaded');
    const register = () =>
      api.request('POST', '/auth/register').send({ username: 'tries', password: 'corgi-space' });
    for (let i = 0; i < 4; i++) expectError(await register(), 503, 'overloaded');
    await release();
    await logIn(user.username, user.password).expect(200);
    await register().expect(201);
  });

  it('requests without a password go on, and the reuse of a refresh token is detected', async () => {
    const session = await user.login();
    const old = session.refresh;
    overload();
    await api.request('GET', '/profile', session.access).expect(200);
    await session.rotate('key-of-16-letters');
    const reauthenticate = (token: string) => session.tryReauthenticate(token, user.password);
    for (let i = 0; i < 4; i++) expectError(await reauthenticate(session.refresh), 503, 'overloaded');
    expectError(await reauthenticate(old), 401, 'refresh_token_reused');
  });
});

describePostgres('limits of two instances on one PostgreSQL', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-limits-'));
  let database: TestDatabase;
  let proxy: DatabaseProxy;
  let instances: [TestApp, TestApp];
  beforeAll(async () => {
    const keysFile = join(folder, 'keys.json');
    writeFileSync(keysFile, JSON.stringify(generateKeySet()), { mode: 0o600 });
    const copy = join(folder, 'copy.json');
    copyFileSync(keysFile, copy);
    database = await createTestDatabase('postgres');
    proxy = await DatabaseProxy.start(database);
    const options = { env: BEHIND_PROXY, auth: { limits: { account: '6 per 1h', refresh: '6 per 1m' } } };
    const local = await createTestApp({ ...options, database, keysFile });
    instances = [local, await createTestApp({ ...options, database: proxy.database, keysFile: copy })];
  });
  afterAll(async () => {
    for (const instance of instances) await instance.close();
    await proxy.stop();
    await database.drop();
    rmSync(folder, { recursive: true });
  });

  it('hold for both together, with any number of parallel guesses at each', async () => {
    const { username } = await instances[0].user();
    const hashed = async (api: TestApp) =>
      hashesDuring(api, () =>
        Promise.all(Array.from({ length: 50 }, () => login(api, username, 'wrong-password'))),
      );
    const counts = await Promise.all(instances.map(hashed));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(6);
    for (const api of instances)
      expectLimited(await login(api, username, 'wrong-password'), 'account', 6, 3600);
  });

  it('accept a device token that the other instance issued', async () => {
    const user = await instances[0].user();
    const device = (await login(instances[0], user.username, user.password)).headers['x-device-token'];
    await fail(instances[0], user.username, 6);
    expectLimited(await login(instances[1], user.username, user.password), 'account', 6, 3600);
    expect((await login(instances[1], user.username, user.password, { device })).status).toBe(200);
  });

  it('store no client input in plain text', async () => {
    const { username } = await instances[0].user();
    await fail(instances[0], username, 1, { address: '192.0.2.77' });
    const { rows } = await sql<{ row: string }>`select r::text as row from rate_limits r`.execute(
      instances[0].get(Database),
    );
    expect(rows.length).toBeGreaterThan(2);
    expect(rows.filter(({ row }) => row.includes(username) || row.includes('192.0.2'))).toEqual([]);
  });

  it('refuse logins when the database cannot be reached', async () => {
    const api = instances[1];
    const user = await api.user();
    const session = await user.login();
    proxy.cut('pool');
    try {
      const hashed = await hashesDuring(api, async () => {
        expectError(await login(api, user.username, user.password), 503, 'database_unavailable');
        expectError(await session.tryRefresh(session.refresh), 503, 'database_unavailable');
        const { username, password } = { username: 'somebody-new', password: 'space-corgi' };
        const registered = await api.request('POST', '/auth/register').send({ username, password });
        expectError(registered, 503, 'database_unavailable');
      });
      expect(hashed).toBe(0);
    } finally {
      proxy.heal();
    }
    expect((await login(api, user.username, user.password)).status).toBe(200);
  });

  it('refuse logins when only their table cannot be used', async () => {
    const api = instances[0];
    const user = await api.user();
    const db = api.get(Database);
    await sql`alter table rate_limits rename to elsewhere`.execute(db);
    try {
      const hashed = await hashesDuring(api, async () => {
        expectError(await login(api, user.username, user.password), 500, 'internal_error');
      });
      expect(hashed).toBe(0);
    } finally {
      await sql`alter table elsewhere rename to rate_limits`.execute(db);
    }
  });
});
