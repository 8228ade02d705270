import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { sql } from 'kysely';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openDatabase, type ReadPosition } from '../../../src/database/index.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { DatabaseProxy } from '../../support/database-proxy.js';
import { type TestDatabase } from '../../support/engines.js';
import { expectError } from '../../support/expect-error.js';
import { GuardedController } from '../../support/guarded.controller.js';
import { openSession } from '../../support/open-session.js';
import { Cluster, describeStandby, run } from '../../support/standby.js';
import { until } from '../../support/until.js';

jest.setTimeout(60_000);

/** Milliseconds in which an instance must work again once there is a writable primary. */
const RECOVERY = 5_000;

describeStandby('a server that answers and is not the primary', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-standby-'));
  let cluster: Cluster;
  let proxy: DatabaseProxy;
  let api: TestApp;

  const instance = (database: TestDatabase) =>
    createTestApp({
      database,
      keysFile: join(folder, 'keys.json'),
      controllers: [GuardedController],
      env: { REVOCATION_MAX_STALENESS: '5s' },
    });

  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    proxy = await DatabaseProxy.start(cluster.primary);
    api = await instance(proxy.database);
  });
  afterEach(async () => {
    await api.close();
    await proxy.stop();
  });

  const readiness = async () => {
    // Real time, so that the clocks agree.
    api.clock.advance(Date.now() - api.clock.now());
    const { status, body } = await api.request('GET', '/health/ready');
    return { status, failing: (body as { error: Record<string, { message: string }> }).error };
  };

  /** Clients that log in again and again, so that no connection is ever idle for long. */
  const load = async (meanwhile: Promise<unknown>): Promise<Set<number>> => {
    const user = await api.user();
    const { username, password } = user;
    const statuses = new Set<number>();
    const work = { over: false };
    const clients = Array.from({ length: 4 }, async () => {
      while (!work.over)
        statuses.add((await api.request('POST', '/auth/login').send({ username, password })).status);
    });
    try {
      await meanwhile;
    } finally {
      work.over = true;
      await Promise.all(clients);
    }
    return statuses;
  };

  const setReadOnly = async (value: 'on' | 'off') => {
    await run(cluster.primary, `alter system set default_transaction_read_only = ${value}`);
    await run(cluster.primary, 'select pg_reload_conf()');
  };

  it('a primary that became read-only is 503 with Retry-After and not ready, and is used again within seconds', async () => {
    const user = await api.user();
    const { username, password } = user;
    const login = () => api.request('POST', '/auth/login').send({ username, password });
    await Promise.all(Array.from({ length: 8 }, () => login()));
    let recovery = Infinity;
    const statuses = await load(
      (async () => {
        await setReadOnly('on');
        try {
          await until(3_000, async () => (await login()).status !== 200);
          const response = await login();
          expectError(response, 503, 'database_unavailable');
          expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
          const { status, failing } = await readiness();
          expect(status).toBe(503);
          expect(failing.database?.message).toBe('is read-only');
        } finally {
          await setReadOnly('off');
        }
        recovery = await until(RECOVERY, async () => (await login()).status === 200);
      })(),
    );
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(recovery).toBeLessThan(RECOVERY);
    await until(RECOVERY, async () => (await readiness()).status === 200);
  });

  it('a crash of the server makes the next read of revocations a whole one', async () => {
    const database = openDatabase(cluster.primary.url);
    const read = async (since?: ReadPosition) =>
      database.readPages({
        table: 'sessions',
        since,
        queryFrom: () => sql`select id from sessions`.compile(database),
        onPage: () => {},
      });
    const { position } = await read();
    expect((await read(position)).isWhole).toBe(false);
    const client = new pg.Client({ connectionString: cluster.primary.url });
    client.on('error', () => {});
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
    await until(20_000, async () =>
      read(position).then(
        ({ isWhole }) => isWhole,
        () => false,
      ),
    );
    await database.destroy();
    await until(RECOVERY, async () => (await readiness()).status === 200);
  });

  it('a standby is no source of news; when it is promoted, what this instance remembers stays revoked', async () => {
    const user = await api.user();
    const alive = await openSession(api, user.id);
    const ended = await openSession(api, user.id);
    await cluster.catchUp();
    await cluster.stopReplication();
    await api.request('POST', '/auth/logout', ended.access).expect(204);

    proxy.redirect(cluster.standby);
    const refused = await api.request('GET', '/guarded/fresh', alive.access);
    expectError(refused, 503, 'database_unavailable');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expectError(await api.request('POST', '/auth/refresh', alive.refresh), 503, 'database_unavailable');
    await until(6_500, async () => Object.hasOwn((await readiness()).failing, 'revocations'));
    const { status, failing } = await readiness();
    expect(status).toBe(503);
    expect(failing.database?.message).toBe('is read-only');
    await until(8_000, async () => (await api.request('GET', '/guarded', alive.access)).status === 503);
    expectError(await api.request('GET', '/guarded', alive.access), 503, 'revocation_feed_lost');
    expectError(await api.request('GET', '/guarded', ended.access), 401, 'token_revoked');

    await cluster.promote();
    const isOpen = async () => (await api.request('GET', '/guarded/fresh', alive.access)).status === 200;
    await until(RECOVERY, isOpen);
    for (const path of ['/guarded', '/guarded/fresh'])
      expectError(await api.request('GET', path, ended.access), 401, 'token_revoked');
    expectError(await api.request('POST', '/auth/refresh', ended.refresh), 401, 'token_revoked');
    await until(RECOVERY, async () => (await readiness()).status === 200);

    const rows = await run(cluster.standby, `select revoke_cause from sessions where id = '${ended.id}'`);
    expect(rows).toEqual([{ revoke_cause: 'logout' }]);
    const other = await instance(cluster.standby);
    try {
      expectError(await other.request('GET', '/guarded', ended.access), 401, 'token_revoked');
      expectError(await other.request('POST', '/auth/refresh', ended.refresh), 401, 'token_revoked');
      await other.request('POST', '/auth/refresh', alive.refresh).expect(200);
    } finally {
      await other.close();
    }
  });
});
