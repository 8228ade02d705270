import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestApp, type TestApp } from '../support/create-test-app.js';

describe('the profile', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp();
  });
  afterAll(() => api.close());

  it('tells who one is, and how fresh the token is that asks', async () => {
    const login = await api.login();
    const response = await api.request('GET', '/profile', login.access).expect(200);
    const profile = {
      id: login.user.id,
      username: login.user.username,
      created_at: new Date(api.clock.now()).toISOString(),
      auth_time: api.clock.now() / 1000,
    };
    expect(response.body).toEqual({ ...profile, fresh: true });
    expect(response.headers['cache-control']).toBe('no-store');
    await login.rotate();
    expect((await api.request('GET', '/profile', login.access)).body).toEqual({ ...profile, fresh: false });
  });

  it('can be deleted by a fresh token, and then is nobody’s', async () => {
    const login = await api.login();
    await api.request('DELETE', '/profile', login.access).expect(204);
    await api.request('GET', '/profile', login.access).expect(401);
  });
});

describe('registration', () => {
  it('can be closed', async () => {
    const api = await createTestApp({ env: { REGISTRATION: 'closed' } });
    try {
      const body = { username: 'cosmo', password: 'space-corgi' };
      const response = await api.request('POST', '/auth/register').send(body);
      expect([response.status, response.body.errorCode]).toEqual([403, 'registration_closed']);
    } finally {
      await api.close();
    }
  });
});
