import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Response } from 'supertest';
import { type AuthModuleOptions, listRoutes } from '../../src/auth/index.js';
import { Database, DatabaseUnavailableError } from '../../src/database/index.js';
import { clearsAll, Jar, loginInBrowser } from '../support/browser.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { dump } from '../support/dump.js';
import { expectError } from '../support/expect-error.js';
import { portOf, sendRaw } from '../support/raw-http.js';
import { forge } from '../support/token-kinds.js';

/* The requirements of docs/security.md that no other test proves, by their numbers there. */

const IN_COOKIES: Partial<AuthModuleOptions> = {
  locations: { order: ['header', 'cookie'] },
  cookies: { secure: true },
};

describe('the checklist, with tokens in headers', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp();
  });
  afterAll(() => api.close());

  const profile = (token: string) => api.request('GET', '/profile', token);

  it('#5 of 500 random key names none is found, and none costs a row', async () => {
    const { access } = await api.login();
    const before = await dump(api);
    for (let i = 0; i < 500; i++) {
      const kid = Buffer.from(crypto.getRandomValues(new Uint8Array(1 + (i % 60)))).toString('latin1');
      const { status } = await sendRaw(portOf(api.app), {
        path: '/profile',
        headers: [['Authorization', `Bearer ${forge(api, access, {}, { kid })}`]],
      });
      expect(status).toBe(401);
    }
    expect(await dump(api)).toEqual(before);
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
    const inForm = await api.request('POST', '/transfers').type('form').send({ access_token: access });
    expectError(inForm, 415, 'unsupported_media_type');
    expectError(
      await api.request('GET', '/profile').set('Cookie', `access_token=${access}`),
      401,
      'token_missing',
    );
  });

  it('#25 a step-up retires its refresh token; an older access token gets no fresher by it', async () => {
    const login = await api.login();
    const { access: first, refresh: old } = login;
    await login.rotate();
    const stale = login.access;
    api.clock.advance('1m');
    await login.reauthenticate('a-key');
    const authTimes = [];
    for (const token of [first, stale, login.access]) {
      const { fresh, auth_time } = (await profile(token).expect(200)).body;
      authTimes.push([fresh, auth_time - api.clock.now() / 1000]);
    }
    expect(authTimes).toEqual([
      [true, -60],
      [false, -60],
      [true, 0],
    ]);
    expectError(await login.tryRefresh(old), 401, 'refresh_token_reused');
  });

  it('#29 what changes credentials, sessions, accounts or money demands a fresh token', async () => {
    const stale = await api.login();
    await stale.rotate();
    const critical = [
      'PUT /auth/password',
      'DELETE /profile',
      'DELETE /auth/sessions/:id',
      'DELETE /admin/users/:id/sessions',
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
    const before = await dump(api);
    for (const { path } of changing) {
      for (const method of ['GET', 'HEAD', 'OPTIONS']) {
        const url = path.replace(':id', login.user.id);
        const { status } = await api.request(
          method,
          url,
          path.includes('refresh') ? login.refresh : login.access,
        );
        expect(`${method} ${url}: ${status}`).not.toMatch(/: 5/);
      }
    }
    expect(await dump(api)).toEqual(before);
    await login.rotate();
  });

  it('#69 no answer about tokens or people may be stored, and all say that scripts and frames are not theirs', async () => {
    const user = await api.user();
    const { username, password } = user;
    const login = await user.login();
    const answers: Response[] = [
      await api.request('POST', '/auth/login').send({ username, password }),
      await profile(login.access),
      await api.request('GET', '/auth/sessions', login.access),
      await api.request('GET', '/transfers', login.access),
      await login.tryRefresh(login.refresh, 'a'),
      await login.user.login().then((other) => other.tryReauthenticate(other.refresh, password)),
      await api
        .request('PUT', '/auth/password', login.access)
        .send({ current_password: password, new_password: 'lunar-dachshund' }),
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
  });
});

describe('the checklist, with tokens in cookies', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ auth: IN_COOKIES });
  });
  afterAll(() => api.close());

  const cookiesOf = (response: Response) => (response.headers['set-cookie'] ?? []) as unknown as string[];

  it('#17 #65 of two places the one named first decides, be its token bad; of two in one place, none', async () => {
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

  it('#48 a refresh that is one too many neither ends the session nor clears its cookies', async () => {
    const limited = await createTestApp({
      auth: { ...IN_COOKIES, limits: { refresh: '1 per 1m' } },
    });
    try {
      const jar = await loginInBrowser(limited);
      const refresh = () =>
        limited
          .request('POST', '/auth/refresh')
          .set('Cookie', jar.header())
          .set('Sec-Fetch-Site', 'same-origin');
      jar.keep(await refresh().expect(200));
      const refused = await refresh();
      expectError(refused, 429, 'rate_limited');
      expect(cookiesOf(refused)).toEqual([]);
      await limited.request('GET', '/profile').set('Cookie', jar.header()).expect(200);
      const again = limited.request('POST', '/auth/reauthenticate').set('Sec-Fetch-Site', 'same-origin');
      await again.set('Cookie', jar.header()).send({ password: jar.user.password }).expect(200);
    } finally {
      await limited.close();
    }
  });

  it('#25 a login takes over no session whose cookies somebody has planted before it', async () => {
    const [evil, victim] = [await loginInBrowser(api), await api.user()];
    const { username, password } = victim;
    const response = await api
      .request('POST', '/auth/login')
      .set('Sec-Fetch-Site', 'same-origin')
      .set('Cookie', evil.header())
      .send({ username, password })
      .expect(200);
    const jar = new Jar(victim, response);
    const sessionsOf = async (each: Jar) =>
      (await api.request('GET', '/auth/sessions').set('Cookie', each.header()).expect(200)).body;
    expect(await sessionsOf(jar)).toMatchObject([{ current: true }]);
    expect(await sessionsOf(evil)).toMatchObject([{ current: true }]);
    expect((await sessionsOf(jar))[0].id).not.toBe((await sessionsOf(evil))[0].id);
    const profileOf = await api.request('GET', '/profile').set('Cookie', jar.header()).expect(200);
    expect(profileOf.body).toMatchObject({ id: victim.id });
  });

  it('#65 two cookies of one name are refused wherever they are, and logout clears them', async () => {
    const [jar, evil] = [await loginInBrowser(api), await loginInBrowser(api)];
    const send = (method: string, path: string, name: string) =>
      api
        .request(method, path)
        .set('Sec-Fetch-Site', 'same-origin')
        .set('Cookie', `${jar.header(name)}; ${evil.header(name)}`);
    expectError(await send('GET', '/profile', 'access_token'), 401, 'token_invalid');
    expectError(await send('POST', '/auth/refresh', 'refresh_token'), 401, 'token_invalid');
    const out = await send('POST', '/auth/logout', 'access_token');
    expectError(out, 401, 'token_invalid');
    expect(clearsAll(out)).toBe(true);
    for (const { user } of [jar, evil]) expect((await user.login()).access).toBeDefined();
  });

  it('#65 every cookie is bound to this host, and small', async () => {
    const { username, password } = await api.user();
    const cookies = cookiesOf(
      await api.request('POST', '/auth/login').send({ username, password }).expect(200),
    );
    expect(cookies).toHaveLength(4);
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
      const changing = listRoutes(api.app).filter(
        ({ method, policy }) => method !== 'GET' && policy.level !== 'public',
      );
      expect(changing.length).toBeGreaterThan(7);
      const before = await dump(api);
      for (const { method, path } of changing) {
        const url = path.replace(':id', login.user.id);
        const refused = await api.request(method, url).set({ ...headers, Cookie });
        expect([url, refused.body.errorCode, refused.status]).toEqual([url, 'csrf_failed', 403]);
        // And one that says nothing of where it comes from.
        expectError(await api.request(method, url).set({ Cookie }), 403, 'csrf_failed');
      }
      const loggedIn = await api.request('POST', '/auth/login').set(headers).send({ username, password });
      expectError(loggedIn, 403, 'csrf_failed');
      expect(cookiesOf(loggedIn)).toEqual([]);
      expect(await dump(api)).toEqual(before);
      await login.rotate();
    },
  );
});

describe('the checklist, of all that is given out', () => {
  it('#13 nothing is taken for anything else', async () => {
    const api = await createTestApp({ auth: IN_COOKIES });
    try {
      const jar = await loginInBrowser(api);
      const given = ['access_token', 'refresh_token', 'csrf_token', 'device'].map((name) => jar.value(name));
      expect(new Set(given).size).toBe(4);
      const [access = '', refresh = '', csrf = '', device = ''] = given;
      const others = (own: string) => given.filter((each) => each !== own);
      for (const each of others(access)) {
        expect((await api.request('GET', '/profile', each)).status).toBe(401);
        expect(
          (await api.request('GET', '/profile').set('Cookie', `__Host-access_token=${each}`)).status,
        ).toBe(401);
      }
      for (const each of others(refresh))
        expect((await api.request('POST', '/auth/refresh', each)).status).toBe(401);
      for (const each of others(csrf)) {
        const forged = `__Host-refresh_token=${refresh}; __Host-csrf_token=${each}`;
        const refused = api.request('POST', '/auth/refresh').set('Cookie', forged).set('X-CSRF-Token', each);
        expectError(await refused, 403, 'csrf_failed');
      }
      expect(device).not.toBe('');
      await api.request('POST', '/auth/refresh', refresh).expect(200);
    } finally {
      await api.close();
    }
  });

  it('#13 nothing else is taken for a known device', async () => {
    const limits = { account: '2 per 1h' };
    const api = await createTestApp({ auth: { ...IN_COOKIES, limits } });
    try {
      const jar = await loginInBrowser(api);
      const { username, password } = jar.user;
      const login = (device: string, secret = password) =>
        api.request('POST', '/auth/login').set('X-Device-Token', device).send({ username, password: secret });
      for (let i = 0; i < 2; i++) expectError(await login('', 'wrong'), 401, 'invalid_credentials');
      for (const name of ['access_token', 'refresh_token', 'csrf_token'])
        expectError(await login(jar.value(name)), 429, 'rate_limited');
      await login(jar.value('device')).expect(200);
    } finally {
      await api.close();
    }
  });
});
