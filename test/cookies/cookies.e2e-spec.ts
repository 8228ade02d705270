import { Controller, Post } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { decode, type JwtPayload } from 'jsonwebtoken';
import { type Response, type Test } from 'supertest';
import {
  AccessOrRefresh,
  type AuthModuleOptions,
  CurrentUser,
  type Principal,
  Refresh,
} from '../../src/auth/index.js';
import { Database, DatabaseUnavailableError } from '../../src/database/index.js';
import { resolveOptions } from '../../src/auth/options/resolve-options.js';
import { generateKeySet } from '../../src/keys/key-file.js';
import { clearsAll, Jar, loginInBrowser, setCookies } from '../support/browser.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { forge } from '../support/token-kinds.js';

const NAMES = ['__Host-access_token', '__Host-refresh_token', '__Host-csrf_token'];
/** Set by logins alone, kept at logout: it says that the user has logged in here before. */
const DEVICE = '__Host-device';
const OURS = { 'Sec-Fetch-Site': 'same-origin' };

@Controller('team')
class TeamController {
  @Refresh()
  @Post('refresh')
  refresh(@CurrentUser() user: Principal): object {
    return { user: user.userId };
  }

  @AccessOrRefresh()
  @Post('either')
  either(@CurrentUser() user: Principal): object {
    return { user: user.userId };
  }
}

function attributes(response: Response): Record<string, string[]> {
  return Object.fromEntries([...setCookies(response)].map(([name, cookie]) => [name, cookie.attributes]));
}

describe('tokens in cookies', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      controllers: [TeamController],
      auth: { locations: { order: ['cookie'] }, cookies: { secure: true } },
    });
  });
  afterAll(() => api.close());

  const send = (method: string, path: string, cookie: string): Test =>
    api.request(method, path).set(OURS).set('Cookie', cookie);

  /** All that an answer with a token pair has, where cookies alone are used. */
  function expectPair(response: Response, { access = 900, refresh = 1_209_600, device = false } = {}): void {
    expect(response.status).toBe(200);
    expect(response.body).toEqual({
      token_type: 'Bearer',
      expires_in: access,
      refresh_expires_in: refresh,
    });
    expect(response.headers['cache-control']).toBe('no-store');
    const guarded = ['HttpOnly', 'Secure', 'SameSite=Strict'];
    expect(attributes(response)).toEqual({
      '__Host-access_token': ['Path=/', `Max-Age=${access}`, ...guarded],
      '__Host-refresh_token': ['Path=/', `Max-Age=${refresh}`, ...guarded],
      '__Host-csrf_token': ['Path=/', `Max-Age=${refresh}`, 'Secure', 'SameSite=Strict'],
      ...(device ? { [DEVICE]: ['Path=/', 'Max-Age=34560000', ...guarded] } : {}),
    });
  }

  it('are set with all protecting attributes by every route that issues a pair, and are not in the body', async () => {
    const { username, password } = await api.user();
    const credentials = { username, password };
    const login = await api.request('POST', '/auth/login').send(credentials);
    expectPair(login, { device: true });
    const cookies = setCookies(login);
    expect([...cookies.keys()]).toEqual([...NAMES, DEVICE]);
    // Browsers drop longer ones.
    for (const [name, { value }] of cookies) expect(name.length + value.length).toBeLessThan(3_800);
    const claims = NAMES.slice(0, 2).map((name) => decode(cookies.get(name)!.value) as JwtPayload);
    expect(claims.map(({ type }) => type as unknown)).toEqual(['access', 'refresh']);

    const jar = new Jar({} as Jar['user'], login);
    const refreshed = await send('POST', '/auth/refresh', jar.header());
    expectPair(refreshed);
    const again = await send('POST', '/auth/reauthenticate', jar.keep(refreshed).header()).send({ password });
    expectPair(again);
    const changed = await send('PUT', '/auth/password', jar.keep(again).header()).send({
      current_password: password,
      new_password: 'another-corgi',
    });
    expectPair(changed);
    // Four different pairs.
    const values = [login, refreshed, again, changed].map(
      (answer) => setCookies(answer).get(NAMES[0]!)?.value,
    );
    expect(new Set(values).size).toBe(4);
  });

  it('expire no later than their session', async () => {
    const jar = await loginInBrowser(api);
    for (const wait of ['13d', '13d']) {
      api.clock.advance(wait);
      jar.keep(await send('POST', '/auth/refresh', jar.header('refresh_token')).expect(200));
    }
    // 26 of its 30 days are over, so there are 4 for a refresh token that has 14 otherwise.
    api.clock.advance(500);
    const response = await send('POST', '/auth/refresh', jar.header());
    expectPair(response, { refresh: 4 * 86_400 });
  });

  it('are read according to the route: the access cookie, the refresh cookie, or either', async () => {
    const jar = await loginInBrowser(api);
    const [access, refresh] = [jar.header('access_token'), jar.header('refresh_token')];
    await send('GET', '/profile', access).expect(200);
    expectError(await send('GET', '/profile', refresh), 401, 'token_missing');
    await send('POST', '/team/refresh', refresh).expect(201);
    expectError(await send('POST', '/team/refresh', access), 401, 'token_missing');
    for (const either of [access, refresh, `${access}; ${refresh}`]) {
      await send('POST', '/team/either', either).expect(201);
    }
    expectError(await send('POST', '/team/either', jar.header('csrf_token')), 401, 'token_missing');
  });

  it('are refused when the access and the refresh cookie are exchanged', async () => {
    const jar = await loginInBrowser(api);
    const [access, refresh] = [jar.value('access_token'), jar.value('refresh_token')];
    expectError(await send('GET', '/profile', `${NAMES[0]}=${refresh}`), 401, 'token_wrong_type');
    expectError(await send('POST', '/auth/refresh', `${NAMES[1]}=${access}`), 401, 'token_wrong_type');
  });

  it('are refused when a second cookie of the same name stands before or after them', async () => {
    const [jar, evil] = [await loginInBrowser(api), await loginInBrowser(api)];
    const [ours, planted] = [jar, evil].map((each) => each.header('access_token'));
    for (const cookie of [`${planted}; ${ours}`, `${ours}; ${planted}`, `${ours}; ${ours}`]) {
      expectError(await send('GET', '/profile', cookie), 401, 'token_invalid');
    }
    const [one, other] = [jar, evil].map((each) => each.header('refresh_token'));
    expectError(await send('POST', '/auth/refresh', `${one}; ${other}`), 401, 'token_invalid');
    // Two header lines are one list.
    const lines = [ours, planted] as unknown as string;
    expectError(await send('GET', '/profile', '').set('Cookie', lines), 401, 'token_invalid');
    for (const name of [
      'access_token',
      '__host-access_token',
      '__HOST-ACCESS_TOKEN',
      '__Secure-access_token',
    ]) {
      const cookie = `${name}=${evil.value('access_token')}; ${ours}`;
      const response = await send('GET', '/profile', cookie).expect(200);
      expect(response.body).toMatchObject({ id: jar.user.id });
    }
  });

  it('are the only location: a token in the header or the body is not accepted', async () => {
    const jar = await loginInBrowser(api);
    const token = jar.value('access_token');
    expectError(await api.request('GET', '/profile', token), 401, 'token_missing');
    for (const cookie of [`${NAMES[0]}=${token}x`, `${NAMES[0]}=${token}; ${NAMES[0]}=${token}`]) {
      const { text, headers } = await send('GET', '/profile', cookie);
      expect(text + JSON.stringify(headers)).not.toContain(token.slice(0, 40));
    }
  });

  it('a malformed Cookie header never causes a 500', async () => {
    for (const cookie of [
      ';',
      '=',
      '=;=',
      '%',
      `${NAMES[0]}=%`,
      `${NAMES[0]}=%00`,
      `${NAMES[0]}="`,
      `${NAMES[0]}=${'a'.repeat(12_000)}`,
      'a=b; '.repeat(2_000),
      '__proto__=x; constructor=y; hasOwnProperty=z',
      '\u00ff=\u00ff',
    ]) {
      const response = await send('GET', '/profile', cookie);
      expect([400, 401, 431]).toContain(response.status);
    }
  });

  describe('are cleared at logout', () => {
    it.each(['access_token', 'refresh_token'])('with the %s', async (kind) => {
      const jar = await loginInBrowser(api);
      const response = await send('POST', '/auth/logout', jar.header(kind)).expect(204);
      const gone = ['Max-Age=0', 'Expires=Thu, 01 Jan 1970 00:00:00 GMT'];
      expect(attributes(response)).toEqual({
        '__Host-access_token': ['Path=/', ...gone, 'HttpOnly', 'Secure', 'SameSite=Strict'],
        '__Host-refresh_token': ['Path=/', ...gone, 'HttpOnly', 'Secure', 'SameSite=Strict'],
        '__Host-csrf_token': ['Path=/', ...gone, 'Secure', 'SameSite=Strict'],
      });
      expect(clearsAll(response)).toBe(true);
      expectError(await send('POST', '/auth/refresh', jar.header()), 401, 'token_revoked');
    });

    it('everywhere', async () => {
      const jar = await loginInBrowser(api);
      expect(clearsAll(await send('POST', '/auth/logout-all', jar.header()).expect(204))).toBe(true);
    });

    it('also when the token is missing, expired, invalid, or of a revoked session', async () => {
      const jar = await loginInBrowser(api);
      const access = jar.value('access_token');
      const past = Math.floor(api.clock.now() / 1000);
      for (const [cookie, status] of [
        ['', 401],
        [`${NAMES[0]}=x`, 401],
        [`${NAMES[0]}=${access}x`, 401],
        [`${NAMES[0]}=${access}; ${NAMES[0]}=${access}`, 401],
        [`${NAMES[0]}=${forge(api, access, { iss: 'another' })}`, 401],
        [`${NAMES[0]}=${forge(api, access, { exp: past })}`, 204],
        [jar.header(), 204],
        [jar.header('refresh_token'), 204],
      ] as const) {
        const response = await send('POST', '/auth/logout', cookie);
        expect([response.status, clearsAll(response)]).toEqual([status, true]);
      }
    });

    it('but not by other routes, and not when the CSRF check refuses the logout', async () => {
      const jar = await loginInBrowser(api);
      const bare = api.request('POST', '/auth/logout').set('Cookie', jar.header());
      const responses = [
        await bare,
        await send('POST', '/auth/refresh', `${NAMES[1]}=x`),
        await send('GET', '/profile', ''),
        await send('POST', '/team/either', 'x=y'),
      ];
      expect(responses.map((response) => [response.status, setCookies(response).size])).toEqual([
        [403, 0],
        [401, 0],
        [401, 0],
        [401, 0],
      ]);
      await send('POST', '/auth/refresh', jar.header()).expect(200);
    });
  });

  it('are kept, as is the session, when a refresh fails because the database is unavailable', async () => {
    const jar = await loginInBrowser(api);
    const db = api.get(Database);
    const broken = jest
      .spyOn(db, 'retryOnDeadlock')
      .mockRejectedValue(new DatabaseUnavailableError(new Error('gone')));
    const failed = await send('POST', '/auth/refresh', jar.header());
    broken.mockRestore();
    expectError(failed, 503, 'database_unavailable');
    expect(setCookies(failed).size).toBe(0);
    await send('POST', '/auth/refresh', jar.header()).expect(200);
  });

  it('are replaced by a login, also when they were planted before it', async () => {
    const [evil, victim] = [await loginInBrowser(api), await api.user()];
    const { username, password } = victim;
    const response = await send('POST', '/auth/login', evil.header())
      .send({ username, password })
      .expect(200);
    const jar = new Jar(victim, response);
    const sessionsOf = async (each: Jar) =>
      (await send('GET', '/auth/sessions', each.header()).expect(200)).body as { id: string }[];
    const [own, planted] = [await sessionsOf(jar), await sessionsOf(evil)];
    for (const sessions of [own, planted]) expect(sessions).toMatchObject([{ current: true }]);
    expect(own[0]?.id).not.toBe(planted[0]?.id);
    const { body } = await send('GET', '/profile', jar.header()).expect(200);
    expect(body).toMatchObject({ id: victim.id });
  });

  it('are not set by a login or refresh that fails', async () => {
    const { username } = await api.user();
    const login = await api.request('POST', '/auth/login').send({ username, password: 'wrong-corgi' });
    expectError(login, 401, 'invalid_credentials');
    const jar = await loginInBrowser(api);
    const wrong = await send('POST', '/auth/reauthenticate', jar.header()).send({ password: 'wrong-corgi' });
    expectError(wrong, 401, 'invalid_credentials');
    expect([login, wrong].map((response) => setCookies(response).size)).toEqual([0, 0]);
  });
});

it('a refresh beyond its rate limit neither revokes the session nor clears its cookies', async () => {
  const api = await createTestApp({
    auth: { locations: { order: ['cookie'] }, cookies: { secure: true }, limits: { refresh: '1 per 1m' } },
  });
  try {
    const jar = await loginInBrowser(api);
    const send = (method: string, path: string) =>
      api.request(method, path).set(OURS).set('Cookie', jar.header());
    jar.keep(await send('POST', '/auth/refresh').expect(200));
    const refused = await send('POST', '/auth/refresh');
    expectError(refused, 429, 'rate_limited');
    expect(setCookies(refused).size).toBe(0);
    await send('GET', '/profile').expect(200);
    api.clock.advance('1m');
    await send('POST', '/auth/refresh').expect(200);
  } finally {
    await api.close();
  }
});

describe('the values that the server gives out', () => {
  let api: TestApp;
  beforeAll(async () => {
    const limits = { account: '2 per 1h' };
    api = await createTestApp({
      auth: { locations: { order: ['header', 'cookie'] }, cookies: { secure: true }, limits },
    });
  });
  afterAll(() => api.close());

  it('cannot replace each other: access token, refresh token, CSRF value, device token', async () => {
    const jar = await loginInBrowser(api);
    const given = ['access_token', 'refresh_token', 'csrf_token', 'device'].map((name) => jar.value(name));
    expect(new Set(given.filter(Boolean)).size).toBe(4);
    const [access = '', refresh = '', csrf = ''] = given;
    const others = (own: string) => given.filter((each) => each !== own);
    const codeOf = ({ body }: Response) => (body as { errorCode?: string }).errorCode;
    for (const each of others(access)) {
      const code = each === refresh ? 'token_wrong_type' : 'token_invalid';
      expect(codeOf(await api.request('GET', '/profile', each))).toBe(code);
      expect(codeOf(await api.request('GET', '/profile').set('Cookie', `${NAMES[0]}=${each}`))).toBe(code);
    }
    for (const each of others(refresh)) {
      const code = each === access ? 'token_wrong_type' : 'token_invalid';
      expect(codeOf(await api.request('POST', '/auth/refresh', each))).toBe(code);
    }
    for (const each of others(csrf)) {
      const forged = `${NAMES[1]}=${refresh}; ${NAMES[2]}=${each}`;
      const refused = api.request('POST', '/auth/refresh').set('Cookie', forged).set('X-CSRF-Token', each);
      expectError(await refused, 403, 'csrf_failed');
    }
    const cookie = `${NAMES[1]}=${refresh}`;
    await api.request('POST', '/auth/refresh').set('Cookie', cookie).set('X-CSRF-Token', csrf).expect(200);
  });

  it('only the device token identifies a known device', async () => {
    const jar = await loginInBrowser(api);
    const { username, password } = jar.user;
    const login = (device: string, secret = password) =>
      api.request('POST', '/auth/login').set('X-Device-Token', device).send({ username, password: secret });
    for (let i = 0; i < 2; i++) expectError(await login('', 'wrong'), 401, 'invalid_credentials');
    for (const name of ['access_token', 'refresh_token', 'csrf_token'])
      expectError(await login(jar.value(name)), 429, 'rate_limited');
    await login(jar.value('device')).expect(200);
  });
});

describe('names, paths and attributes of the cookies', () => {
  /** The attributes of a login's cookies, and of those that its logout takes back. */
  async function withOptions(auth: Partial<AuthModuleOptions>) {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const api = await createTestApp({ auth: { locations: { order: ['cookie'] }, ...auth } });
    const warnings = warn.mock.calls.map(([message]) => String(message));
    warn.mockRestore();
    try {
      const { username, password } = await api.user();
      const login = await api.request('POST', '/auth/login').send({ username, password }).expect(200);
      const cookie = new Jar({} as Jar['user'], login).header();
      const logout = await api.request('POST', '/auth/logout').set(OURS).set('Cookie', cookie).expect(204);
      return { login, set: attributes(login), cleared: attributes(logout), warnings };
    } finally {
      await api.close();
    }
  }

  const withoutAge = (all: Record<string, string[]>) =>
    Object.fromEntries(
      Object.entries(all).map(([name, list]) => [
        name,
        list.filter((each) => !/^(Max-Age|Expires)=/.test(each)),
      ]),
    );

  it('are those that the application configures, when cookies are set and when they are cleared', async () => {
    const { set, cleared, warnings } = await withOptions({
      cookies: {
        accessName: 'at',
        refreshName: '__Secure-rt',
        deviceName: 'dt',
        accessPath: '/api',
        refreshPath: '/auth',
        domain: 'example.com',
        secure: true,
        sameSite: 'none',
        partitioned: true,
      },
      csrf: { cookieName: 'ct' },
    });
    const shared = ['Domain=example.com', 'Secure', 'Partitioned', 'SameSite=None'];
    const expected = {
      at: ['Path=/api', 'Domain=example.com', 'HttpOnly', ...shared.slice(1)],
      '__Secure-rt': ['Path=/auth', 'Domain=example.com', 'HttpOnly', ...shared.slice(1)],
      ct: ['Path=/', ...shared],
    };
    expect(withoutAge(set)).toEqual({
      ...expected,
      dt: ['Path=/', 'Domain=example.com', 'HttpOnly', ...shared.slice(1)],
    });
    expect(withoutAge(cleared)).toEqual(expected);
    expect(warnings.filter((text) => text.includes('cookies.secure'))).toEqual([]);
  });

  it('have no Max-Age when they are configured as session cookies of the browser', async () => {
    const { set, cleared } = await withOptions({ cookies: { secure: true, persistent: false } });
    expect(Object.values(set).flat().join()).not.toMatch(/Max-Age|Expires/);
    expect(Object.values(cleared).every((list) => list.includes('Max-Age=0'))).toBe(true);
  });

  it('lose the default prefix without Secure, with a warning; configured names stay', async () => {
    const { set, warnings } = await withOptions({
      cookies: { secure: false, sameSite: 'lax', accessName: 'mine' },
    });
    expect(withoutAge(set)).toEqual({
      mine: ['Path=/', 'HttpOnly', 'SameSite=Lax'],
      refresh_token: ['Path=/', 'HttpOnly', 'SameSite=Lax'],
      csrf_token: ['Path=/', 'SameSite=Lax'],
      device: ['Path=/', 'HttpOnly', 'SameSite=Lax'],
    });
    expect(warnings.filter((text) => text.includes('cookies.secure is off'))).toHaveLength(1);
  });

  it.each<[AuthModuleOptions['locations'], boolean, number]>([
    [{ order: ['cookie', 'header'] }, true, 4],
    [{ order: ['body', 'cookie'] }, true, 4],
    [{ order: ['cookie', 'query'] }, false, 4],
  ])('are set beside tokens in the body when a client needs both: %j', async (locations, inBody, cookies) => {
    const { login, set } = await withOptions({ locations, cookies: { secure: true } });
    expect([
      Object.hasOwn(login.body as object, 'access_token'),
      Object.hasOwn(login.body as object, 'refresh_token'),
    ]).toEqual([inBody, inBody]);
    expect(Object.keys(set)).toHaveLength(cookies);
  });

  it('are neither set nor cleared when cookies are not a location', async () => {
    const api = await createTestApp({
      auth: { locations: { order: ['header', 'query', 'body'] } },
    });
    try {
      const { username, password } = await api.user();
      const login = await api.request('POST', '/auth/login').send({ username, password }).expect(200);
      // And there is no CSRF check.
      const foreign = { 'Sec-Fetch-Site': 'cross-site' };
      await api.request('POST', '/auth/login').set(foreign).send({ username, password }).expect(200);
      const { access_token: token } = login.body as { access_token: string };
      const out = await api.request('POST', '/auth/logout', token).expect(204);
      const none = await api.request('POST', '/auth/logout').set(foreign).expect(401);
      expect([login, out, none].map((response) => setCookies(response).size)).toEqual([0, 0, 0]);
    } finally {
      await api.close();
    }
  });
});

describe('a domain for the cookies', () => {
  const resolve = (domain: string) =>
    resolveOptions({
      keys: generateKeySet(),
      cookies: { domain, accessName: 'a', refreshName: 'r', deviceName: 'd' },
      csrf: { cookieName: 'c' },
    });

  it.each(['example.com', 'localhost', 'a-b.example.com', 'xn--bcher-kva.example'])('may be %s', (domain) => {
    expect(resolve(domain).cookies.domain).toBe(domain);
  });

  it.each([
    '-example.com',
    'example-.com',
    `${'a'.repeat(64)}.com`,
    '.',
    '',
    'a..b',
    'a b',
    'a;b',
    'https://a',
  ])('stops the start when no cookie could be set with it: "%s"', (domain) => {
    expect(() => resolve(domain)).toThrow(/cookies\.domain/);
  });
});
