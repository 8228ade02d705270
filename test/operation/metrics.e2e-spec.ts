import { Controller, Get, HttpException, Param } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Public } from '../../src/auth/index.js';
import { HashingQueue } from '../../src/auth/internals.js';
import { MetricsModule } from '../../src/metrics/metrics.module.js';
import { MetricsServer } from '../../src/metrics/metrics-server.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/create-test-app.js';
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
    // Kinds of garbage collection, and of what is open, may come for the first time meanwhile: Node names those, callers none.
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
