import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { launch } from '../support/server-process.js';
import { portOf, sendRaw } from '../support/raw-http.js';
import { auditOf, BEHIND_PROXY, expectLimited, fail, login } from './strangers.js';

const limits = { accountAndAddress: '2 per 1h' };

/** The address under which a login with these headers is written down. */
async function seenAs(api: TestApp, forwarded: string | string[]): Promise<string | null | undefined> {
  await api
    .request('POST', '/auth/login')
    .set('X-Forwarded-For', forwarded as string)
    .send({ username: 'nobody', password: 'wrong-password' });
  return (await auditOf(api, 'authn_login_fail')).at(-1)?.ip;
}

/** The same with any headers, repeated ones too, each as a line of its own. */
async function seenWith(api: TestApp, headers: [string, string][]): Promise<string | null | undefined> {
  await sendRaw(portOf(api.app), {
    method: 'POST',
    path: '/auth/login',
    headers: [['Content-Type', 'application/json'], ...headers],
    body: JSON.stringify({ username: 'nobody', password: 'wrong-password' }),
  });
  return (await auditOf(api, 'authn_login_fail')).at(-1)?.ip;
}

/** Headers by which others tell an address, and which are nothing here. */
const OTHER_HEADERS = [
  'Forwarded',
  'X-Real-IP',
  'X-Client-IP',
  'True-Client-IP',
  'CF-Connecting-IP',
  'X-Cluster-Client-IP',
  'X_Forwarded_For',
  'X-Forwarded-For-Original',
].map((name): [string, string] => [name, name === 'Forwarded' ? 'for=192.0.2.9' : '192.0.2.9']);

describe('the address of a client, with no proxy that is trusted', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ auth: { limits } });
  });
  afterAll(() => api.close());

  it.each(['192.0.2.1', '192.0.2.1, 127.0.0.1', '::1', 'junk'])(
    'is that of the socket, whatever X-Forwarded-For says: %s',
    async (forwarded) => {
      expect(await seenAs(api, forwarded)).toBe('127.0.0.1');
    },
  );

  it('is read from no other header', async () => {
    expect(await seenWith(api, OTHER_HEADERS)).toBe('127.0.0.1');
  });

  it('cannot be changed to evade a limit', async () => {
    const { username, password } = await api.user();
    await fail(api, username, 2);
    expectLimited(await login(api, username, password), 'account-and-address', 2, 3600);
  });
});

describe('the address of a client, behind trusted proxies', () => {
  let api: TestApp;
  beforeAll(async () => {
    const env = { TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8, fd00::/8' };
    api = await createTestApp({ env });
  });
  afterAll(() => api.close());

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1, 10.1.2.3', '192.0.2.1'],
    ['192.0.2.1, fd00::1, 10.1.2.3', '192.0.2.1'],
    ['192.0.2.1,10.1.2.3', '192.0.2.1'],
    // Addresses that the client sent itself are left of the one that our first proxy has seen.
    ['203.0.113.9, 192.0.2.1', '192.0.2.1'],
    ['10.9.9.9, 192.0.2.1, 10.1.2.3', '192.0.2.1'],
    ['junk, 192.0.2.1, 10.1.2.3', '192.0.2.1'],
    ['127.0.0.1, 192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:4711', '192.0.2.1'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    // Proxies of ours that write their port too.
    ['192.0.2.1, 10.1.2.3:5678', '192.0.2.1'],
    ['192.0.2.1:4711, [fd00::1]:80, 10.1.2.3:5678', '192.0.2.1'],
    ['192.0.2.1, ::ffff:10.1.2.3', '192.0.2.1'],
    ['10.1.2.3:5678', '10.1.2.3'],
    ['2001:DB8:0::1', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    // The list has proxies only: the farthest one is the client.
    ['10.1.2.3', '10.1.2.3'],
    ['10.1.2.4, 10.1.2.3', '10.1.2.4'],
    // No address where one is expected: the address of the connection is used.
    ['junk', '127.0.0.1'],
    ['192.0.2.1, junk', '127.0.0.1'],
    ['192.0.2.1, unknown, 10.1.2.3', '127.0.0.1'],
    ['', '127.0.0.1'],
    ['x'.repeat(4000), '127.0.0.1'],
  ])('with X-Forwarded-For: %s is %s', async (forwarded, address) => {
    expect(await seenAs(api, forwarded)).toBe(address);
  });
});

describe('what a client adds to the headers of its proxy', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ env: BEHIND_PROXY });
  });
  afterAll(() => api.close());

  it.each<[string, [string, string][]]>([
    ['a line before', [['X-Forwarded-For', '192.0.2.9'], ['X-Forwarded-For', '192.0.2.66']]],
    ['many lines before', [...Array.from({ length: 50 }, (): [string, string] => ['X-Forwarded-For', '192.0.2.9']), ['x-forwarded-for', '192.0.2.66']]],
    ['an empty line before', [['X-Forwarded-For', ''], ['X-Forwarded-For', '192.0.2.66']]],
    ['a list with a comma at its end', [['X-Forwarded-For', '192.0.2.9,, , 192.0.2.66']]],
    ['a quote that is never closed', [['X-Forwarded-For', '"192.0.2.9, 192.0.2.66']]],
    ['a bracket that is never closed', [['X-Forwarded-For', '[2001:db8::9, 192.0.2.66']]],
    ['the proxy’s own address', [['X-Forwarded-For', '127.0.0.1, ::1, 192.0.2.66']]],
    ['headers of other proxies', [...OTHER_HEADERS, ['X-Forwarded-For', '192.0.2.66']]],
  ])('does not change the address: %s', async (_, headers) => {
    expect(await seenWith(api, headers)).toBe('192.0.2.66');
  }); // prettier-ignore
});

describe('a client behind a trusted proxy', () => {
  it('neither evades its limit nor uses up that of another', async () => {
    const api = await createTestApp({ env: BEHIND_PROXY, auth: { limits } });
    try {
      const { username, password } = await api.user();
      // What the proxy appends is the last one.
      const forge = (claimed: string) => ({ address: `${claimed}, 192.0.2.66` });
      await fail(api, username, 1, forge('192.0.2.1'));
      await fail(api, username, 1, forge('192.0.2.2'));
      expectLimited(await login(api, username, password, forge('192.0.2.3')), 'account-and-address', 2, 3600);
      for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
        expect((await login(api, username, password, { address })).status).toBe(200);
    } finally {
      await api.close();
    }
  });

  it('is not counted where TRUSTED_PROXIES is wrong: the start stops, and names it', async () => {
    const server = launch({ env: { TRUSTED_PROXIES: '10.0.0.0/8,loopback' } });
    server.listening.catch(() => {});
    expect(await server.exit).toEqual({ code: 1, signal: null });
    expect(server.errors).toContain('TRUSTED_PROXIES: "loopback" is not a valid address');
  });
});

const ofAccount = { account: '2 per 1h' };

describe('a known device in a browser', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      env: { CORS_ORIGINS: 'https://app.example' },
      auth: { limits: ofAccount, locations: { order: ['cookie'] }, cookies: { secure: true } },
    });
  });
  afterAll(() => api.close());

  const logIn = (username: string, password: string, cookie: string) =>
    api.request('POST', '/auth/login').set('Cookie', cookie).send({ username, password });
  const cookieOf = (headers: Record<string, unknown>) =>
    ((headers['set-cookie'] ?? []) as string[]).find((line) => line.startsWith('__Host-device='));

  it('is known by a cookie, which no script can read, and which outlives the logout', async () => {
    const { username, password } = await api.user();
    const { headers } = await logIn(username, password, 'a=b').expect(200);
    const [pair = '', ...attributes] = cookieOf(headers)?.split('; ') ?? [];
    expect(attributes).toEqual(['Path=/', 'Max-Age=34560000', 'HttpOnly', 'Secure', 'SameSite=Strict']);
    expect(headers).not.toHaveProperty('x-device-token');

    const jar = (headers['set-cookie'] as unknown as string[]).map((line) => line.split(';')[0]).join('; ');
    const out = await api
      .request('POST', '/auth/logout')
      .set('Cookie', jar)
      .set('Sec-Fetch-Site', 'same-origin')
      .expect(204);
    expect(cookieOf(out.headers)).toBeUndefined();

    await fail(api, username, 2);
    expectLimited(await logIn(username, password, 'a=b'), 'account', 2, 3600);
    // Another one of the name, planted by a sub-domain, takes nothing away.
    const again = await logIn(username, password, `__Host-device=planted; ${pair}`).expect(200);
    expect(cookieOf(again.headers)).not.toContain(pair);
  });

  it('gets its cookie only at a successful login', async () => {
    const { username, password } = await api.user();
    const { headers } = await logIn(username, password, 'a=b').expect(200);
    const jar = (headers['set-cookie'] as unknown as string[]).map((line) => line.split(';')[0]).join('; ');
    const refreshed = await api
      .request('POST', '/auth/refresh')
      .set('Cookie', jar)
      .set('Sec-Fetch-Site', 'same-origin')
      .expect(200);
    expect(cookieOf(refreshed.headers)).toBeUndefined();
    expect(cookieOf((await logIn(username, 'wrong-password', jar)).headers)).toBeUndefined();
  });
});

describe('a known device elsewhere', () => {
  it('is known by a header, which pages of other origins may read, and no cookie counts', async () => {
    const api = await createTestApp({
      env: { CORS_ORIGINS: 'https://app.example' },
      auth: { limits: ofAccount },
    });
    try {
      const { username, password } = await api.user();
      const body = { username, password };
      const { headers } = await api
        .request('POST', '/auth/login')
        .set('Origin', 'https://app.example')
        .send(body)
        .expect(200);
      expect(headers['access-control-expose-headers']).toContain('X-Device-Token');
      expect(headers).not.toHaveProperty('set-cookie');
      const device = String(headers['x-device-token']);
      await fail(api, username, 2);
      const logIn = () => api.request('POST', '/auth/login').send(body);
      expectLimited(await logIn().set('Cookie', `device=${device}`), 'account', 2, 3600);
      await logIn().set('X-Device-Token', device).expect(200);
    } finally {
      await api.close();
    }
  });
});
