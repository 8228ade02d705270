import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { expectChallenge } from '../../src/testing/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';

describe('the profile', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app.close());

  it('shows the user, and how fresh the access token is', async () => {
    const fresh = await app.as('cosmo').fresh();
    const response = await fresh.get('/profile').expect(200);
    const profile = {
      id: fresh.user.id,
      username: 'cosmo',
      created_at: new Date(app.clock.now()).toISOString(),
      auth_time: app.clock.now() / 1000,
    };
    expect(response.body).toEqual({ ...profile, fresh: true });
    expect(response.headers['cache-control']).toBe('no-store');
    const stale = await app.as('cosmo').stale();
    expect((await stale.get('/profile').expect(200)).body).toEqual({ ...profile, fresh: false });
  });

  it('can be deleted only with a fresh token, and its other tokens are refused afterwards', async () => {
    const [fresh, stale] = [await app.as('laika').fresh(), await app.as('laika').stale()];
    expectChallenge(await stale.delete('/profile'), { maxAge: '15m' });
    await fresh.delete('/profile').expect(204);
    for (const agent of [fresh, stale])
      expectChallenge(await agent.get('/profile'), { errorCode: 'token_revoked' });
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
