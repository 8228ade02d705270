import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { clearsAll, loginInBrowser, setCookies } from '../support/browser.js';
import { expectError } from '../support/expect-error.js';

/* In short, for each run. `npm run test:hard` runs every suite that the HTTP adapter has a part in on Express. */

describe('on Express, tokens in the header', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ adapter: 'express' });
  });
  afterAll(() => api.close());

  it('log in, refresh, step up and log out', async () => {
    const login = await (await api.user()).login();
    await api.request('GET', '/profile', login.access).expect(200);
    await login.rotate();
    expectError(await api.request('DELETE', '/profile', login.access), 401, 'fresh_token_required');
    await login.reauthenticate();
    await api.request('POST', '/auth/logout', login.access).expect(204);
    expectError(await api.request('GET', '/profile', login.access), 401, 'token_revoked');
    expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
  });

  it('are refused, as is a wrong body, in the shape of every error', async () => {
    expectError(await api.request('GET', '/profile'), 401, 'token_missing');
    expectError(await api.request('GET', '/profile', 'a.b.c'), 401, 'token_invalid');
    expectError(await api.request('GET', '/nowhere'), 404, 'not_found');
    const post = (body: string) =>
      api.request('POST', '/auth/login').set('Content-Type', 'application/json').send(body);
    expectError(await post('{'), 400, 'validation_failed');
    expectError(await post('{"username":5,"nope":1}'), 400, 'validation_failed');
  });
});

describe('on Express, tokens in cookies', () => {
  it('are set, held to where a request comes from, and taken back', async () => {
    const api = await createTestApp({
      adapter: 'express',
      auth: { locations: { order: ['cookie'] }, cookies: { secure: true } },
    });
    try {
      const jar = await loginInBrowser(api);
      const send = (site: string, path: string) =>
        api.request('POST', path).set({ 'Sec-Fetch-Site': site, Cookie: jar.header() });
      expectError(await send('cross-site', '/auth/refresh'), 403, 'csrf_failed');
      const refreshed = await send('same-origin', '/auth/refresh').expect(200);
      expect(setCookies(refreshed).size).toBe(3);
      expect(refreshed.body).not.toHaveProperty('access_token');
      jar.keep(refreshed);
      expect(clearsAll(await send('same-origin', '/auth/logout').expect(204))).toBe(true);
    } finally {
      await api.close();
    }
  });
});
