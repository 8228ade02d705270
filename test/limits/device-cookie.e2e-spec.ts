import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectLimited, fail } from './strangers.js';

const limits = { account: '2 per 1h' };

describe('a known device in a browser', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      env: { CORS_ORIGINS: 'https://app.example' },
      auth: { limits, locations: { order: ['cookie'] }, cookies: { secure: true } },
    });
  });
  afterAll(() => api.close());

  const login = (username: string, password: string, cookie: string) =>
    api.request('POST', '/auth/login').set('Cookie', cookie).send({ username, password });
  const cookieOf = (headers: Record<string, unknown>) =>
    ((headers['set-cookie'] ?? []) as string[]).find((line) => line.startsWith('__Host-device='));

  it('is known by a cookie, which no script can read, and which outlives the logout', async () => {
    const { username, password } = await api.user();
    const { headers } = await login(username, password, 'a=b').expect(200);
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
    expectLimited(await login(username, password, 'a=b'), 'account', 2, 3600);
    // Another one of the name, planted by a sub-domain, takes nothing away.
    const again = await login(username, password, `__Host-device=planted; ${pair}`).expect(200);
    expect(cookieOf(again.headers)).not.toContain(pair);
  });

  it('gets its cookie only at a successful login', async () => {
    const { username, password } = await api.user();
    const { headers } = await login(username, password, 'a=b').expect(200);
    const jar = (headers['set-cookie'] as unknown as string[]).map((line) => line.split(';')[0]).join('; ');
    const refreshed = await api
      .request('POST', '/auth/refresh')
      .set('Cookie', jar)
      .set('Sec-Fetch-Site', 'same-origin')
      .expect(200);
    expect(cookieOf(refreshed.headers)).toBeUndefined();
    expect(cookieOf((await login(username, 'wrong-password', jar)).headers)).toBeUndefined();
  });
});

describe('a known device elsewhere', () => {
  it('is known by a header, which pages of other origins may read, and no cookie counts', async () => {
    const api = await createTestApp({
      env: { CORS_ORIGINS: 'https://app.example' },
      auth: { limits },
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
      const login = () => api.request('POST', '/auth/login').send(body);
      expectLimited(await login().set('Cookie', `device=${device}`), 'account', 2, 3600);
      await login().set('X-Device-Token', device).expect(200);
    } finally {
      await api.close();
    }
  });
});
