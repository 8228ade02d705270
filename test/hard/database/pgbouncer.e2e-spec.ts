import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { RevocationFeed } from '../../../src/auth/internals.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { createTestDatabase, type TestDatabase } from '../../support/engines.js';
import { expectError } from '../../support/expect-error.js';
import { openSession } from '../../support/open-session.js';
import { describePgBouncer, PgBouncer } from '../../support/pgbouncer.js';
import { launch } from '../../support/server-process.js';
import { until } from '../../support/until.js';

jest.setTimeout(60_000);

describePgBouncer('PgBouncer with the settings that it comes with', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-pooled-'));
  const started: TestApp[] = [];
  let database: TestDatabase;
  let pooler: PgBouncer | undefined;

  beforeAll(async () => {
    database = await createTestDatabase('postgres');
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((api) => api.close()));
    await pooler?.stop();
    pooler = undefined;
  });
  afterAll(async () => {
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const instance = async (to: TestDatabase) => {
    const api = await createTestApp({
      database: to,
      keysFile: join(folder, 'keys.json'),
      env: { REVOCATION_MAX_STALENESS: '5s' },
    });
    started.push(api);
    return api;
  };
  const readiness = async (api: TestApp) => {
    // Real time, so that the clocks agree.
    api.clock.advance(Date.now() - api.clock.now());
    const { status, body } = await api.request('GET', '/health/ready');
    return { status, failing: Object.keys((body as { error: object }).error) };
  };

  it('works in session mode: requests, news from other instances, readiness', async () => {
    pooler = await PgBouncer.start(database, 'session');
    const [here, there] = [await instance(pooler.database), await instance(pooler.database)];
    const { id } = await here.user();
    await until(5_000, async () => there.get(RevocationFeed).isListening);
    const sessions = await Promise.all(Array.from({ length: 8 }, () => openSession(here, id)));
    await Promise.all(
      sessions.map(async ({ refresh }) => there.request('POST', '/auth/refresh', refresh).expect(200)),
    );
    const [session] = sessions;
    await here.request('POST', '/auth/logout', session?.access).expect(204);
    await until(1_000, async () => {
      const response = await there.request('GET', '/profile', session?.access);
      if (response.status === 401) expectError(response, 401, 'token_revoked');
      return response.status === 401;
    });
    expect(await readiness(there)).toEqual({ status: 200, failing: [] });
  });

  // Luck must not decide: with other clients, and without, the start stops each time.
  it.each([0, 1, 6])('in transaction mode stops the start, beside %i other clients', async (count) => {
    pooler = await PgBouncer.start(database, 'transaction');
    const { url } = pooler.database;
    const others = Array.from({ length: count }, () => new pg.Client({ connectionString: url }));
    await Promise.all(others.map((client) => client.connect()));
    const work = { over: false };
    const busy = others.map(async (client) => {
      while (!work.over) await client.query('select pg_sleep(random() * 0.01)');
    });
    try {
      const server = launch({ env: { DATABASE_URL: url } });
      expect(await server.exit).toEqual({ code: 1, signal: null });
      expect(server.errors).toMatch(/DATABASE_URL.*transaction mode.*use session pooling/s);
    } finally {
      work.over = true;
      await Promise.all(busy);
      await Promise.all(others.map((client) => client.end()));
    }
  });

  it('that swallows notifications later makes the instance unready, and then closes ordinary routes', async () => {
    pooler = await PgBouncer.start(database, 'session');
    const api = await instance(pooler.database);
    const { access } = await openSession(api, (await api.user()).id);
    await until(5_000, async () => api.get(RevocationFeed).isListening);
    await pooler.setPoolMode('transaction');
    await until(15_000, async () => (await readiness(api)).failing.includes('revocations'));
    await until(15_000, async () => (await api.request('GET', '/profile', access)).status !== 200);
    expectError(await api.request('GET', '/profile', access), 503, 'revocation_feed_lost');
    await pooler.setPoolMode('session');
    await until(10_000, async () => (await readiness(api)).status === 200);
  });
});
