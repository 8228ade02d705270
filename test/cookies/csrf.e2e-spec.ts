import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Response, type Test } from 'supertest';
import {
  Access,
  CurrentUser,
  FreshAccess,
  OptionalAccess,
  type Principal,
  Public,
  Unvalidated,
} from '../../src/auth/index.js';
import { listRoutes } from '../../src/auth/internals.js';
import { generateKey, generateKeySet } from '../../src/keys/key-file.js';
import { type PrivateJwk } from '../../src/keys/key-ring.js';
import { clearsAll, type Jar, loginInBrowser, setCookies } from '../support/browser.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { dump } from '../support/dump.js';
import { expectError } from '../support/expect-error.js';
import { portOf, sendRaw } from '../support/raw-http.js';
import { forge } from '../support/token-kinds.js';
import { TestClock } from '../../src/testing/index.js';

const APP = 'https://app.example.com';
const EVIL = 'https://evil.example';
/** What the browser says of a page of ours, of another site's, and of one of our sub-domains. */
const OURS = { 'Sec-Fetch-Site': 'same-origin' };
const FOREIGN: Record<string, string>[] = [
  { 'Sec-Fetch-Site': 'cross-site' },
  { 'Sec-Fetch-Site': 'cross-site', Origin: EVIL },
  { 'Sec-Fetch-Site': 'same-site', Origin: `https://sub.example.com` },
  { Origin: EVIL },
  { Origin: 'null' },
];

const headerSets = (sets: Record<string, string>[]) => sets;

let acted = 0;

@Controller('team')
class TeamController {
  @Post('act')
  act(@CurrentUser() user: Principal): object {
    acted++;
    return { user: user.userId };
  }

  @FreshAccess({ once: true })
  @HttpCode(200)
  @Post('once')
  once(@Body(Unvalidated) body: { n?: number }): object {
    acted++;
    return body;
  }

  @OptionalAccess()
  @Post('optional')
  optional(@CurrentUser() user: Principal | null): object {
    return { user: user?.userId ?? null };
  }

  @Access({ locations: ['header'] })
  @Post('header')
  header(): object {
    return {};
  }

  @Public()
  @Post('public')
  public(): object {
    return {};
  }

  @Get('read')
  read(): object {
    return {};
  }
}

describe('with tokens in cookies, a request', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      controllers: [TeamController],
      env: { TOKEN_LOCATIONS: 'cookie', CORS_ORIGINS: `${APP}, http://localhost:5173` },
      auth: { cookies: { secure: true } },
    });
  });
  afterAll(() => api.close());

  const send = (method: string, path: string, jar: Jar, headers: Record<string, string> = {}): Test =>
    api.request(method, path).set('Cookie', jar.header()).set(headers);
  const csrf = (jar: Jar) => ({ 'X-CSRF-Token': jar.value('csrf_token') });

  /** Expects that the tokens in the jar are still the live ones, and not accepted by the grace alone. */
  async function expectUntouched(jar: Jar): Promise<void> {
    api.clock.advance('11s');
    await send('GET', '/profile', jar).expect(200);
    jar.keep(await send('POST', '/auth/refresh', jar, OURS).expect(200));
  }

  function expectRefused(response: Response): string {
    expect(setCookies(response).size).toBe(0);
    return expectError(response, 403, 'csrf_failed');
  }

  it('from our own page or a trusted origin needs no CSRF token', async () => {
    const jar = await loginInBrowser(api);
    const { port } = api.app.getHttpServer().address() as { port: number };
    for (const headers of headerSets([
      OURS,
      { 'Sec-Fetch-Site': 'none' },
      { Origin: `http://127.0.0.1:${port}` },
      { Origin: APP },
      { Origin: APP, 'Sec-Fetch-Site': 'cross-site' },
      { Origin: 'http://localhost:5173', 'Sec-Fetch-Site': 'same-site' },
    ])) {
      await send('POST', '/team/act', jar, headers).expect(201);
    }
  });

  it('from another page is refused even with the CSRF token, and the handler never runs', async () => {
    const jar = await loginInBrowser(api);
    const before = acted;
    for (const headers of FOREIGN) {
      for (const more of headerSets([
        {},
        csrf(jar),
        { 'X-HTTP-Method-Override': 'GET' },
        { 'X-Requested-With': 'x' },
      ])) {
        expectRefused(await send('POST', '/team/act', jar, { ...headers, ...more }));
      }
    }
    expect(acted).toBe(before);
  });

  it('without Origin and Sec-Fetch-Site must repeat the CSRF cookie in the header; the refusal says how', async () => {
    const jar = await loginInBrowser(api);
    const message = expectRefused(await send('POST', '/team/act', jar));
    expect(message).toContain('X-CSRF-Token');
    expect(message).toContain('__Host-csrf_token');
    await send('POST', '/team/act', jar, csrf(jar)).expect(201);
    // The value in the cookie counts for nothing: a sub-domain may have planted it.
    const alone = api.request('POST', '/team/act').set('Cookie', jar.header('access_token'));
    await alone.set(csrf(jar)).expect(201);
  });

  it('is refused with a CSRF token of another session', async () => {
    const [jar, other] = [await loginInBrowser(api), await loginInBrowser(api)];
    const again = await loginInBrowser(api);
    const value = jar.value('csrf_token');
    for (const wrong of [
      other.value('csrf_token'),
      again.value('csrf_token'),
      value.slice(0, -1),
      `${value}A`,
      value.toUpperCase(),
      value.split('.')[1]!,
      `${value.split('.')[0]}.`,
      'x',
      '\u00e4',
      'null',
      'undefined',
      'true',
      'A'.repeat(4_000),
      jar.value('access_token'),
    ]) {
      const planted = `${jar.header('access_token')}; __Host-csrf_token=${encodeURIComponent(wrong)}`;
      const request = api.request('POST', '/team/act').set('Cookie', planted).set('X-CSRF-Token', wrong);
      expectRefused(await request);
    }
    const twice = send('POST', '/team/act', jar).set('X-CSRF-Token', [value, value] as unknown as string);
    expectRefused(await twice);
  });

  it('is refused with a CSRF token that is not ASCII or only a dot, and changes nothing', async () => {
    const jar = await loginInBrowser(api);
    for (const value of [Buffer.of(0xe9, 0xff, 0x80), Buffer.from('€'), Buffer.from('x.é'), '.', '']) {
      const headers = [
        ['Cookie', jar.header('access_token')],
        ['X-CSRF-Token', value],
      ] as const;
      const { status, body } = await sendRaw(portOf(api.app), {
        method: 'POST',
        path: '/auth/logout-all',
        headers,
      });
      expect([status, body?.['errorCode']]).toEqual([403, 'csrf_failed']);
    }
    await expectUntouched(jar);
  });

  it('gets token_expired for an expired token, whether or not the CSRF token is right', async () => {
    const jar = await loginInBrowser(api);
    const exp = api.clock.now() / 1000;
    const show = (token: string) => {
      const request = api.request('POST', '/auth/logout-all').set('X-CSRF-Token', 'wrong');
      return request.set('Cookie', `__Host-access_token=${token}`);
    };
    const access = jar.value('access_token');
    expectError(await show(forge(api, access, { exp })), 401, 'token_expired');
    expectError(await show(forge(api, access, { exp, aud: 'another-api' })), 401, 'token_invalid');
    expectRefused(await show(access));
    // Nor does the refresh that follows an expired token come without the value.
    expectRefused(await send('POST', '/auth/refresh', jar, { 'X-CSRF-Token': 'wrong' }));
  });

  it('may use a CSRF token from before a rotation of the tokens', async () => {
    const jar = await loginInBrowser(api);
    const first = csrf(jar);
    jar.keep(await send('POST', '/auth/refresh', jar, first).expect(200));
    expect(csrf(jar)).toEqual(first);
    const { password } = jar.user;
    jar.keep(await send('POST', '/auth/reauthenticate', jar, first).send({ password }).expect(200));
    await send('POST', '/team/act', jar, first).expect(201);
  });

  it('needs no CSRF token when it only reads', async () => {
    const jar = await loginInBrowser(api);
    for (const headers of [{}, ...FOREIGN]) {
      await send('GET', '/team/read', jar, headers).expect(200);
      await send('HEAD', '/team/read', jar, headers).expect(200);
    }
    // Nothing that changes anything answers to these.
    for (const path of ['/auth/logout', '/auth/refresh', '/auth/logout-all', '/auth/login']) {
      for (const method of ['GET', 'HEAD']) {
        const response = await send(method, path, jar, { 'X-HTTP-Method-Override': 'POST' });
        expect([response.status, setCookies(response).size]).toEqual([404, 0]);
        await send(method, `${path}?_method=POST`, jar).expect(404);
      }
    }
    await expectUntouched(jar);
  });

  it('needs no CSRF token when no cookie is sent, or the route does not read it', async () => {
    const jar = await loginInBrowser(api);
    await send('POST', '/team/public', jar, FOREIGN[0]).expect(201);
    expectError(await send('POST', '/team/header', jar, FOREIGN[0]), 401, 'token_missing');
    const anonymous = await api.request('POST', '/team/optional').set(FOREIGN[0]!).expect(201);
    expect(anonymous.body).toEqual({ user: null });
    expectRefused(await send('POST', '/team/optional', jar, FOREIGN[0]));
  });

  it('with a token in the header needs no CSRF token', async () => {
    const jar = await loginInBrowser(api);
    const token = jar.value('access_token');
    await api.request('POST', '/team/header', token).expect(201);
    await api.request('POST', '/team/header', token).set(FOREIGN[0]!).expect(201);
  });

  it.each([
    ['POST', '/auth/refresh', {}],
    ['POST', '/auth/reauthenticate', { password: 'space-corgi' }],
    ['PUT', '/auth/password', { current_password: 'space-corgi', new_password: 'another-corgi' }],
    ['POST', '/auth/logout', {}],
    ['POST', '/auth/logout-all', {}],
    ['DELETE', '/profile', {}],
  ])('%s %s that is refused changes nothing', async (method, path, body) => {
    const jar = await loginInBrowser(api);
    for (const headers of [{}, { 'X-CSRF-Token': 'x' }, ...FOREIGN]) {
      expectRefused(await send(method, path, jar, headers).send(body));
    }
    await expectUntouched(jar);
    const { username, password } = jar.user;
    await api.request('POST', '/auth/login').send({ username, password }).expect(200);
  });

  it.each([...FOREIGN, { 'Sec-Fetch-Site': 'cross-site', 'X-HTTP-Method-Override': 'GET' }])(
    'from a page with %j changes nothing with a visitor’s cookies on any route, and does not log the visitor in or out',
    async (headers) => {
      const jar = await loginInBrowser(api);
      const { id, username, password } = jar.user;
      const changing = listRoutes(api.app).filter(
        ({ method, path, policy }) =>
          method !== 'GET' && policy.level !== 'public' && !path.startsWith('/team/'),
      );
      expect(changing.map(({ path }) => path)).toEqual(
        expect.arrayContaining(['/auth/logout', '/auth/refresh']),
      );
      const before = await dump(api);
      for (const { method, path } of changing) {
        const url = path.replace(':id', id);
        const refused = await send(method, url, jar, headers);
        expect([url, refused.body.errorCode, refused.status]).toEqual([url, 'csrf_failed', 403]);
        // A request that names no origin is refused too.
        expectRefused(await send(method, url, jar));
      }
      expectRefused(await api.request('POST', '/auth/login').set(headers).send({ username, password }));
      expect(await dump(api)).toEqual(before);
      await expectUntouched(jar);
    },
  );

  it('that is refused does not use up a fresh token; one that succeeds does', async () => {
    const jar = await loginInBrowser(api);
    for (const headers of [{}, ...FOREIGN]) {
      expectRefused(await send('POST', '/team/once', jar, headers).send({ n: 1 }));
    }
    await send('POST', '/team/once', jar, OURS).send({ n: 1 }).expect(200);
    expectError(await send('POST', '/team/once', jar, OURS).send({ n: 1 }), 401, 'fresh_token_required');
  });

  it('changes the password with cookies, and gets new cookies', async () => {
    const [jar, elsewhere] = [await loginInBrowser(api), await loginInBrowser(api)];
    const body = { current_password: 'space-corgi', new_password: 'another-corgi' };
    const wrong = { ...csrf(elsewhere) };
    expectRefused(await send('PUT', '/auth/password', jar, wrong).send(body));
    const response = await send('PUT', '/auth/password', jar, csrf(jar)).send(body).expect(200);
    expect([...setCookies(response).keys()]).toEqual([
      '__Host-access_token',
      '__Host-refresh_token',
      '__Host-csrf_token',
    ]);
    expect(response.body).not.toHaveProperty('access_token');
    await expectUntouched(jar.keep(response));
  });

  describe('that logs in', () => {
    it('is accepted from our own page, a trusted origin, or without Origin and Sec-Fetch-Site', async () => {
      const { username, password } = await api.user();
      for (const headers of [{}, OURS, { Origin: APP }]) {
        const response = await api.request('POST', '/auth/login').set(headers).send({ username, password });
        expect([response.status, setCookies(response).size]).toEqual([200, 4]);
      }
    });

    it('is refused from another page, with any content type, before the password is checked', async () => {
      const { username, password } = await api.user();
      for (const headers of FOREIGN) {
        expectRefused(await api.request('POST', '/auth/login').set(headers).send({ username, password }));
        expectRefused(
          await api.request('POST', '/auth/login').set(headers).send({ username, password: 'x' }),
        );
      }
      const text = JSON.stringify({ username, password });
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'text/plain; x=application/json',
      ]) {
        for (const headers of [{}, ...FOREIGN]) {
          const response = await api.request('POST', '/auth/login').set(headers).type(type).send(text);
          expect([400, 403, 415]).toContain(response.status);
          expect(setCookies(response).size).toBe(0);
        }
      }
    });
  });

  describe('that logs out', () => {
    it('is refused from another page: the session and its cookies stay', async () => {
      const jar = await loginInBrowser(api);
      for (const headers of FOREIGN) {
        // SameSite keeps the cookies from such a request, so it comes without; the browser still obeys the answer.
        expectRefused(await api.request('POST', '/auth/logout').set(headers));
        const bad = api.request('POST', '/auth/logout').set('Cookie', '__Host-access_token=x');
        expectRefused(await bad.set(headers));
      }
      await expectUntouched(jar);
    });

    it('is accepted without Origin and Sec-Fetch-Site when it has no token', async () => {
      const response = await api.request('POST', '/auth/logout');
      expectError(response, 401, 'token_missing');
      expect(clearsAll(response)).toBe(true);
    });
  });

  describe('of a page of another origin', () => {
    const preflight = (origin: string, method = 'POST') =>
      api.request('OPTIONS', '/auth/refresh').set({
        Origin: origin,
        'Access-Control-Request-Method': method,
        'Access-Control-Request-Headers': 'content-type,x-csrf-token',
      });

    it.each([APP, 'http://localhost:5173'])(
      'is allowed with credentials if its origin is listed: %s',
      async (origin) => {
        const { headers } = await preflight(origin).expect(204);
        expect(headers).toMatchObject({
          'access-control-allow-origin': origin,
          'access-control-allow-credentials': 'true',
          'access-control-allow-methods': expect.stringContaining('POST'),
          'access-control-allow-headers': expect.stringMatching(/x-csrf-token/i),
        });
        expect(headers['vary']).toMatch(/origin/i);
        const answer = await api.request('GET', '/health/live').set('Origin', origin).expect(200);
        expect(answer.headers).toMatchObject({
          'access-control-allow-origin': origin,
          'access-control-allow-credentials': 'true',
        });
      },
    );

    it.each([
      EVIL,
      'null',
      'http://app.example.com',
      `${APP}:444`,
      `${APP}.evil.example`,
      'https://APP.example.com',
    ])('is not allowed if its origin is not listed: %s', async (origin) => {
      const { headers } = await preflight(origin);
      expect(headers['access-control-allow-origin']).toBeUndefined();
      const answer = await api.request('GET', '/health/live').set('Origin', origin);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    });

    it('can read the reason of a refusal if its origin is listed', async () => {
      const response = await api.request('POST', '/auth/refresh').set('Origin', APP);
      expectError(response, 401, 'token_missing');
      expect(response.headers['access-control-allow-origin']).toBe(APP);
    });
  });
});

describe('tokens in query or cookies', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      auth: { locations: { order: ['query', 'header', 'cookie'] }, cookies: { secure: true } },
    });
  });
  afterAll(() => api.close());

  it('do not let another page log its visitor in or out with tokens of its own', async () => {
    const { access, refresh } = await api.login();
    for (const headers of FOREIGN) {
      for (const path of [`/auth/refresh?refresh_token=${refresh}`, `/auth/logout?access_token=${access}`]) {
        const response = await api.request('POST', path).set(headers);
        expectError(response, 403, 'csrf_failed');
        expect(setCookies(response).size).toBe(0);
      }
    }
    await api.request('GET', `/profile?access_token=${access}`).expect(200);
    expect(clearsAll(await api.request('POST', '/auth/logout', access).expect(204))).toBe(true);
  });
});

describe('the CSRF value and the key ring', () => {
  it('stays valid over a key rotation, until the key that made it is removed', async () => {
    const clock = new TestClock();
    const { keys } = generateKeySet();
    const seconds = (after: number) => Math.floor(clock.now() / 1000) + after;
    const old: PrivateJwk = { ...keys[1]!, verifies_until: seconds(600) };
    const next: PrivateJwk = { ...generateKey('refresh', 'HS256'), kid: 'next:1', signs_from: seconds(60) };
    const api = await createTestApp({
      clock,
      auth: {
        keys: { keys: [keys[0]!, old, next] },
        locations: { order: ['cookie'] },
        cookies: { secure: true },
      },
    });
    try {
      const jar = await loginInBrowser(api);
      const before = jar.value('csrf_token');
      const refresh = (value: string) =>
        api.request('POST', '/auth/refresh').set('Cookie', jar.header()).set('X-CSRF-Token', value);
      clock.advance('2m');
      jar.keep(await refresh(before).expect(200));
      expect(jar.value('csrf_token')).not.toBe(before);
      jar.keep(await refresh(before).expect(200));
      clock.advance('9m');
      expectError(await refresh(before), 403, 'csrf_failed');
      await refresh(jar.value('csrf_token')).expect(200);
    } finally {
      await api.close();
    }
  });
});

describe('methods, header and cookie of the CSRF check', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      controllers: [TeamController],
      auth: {
        locations: { order: ['cookie'] },
        cookies: { secure: true },
        csrf: { methods: ['GET', 'post'], headerName: 'X-My-Proof', cookieName: 'my-proof' },
      },
    });
  });
  afterAll(() => api.close());

  it('are those that the application names', async () => {
    const jar = await loginInBrowser(api);
    const value = jar.value('my-proof');
    const send = (method: string, path: string) => api.request(method, path).set('Cookie', jar.header());
    const message = expectError(await send('GET', '/team/read'), 403, 'csrf_failed');
    expect(message).toBe('Send the header X-My-Proof with the value of the cookie my-proof');
    await send('GET', '/team/read').set('X-My-Proof', value).expect(200);
    expectError(await send('POST', '/team/act').set('X-CSRF-Token', value), 403, 'csrf_failed');
    await send('DELETE', '/profile').expect(204);
  });
});
