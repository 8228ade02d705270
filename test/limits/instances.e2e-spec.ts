import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/database/index.js';
import { generateKeySet } from '../../src/keys/key-file.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { createTestDatabase, describePostgres, type TestDatabase } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { DatabaseProxy } from '../support/database-proxy.js';
import { BEHIND_PROXY, expectLimited, fail, hashesDuring, login } from './strangers.js';

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
