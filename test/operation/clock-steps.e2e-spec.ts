import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';

const HOUR = 3_600_000;

/** The documents say what becomes of tokens: docs/operation.md, "The clock". */
describe('a clock that is set', () => {
  let api: TestApp;
  let login: TestLogin;
  beforeEach(async () => {
    api = await createTestApp();
    login = await api.login();
  });
  afterEach(() => api.close());

  const profile = (token: string) => api.request('GET', '/profile', token);

  it('forward by an hour: access tokens end, sessions do not, and a refresh is no reuse', async () => {
    api.clock.advance(HOUR);
    expectError(await profile(login.access), 401, 'token_expired');
    await login.rotate();
    await profile(login.access).expect(200);
    expectError(await api.request('DELETE', '/profile', login.access), 401, 'fresh_token_required');
  });

  it('back by an hour: no token of before works sooner or is fresh for longer than its claims say', async () => {
    api.clock.advance(-HOUR);
    const seen = await profile(login.access);
    console.log('BACK', seen.status, seen.body);
    const r = await login.tryRefresh(login.refresh);
    console.log('BACKR', r.status, r.body);
  });

  it('forward and back again', async () => {
    api.clock.advance(HOUR);
    await login.rotate();
    const ahead = login.access;
    const old = login.refresh;
    api.clock.advance(-HOUR);
    const seen = await profile(ahead);
    console.log('FB', seen.status, seen.body);
    const r = await login.tryRefresh(old);
    console.log('FBR', r.status, r.body);
    api.clock.advance('16m');
    const again = await profile(ahead);
    console.log('FB16', again.status, again.body);
  });

  it('a lost answer repeated across a step, with key and without', async () => {
    const first = login.refresh;
    await login.rotate('a-key-of-some-length');
    api.clock.advance(-HOUR);
    const r = await login.tryRefresh(first, 'a-key-of-some-length');
    console.log('KEYED', r.status, r.body.errorCode);
    api.clock.advance(HOUR);
    const other = await api.login();
    const o = other.refresh;
    await other.rotate();
    api.clock.advance(-HOUR);
    const r2 = await other.tryRefresh(o);
    console.log('KEYLESS', r2.status, r2.body.errorCode);
  });
});
