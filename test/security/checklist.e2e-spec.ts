import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Response } from 'supertest';
import { listRoutes } from '../../src/auth/index.js';
import { Database, DatabaseUnavailableError } from '../../src/database/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { portOf, sendRaw } from '../support/raw-http.js';
import { forge } from '../support/token-kinds.js';

/* The requirements of docs/security.md that no other test proves, by their numbers there. */

describe('the checklist, with tokens in headers', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp();
  });
  afterAll(() => api.close());

  const profile = (token: string) => api.request('GET', '/profile', token);

  it('#5 of 500 random key names none is found, none costs a row, and none is slow', async () => {
    const { access } = await api.login();
    const before = await api.get(Database).selectFrom('audit_events').select('id').execute();
    const began = performance.now();
    for (let i = 0; i < 500; i++) {
      const kid = Buffer.from(crypto.getRandomValues(new Uint8Array(1 + (i % 60)))).toString('latin1');
      const { status } = await sendRaw(portOf(api.app), {
        path: '/profile',
        headers: [['Authorization', `Bearer ${forge(api, access, {}, { kid })}`]],
      });
      expect(status).toBe(401);
    }
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(await api.get(Database).selectFrom('audit_events').select('id').execute()).toEqual(before);
  });

  it('#10 a token whose "nbf" is to come is refused, and taken from then on', async () => {
    const { access } = await api.login();
    const token = forge(api, access, { nbf: api.clock.now() / 1000 + 61 });
    expectError(await profile(token), 401, 'token_invalid');
    api.clock.advance('61s');
    await profile(token).expect(200);
  });

  it('#16 a token in the query or in the body is none', async () => {
    const { access, refresh } = await api.login();
    expectError(await api.request('GET', `/profile?access_token=${access}`), 401, 'token_missing');
    const inBody = await api.request('POST', '/auth/refresh').send({ refresh_token: refresh });
    expectError(inBody, 401, 'token_missing');
    expectError(
      await api.request('GET', '/profile').set('Cookie', `access_token=${access}`),
      401,
      'token_missing',
    );
  });

  it('#25 a step-up retires the refresh token that it was made with', async () => {
    const login = await api.login();
    const old = login.refresh;
    await login.reauthenticate('a-key');
    expectError(await login.tryRefresh(old), 401, 'refresh_token_reused');
  });

  it('#29 what changes credentials, sessions, accounts or money demands a fresh token', async () => {
    const stale = await api.login();
    await stale.rotate();
    const critical = [
      'PUT /auth/password',
      'DELETE /profile',
      'DELETE /auth/sessions/:id',
      'POST /transfers',
    ];
    const routes = listRoutes(api.app).filter(({ method, path }) => critical.includes(`${method} ${path}`));
    expect(routes).toHaveLength(critical.length);
    for (const { method, path } of routes) {
      expectError(await api.request(method, path, stale.access).send({}), 401, 'fresh_token_required');
    }
    const { body } = await stale.user.login().then(({ access }) => profile(access));
    expect(body).toMatchObject({ fresh: true });
  });

  it('#46 a refresh token is 256 bits of MAC, and no part of another generation makes one good', async () => {
    const login = await api.login();
    const first = login.refresh;
    await login.rotate('a-key');
    const [one, two] = [first.split('.'), login.refresh.split('.')];
    expect(Buffer.from(two[2]!, 'base64url')).toHaveLength(32);
    for (const mixed of [
      [one[0], two[1], one[2]],
      [two[0], two[1], `${one[2]!.slice(0, 20)}${two[2]!.slice(20)}`],
    ]) {
      expectError(await login.tryRefresh(mixed.join('.')), 401, 'token_invalid');
    }
    await login.rotate();
  });

  it('#67 nothing changes by GET, HEAD or OPTIONS', async () => {
    const login = await api.login();
    const changing = listRoutes(api.app).filter(({ method }) => method !== 'GET');
    expect(changing.length).toBeGreaterThan(8);
    for (const { path } of changing) {
      for (const method of ['GET', 'HEAD', 'OPTIONS']) {
        const url = path.replace(':id', login.user.id);
        const { status } = await api.request(
          method,
          url,
          path.includes('refresh') ? login.refresh : login.access,
        );
        expect([method, url, status]).toEqual([method, url, expect.not.stringMatching(/^5/)]);
      }
    }
    await profile(login.access).expect(200);
    expect((await login.rotate()).access_token).toBeDefined();
  });

  it('#69 no answer about tokens or people may be stored, and all say that scripts and frames are not theirs', async () => {
    const user = await api.register();
    const { username, password } = user;
    const login = await user.login();
    const answers: Response[] = [
      await api.request('POST', '/auth/login').send({ username, password }),
      await profile(login.access),
      await api.request('GET', '/auth/sessions', login.access),
      await api.request('GET', '/transfers', login.access),
      await login.tryRefresh(login.refresh, 'a'),
    ];
    for (const { status, headers } of answers) {
      expect([status, headers['cache-control']]).toEqual([200, 'no-store']);
      expect(headers).toMatchObject({
        'strict-transport-security': expect.stringMatching(/max-age=\d{8}/),
        'x-content-type-options': 'nosniff',
        'x-frame-options': expect.stringMatching(/DENY|SAMEORIGIN/i),
      });
    }
  });

  it('#80 a new installation has no account', async () => {
    const fresh = await createTestApp();
    try {
      expect(await fresh.get(Database).selectFrom('users').select('id').execute()).toEqual([]);
      for (const [username, password] of [
        ['admin', 'admin'],
        ['admin', 'password'],
        ['root', 'root'],
        ['cosmo', 'space-corgi'],
      ]) {
        const answer = await fresh.request('POST', '/auth/login').send({ username, password });
        expectError(answer, 401, 'invalid_credentials');
      }
    } finally {
      await fresh.close();
    }
  });

  it('#88 what is too large or too deep is refused before anything looks into it', async () => {
    const post = (body: string) =>
      api.request('POST', '/auth/login').set('Content-Type', 'application/json').send(body);
    expectError(await post(`"${'x'.repeat(65_536)}"`), 413, 'payload_too_large');
    expectError(await post('['.repeat(60_000)), 400, 'validation_failed');
    const long = await sendRaw(portOf(api.app), {
      path: '/profile',
      headers: [['Authorization', `Bearer ${'e30.'.repeat(2_500)}`]],
    });
    expect([long.status, long.body?.['errorCode']]).toEqual([401, 'token_invalid']);
    const began = performance.now();
    for (let i = 0; i < 50; i++) await post('['.repeat(60_000));
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

describe('the checklist, with tokens in cookies', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      auth: { locations: { order: ['header', 'cookie'] }, cookies: { secure: true } },
    });
  });
  afterAll(() => api.close());

  const cookiesOf = (response: Response) => (response.headers['set-cookie'] ?? []) as unknown as string[];

  it('#17 of two places the one named first decides, be its token bad; of two in one place, none', async () => {
    const [one, two] = [await api.login(), await api.login()];
    const both = (token: string) =>
      api.request('GET', '/profile', token).set('Cookie', `__Host-access_token=${two.access}`);
    expect((await both(one.access)).body).toMatchObject({ id: one.user.id });
    expectError(await both('not.a.token'), 401, 'token_invalid');
    const twice = `__Host-access_token=${one.access}; __Host-access_token=${two.access}`;
    expectError(await api.request('GET', '/profile').set('Cookie', twice), 401, 'token_invalid');
  });

  it('#48 a refresh that fails for want of the database neither ends the session nor clears its cookies', async () => {
    const login = await api.login();
    const db = api.get(Database);
    const refresh = () =>
      api
        .request('POST', '/auth/refresh')
        .set('Cookie', `__Host-refresh_token=${login.refresh}`)
        .set('Sec-Fetch-Site', 'same-origin');
    db.inTransaction = () => Promise.reject(new DatabaseUnavailableError(new Error('gone')));
    let failed: Response;
    try {
      failed = await refresh();
    } finally {
      // The method of the class comes to light again.
      Reflect.deleteProperty(db, 'inTransaction');
    }
    expectError(failed, 503, 'database_unavailable');
    expect(cookiesOf(failed)).toEqual([]);
    expect(cookiesOf(await refresh().expect(200))).toHaveLength(3);
  });

  it('#65 every cookie is bound to this host, and small', async () => {
    const { username, password } = await api.register();
    const cookies = cookiesOf(
      await api.request('POST', '/auth/login').send({ username, password }).expect(200),
    );
    expect(cookies).toHaveLength(3);
    for (const cookie of cookies) {
      expect(cookie).toMatch(
        /^__Host-\w+=[^;]+; (?=.*\bPath=\/(;|$))(?=.*\bSecure\b)(?=.*\bSameSite=Strict\b)/,
      );
      expect(cookie).not.toMatch(/domain=/i);
      if (!cookie.startsWith('__Host-csrf_token')) expect(cookie).toMatch(/; HttpOnly/);
      expect(cookie.length).toBeLessThan(4096);
    }
  });

  it.each([
    ['another site', { 'Sec-Fetch-Site': 'cross-site' }],
    ['a sub-domain', { 'Sec-Fetch-Site': 'same-site' }],
    ['another origin', { Origin: 'https://evil.example' }],
    ['an origin that is hidden', { Origin: 'null' }],
    ['another site that says GET', { 'Sec-Fetch-Site': 'cross-site', 'X-HTTP-Method-Override': 'GET' }],
  ])(
    '#66 a page of %s changes nothing with a visitor’s cookies, nor logs him in or out',
    async (_, headers) => {
      const login = await api.login();
      const { username, password } = login.user;
      const Cookie = `__Host-access_token=${login.access}; __Host-refresh_token=${login.refresh}`;
      for (const path of ['/auth/refresh', '/auth/logout', '/auth/logout-all']) {
        expectError(await api.request('POST', path).set({ ...headers, Cookie }), 403, 'csrf_failed');
      }
      const loggedIn = await api.request('POST', '/auth/login').set(headers).send({ username, password });
      expectError(loggedIn, 403, 'csrf_failed');
      expect(cookiesOf(loggedIn)).toEqual([]);
      // And one that says nothing of where it comes from.
      expectError(await api.request('POST', '/auth/logout').set({ Cookie }), 403, 'csrf_failed');
      await api.request('GET', '/profile', login.access).expect(200);
    },
  );
});
