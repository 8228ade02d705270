import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Response } from 'supertest';
import { describeEachAdapter } from '../support/adapters.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';

/** Name → value and attributes of every cookie that an answer sets. */
function setCookies(response: Response): Map<string, { value: string; attributes: string[] }> {
  const headers = (response.headers['set-cookie'] ?? []) as unknown as string[];
  return new Map(
    headers.map((header) => {
      const [pair = '', ...attributes] = header.split('; ');
      const at = pair.indexOf('=');
      return [pair.slice(0, at), { value: decodeURIComponent(pair.slice(at + 1)), attributes }];
    }),
  );
}

describeEachAdapter('tokens in cookies', (stack) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      ...stack,
      auth: {
        locations: { order: ['cookie'] },
        cookies: { secure: true },
        csrf: { trustedOrigins: ['https://app.example.com'] },
      },
    });
  });
  afterAll(() => api.close());

  /** Logs in as a browser does, and returns what it sends from then on. */
  async function loginInBrowser() {
    const { username, password } = await api.register();
    const response = await api.request('POST', '/auth/login').send({ username, password }).expect(200);
    const cookies = setCookies(response);
    const jar = [...cookies].map(([name, { value }]) => `${name}=${value}`).join('; ');
    return { response, cookies, jar };
  }

  it('are set at login with all that protects them, and are not in the body', async () => {
    const { response, cookies } = await loginInBrowser();
    expect(response.body).toEqual({ token_type: 'Bearer', expires_in: 900, refresh_expires_in: 1_209_600 });
    expect([...cookies.keys()]).toEqual([
      '__Host-access_token',
      '__Host-refresh_token',
      '__Host-csrf_token',
      '__Host-device',
    ]);
    expect(cookies.get('__Host-access_token')?.attributes).toEqual([
      'Path=/',
      'Max-Age=900',
      'HttpOnly',
      'Secure',
      'SameSite=Strict',
    ]);
    expect(cookies.get('__Host-csrf_token')?.attributes).toEqual([
      'Path=/',
      'Max-Age=1209600',
      'Secure',
      'SameSite=Strict',
    ]);
  });

  it('open routes', async () => {
    const { jar } = await loginInBrowser();
    await api.request('GET', '/profile').set('Cookie', jar).expect(200);
    const r = await api
      .request('POST', '/auth/refresh')
      .set('Cookie', jar)
      .set('Sec-Fetch-Site', 'same-origin')
      .expect(200);
    expect(setCookies(r).size).toBe(3);
  });

  it('csrf', async () => {
    const { jar, cookies } = await loginInBrowser();
    const plain = await api.request('POST', '/auth/refresh').set('Cookie', jar);
    expect(expectError(plain, 403, 'csrf_failed')).toContain('X-CSRF-Token');
    const cross = await api
      .request('POST', '/auth/refresh')
      .set('Cookie', jar)
      .set('Sec-Fetch-Site', 'cross-site');
    expectError(cross, 403, 'csrf_failed');
    await api
      .request('POST', '/auth/refresh')
      .set('Cookie', jar)
      .set('X-CSRF-Token', cookies.get('__Host-csrf_token')!.value)
      .expect(200);
    const out = await api
      .request('POST', '/auth/logout')
      .set('Cookie', jar)
      .set('Origin', 'https://app.example.com')
      .set('Sec-Fetch-Site', 'cross-site')
      .expect(204);
    expect(setCookies(out).size).toBe(3);
    const again = await api.request('POST', '/auth/logout');
    expectError(again, 401, 'token_missing');
    expect(setCookies(again).size).toBe(3);
  });
});
describe('x', () => {
  it('y', () => {});
});
