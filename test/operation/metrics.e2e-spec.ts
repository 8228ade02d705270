import { Controller, Get, HttpException, Param } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Public } from '../../src/auth/index.js';
import { HashingQueue, RevocationFeed } from '../../src/auth/internals.js';
import { MetricsModule } from '../../src/metrics/metrics.module.js';
import { MetricsServer } from '../../src/metrics/metrics-server.js';
import { sql } from 'kysely';
import { Database } from '../../src/database/index.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/create-test-app.js';
import { createTestDatabase, describePostgres } from '../support/engines.js';
import { until } from '../support/until.js';
import { fill } from '../support/full-queue.js';
import { metricsOf } from '../support/metrics.js';

@Public()
@Controller('codes')
class CodesController {
  @Get(':code')
  fail(@Param('code') code: string): never {
    throw new HttpException('refused', 418, { errorCode: code });
  }
}

const metered = (options: TestAppOptions = {}) =>
  createTestApp({
    ...options,
    imports: [MetricsModule.forRoot({ host: '127.0.0.1', port: 0 })],
    controllers: [CodesController],
  });

describe('metrics', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await metered();
  });
  afterAll(() => api.close());

  it('count logins and refreshes by outcome', async () => {
    const login = await api.login();
    const { username } = login.user;
    await api.request('POST', '/auth/login').send({ username, password: 'wrong-guess' }).expect(401);
    await api
      .request('POST', '/auth/login')
      .send({ username: 'nobody', password: 'wrong-guess' })
      .expect(401);
    const [first] = [login.refresh];
    await login.rotate();
    await login.tryRefresh(first).expect(200);
    await login.rotate('key-of-16-letters');
    const replayed = login.refresh;
    await login.rotate('key-of-17-letters');
    await login.tryRefresh(replayed, 'key-of-17-letters').expect(200);
    await login.reauthenticate();
    await login.tryRefresh(first).expect(401);
    await login.tryRefresh(first).expect(401);
    const series = await metricsOf(api);
    const of = (name: string) =>
      Object.fromEntries(
        [...series]
          .filter(([key]) => key.startsWith(`freshgate_${name}{`))
          .map(([key, value]) => [/outcome="(\w+)"/.exec(key)?.[1], value]),
      );
    expect(of('logins_total')).toEqual({ success: 1, wrong_password: 1, no_such_user: 1 });
    expect(of('refreshes_total')).toEqual({ rotated: 4, concurrent: 1, replayed: 1, reuse: 1, revoked: 1 });
    expect(series.get('freshgate_refusals_total{code="invalid_credentials"}')).toBe(2);
    expect(series.get('freshgate_refusals_total{code="refresh_token_reused"}')).toBe(1);
    expect(series.get('freshgate_revoked_sessions')).toBe(1);
    expect(series.get('freshgate_revocation_staleness_seconds')).toBe(0);
    expect(series.get('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
    expect(series.get('process_resident_memory_bytes')).toBeGreaterThan(0);
  });

  it('show the hashing queue, and count its refusals', async () => {
    const queue = api.get(HashingQueue);
    const release = fill(queue);
    await api.request('POST', '/auth/login').send({ username: 'nobody', password: 'guess' }).expect(503);
    const full = await metricsOf(api);
    expect(full.get('freshgate_hashing_running')).toBe(queue.atOnce);
    expect(full.get('freshgate_hashing_waiting')).toBe(2 * queue.maxWaiting);
    expect(full.get('freshgate_hashing_refused_total')).toBe(1);
    expect(full.get('freshgate_refusals_total{code="overloaded"}')).toBe(1);
    await release();
    const empty = await metricsOf(api);
    expect(empty.get('freshgate_hashing_running')).toBe(0);
    expect(empty.get('freshgate_hashing_waiting')).toBe(0);
    expect(empty.get('freshgate_hashing_refused_total')).toBe(1);
  });

  it('time requests by route as declared, never by path', async () => {
    const { access } = await api.login();
    await api.request('DELETE', '/auth/sessions/0190b1d6-0000-7000-8000-000000000000', access).expect(404);
    await api.request('DELETE', '/auth/sessions/0190b1d6-0000-7000-8000-000000000001', access).expect(404);
    const count = 'freshgate_http_request_duration_seconds_count';
    const series = await metricsOf(api);
    expect(series.get(`${count}{method="DELETE",route="/auth/sessions/:id",status="4xx"}`)).toBe(2);
    expect([...series.keys()].filter((key) => key.includes('0190b1d6'))).toEqual([]);
  });

  it('have a bounded number of series for any input', async () => {
    const send = async (from: number, times: number) => {
      for (let i = from; i < from + times; i++) {
        await api.request('GET', `/nowhere/${i}`).expect(404);
        await api.request('GET', `/codes/code_${i}`).expect(418);
        await api.request('PROPFIND', '/profile');
        await api.request('GET', '/codes/%22Code%7B%7D').expect(418);
      }
    };
    await send(0, 110);
    const before = await metricsOf(api);
    await send(1000, 15);
    const after = await metricsOf(api);
    // New kinds of garbage collections and open handles may appear meanwhile: Node names these, not a caller.
    const added = [...after.keys()].filter((key) => !before.has(key) && !key.startsWith('nodejs_'));
    expect(added).toEqual([]);
    const count = 'freshgate_http_request_duration_seconds_count';
    expect(after.get(`${count}{method="GET",route="none",status="4xx"}`)).toBe(125);
  });

  it('are served on their own port only, where nothing else is served', async () => {
    await api.request('GET', '/metrics').expect(404);
    const { url } = api.get(MetricsServer);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
    expect((await fetch(new URL('/profile', url))).status).toBe(404);
    expect((await fetch(`${url}?x=1`)).headers.get('content-type')).toMatch(/^text\/plain/);
  });
});

describe('two applications in one process', () => {
  it('count apart, and each closes its own server', async () => {
    const [here, there] = [await metered(), await metered()];
    const [{ url }, other] = [here.get(MetricsServer), there.get(MetricsServer)];
    await here.login();
    const logins = 'freshgate_logins_total{outcome="success"}';
    expect((await metricsOf(here)).get(logins)).toBe(1);
    expect((await metricsOf(there)).get(logins)).toBeUndefined();
    await here.close();
    await expect(fetch(url)).rejects.toThrow();
    expect((await fetch(other.url)).status).toBe(200);
    await there.close();
  });
});

describePostgres('metrics of PostgreSQL', () => {
  it('show the pool, errors by SQLSTATE, readiness, the clock, LISTEN and the audit trail', async () => {
    const database = await createTestDatabase('postgres');
    const api = await metered({ database, env: { DATABASE_POOL: '3' } });
    try {
      const db = api.get(Database);
      await api.login();
      await sql`analyze audit_events`.execute(db);
      await expect(sql`select 1 / 0`.execute(db)).rejects.toThrow('division by zero');
      await until(5_000, async () => api.get(RevocationFeed).isListening);
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'freshgate-listener'`.execute(db);
      await until(5_000, async () => (await metricsOf(api)).get('freshgate_listen_reconnects_total') === 1);
      const busy = Array.from({ length: 5 }, () => sql`select pg_sleep(0.5)`.execute(db));
      await until(2_000, async () => db.statistics.pool?.waiting === 2);
      expect(db.statistics.pool).toEqual({ max: 3, open: 3, idle: 0, waiting: 2 });
      await Promise.all(busy);
      api.clock.advance(Date.now() - api.clock.now());
      // The first scrape compares the clocks, the second one shows the result.
      await metricsOf(api);
      const series = await metricsOf(api);
      const value = (name: string) => series.get(`freshgate_${name}`);
      expect(value('database_pool_connections{state="max"}')).toBe(3);
      expect(value('database_pool_connections{state="idle"}')).toBeGreaterThan(0);
      expect(value('database_errors_total{code="22012"}')).toBe(1);
      for (const part of ['database', 'migrations', 'clock', 'revocations'])
        expect(value(`ready{part="${part}"}`)).toBe(1);
      expect(Math.abs(value('clock_skew_seconds') ?? Number.NaN)).toBeLessThan(2);
      expect(value('listen_failures_total')).toBe(1);
      expect(value('audit_events')).toBeGreaterThan(0);
    } finally {
      await api.close();
      await database.drop();
    }
  });
});
