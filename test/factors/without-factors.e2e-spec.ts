import { afterEach, describe, expect, it } from '@jest/globals';
import { createTestApp, type TestApp } from '../../src/testing/index.js';
import { listRoutes } from '../../src/auth/internals.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp as createWholeApp } from '../support/create-test-app.js';
import { enrolled, loginWith } from '../support/factors.js';

describe('second factors', () => {
  let api: TestApp;
  afterEach(() => api.close());

  it('are gone without their module: no route, no member of a body, no question', async () => {
    api = await createTestApp();
    expect(listRoutes(api.app).filter(({ path }) => path.includes('factor'))).toEqual([]);
    const login = await api.login();
    const refused = await loginWith(api, login.user, { otp: '123456' });
    expect([refused.status, refused.body.message]).toEqual([400, 'otp property otp should not exist']);
    const { body } = await loginWith(api, login.user).expect(200);
    expect(claimsOf(body.access_token)).toMatchObject({ acr: 'pwd', amr: ['pwd'] });
    await login.reauthenticate();
    const stepUp = await login.tryReauthenticate(login.refresh, login.user.password).send({ otp: '123456' });
    expect(stepUp.status).toBe(400);
    await expect(api.authenticator(login.user)).rejects.toThrow('404');
  });

  it('do not show in the answer to a wrong password', async () => {
    api = await createWholeApp();
    const [plain, { user: withFactor }] = [await api.user(), await enrolled(api)];
    const answers = [];
    for (const user of [plain, withFactor])
      for (const codes of [{}, { otp: '123456' }]) {
        const wrong = { username: user.username, password: 'wrong', ...codes };
        const { status, body, headers } = await api.request('POST', '/auth/login').send(wrong);
        answers.push(
          JSON.stringify([status, body, headers['www-authenticate'], Object.keys(headers).toSorted()]),
        );
      }
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain('invalid_credentials');
  });
});
