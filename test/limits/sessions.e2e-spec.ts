import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { auditOf, BEHIND_PROXY, expectLimited, fail, hashesDuring, login, newAddress } from './strangers.js';

const LIMITS = {
  account: '3 per 1h',
  device: '4 per 1h',
  address: '30 per 1h',
  register: '5 per 1h',
  refresh: '7 per 1m',
};

describeEachEngine('limits', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      engine,
      env: BEHIND_PROXY,
      auth: { limits: { ...LIMITS, register: '1000000 per 1h' } },
    });
  });
  afterAll(() => api.close());

  const reauthenticate = (who: TestLogin, password: string) =>
    who.tryReauthenticate(who.refresh, password).set('X-Forwarded-For', newAddress());
  const changePassword = (who: TestLogin, current_password: string) =>
    api
      .request('PUT', '/auth/password', who.access)
      .set('X-Forwarded-For', newAddress())
      .send({ current_password, new_password: 'lunar-dachshund' });

  it('on reauthentication and password change count together in a session', async () => {
    const session = await api.login();
    const { user } = session;
    for (let i = 0; i < 2; i++) {
      expectError(await reauthenticate(session, 'wrong-password'), 401, 'invalid_credentials');
      expectError(await changePassword(session, 'wrong-password'), 401, 'invalid_credentials');
    }
    const hashed = await hashesDuring(api, async () => {
      expectLimited(await reauthenticate(session, user.password), 'device', 4, 3600);
      expectLimited(await changePassword(session, user.password), 'device', 4, 3600);
    });
    expect(hashed).toBe(0);
    // Neither the user's other sessions, nor logins.
    await (await user.login()).reauthenticate();
    await session.rotate();
    const [told] = (await auditOf(api, 'authn_login_fail_max')).slice(-1);
    expect(told).toMatchObject({ cause: 'device', subject_id: user.id, session_id: expect.any(String) });
  });

  it('on reauthentication restart with a success', async () => {
    const session = await api.login();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 3; i++)
        expectError(await reauthenticate(session, 'wrong-password'), 401, 'invalid_credentials');
      await session.reauthenticate();
    }
  });

  it('on reauthentication are not used up by strangers, who know the name alone', async () => {
    const session = await api.login();
    await fail(api, session.user.username, 3);
    expectLimited(await login(api, session.user.username, session.user.password), 'account', 3, 3600);
    await session.reauthenticate();
    expect((await changePassword(session, session.user.password)).status).toBe(200);
  });

  it('for an address do not apply in a session: strangers at the same address cannot prevent a step-up', async () => {
    const address = newAddress();
    const session = await api.login();
    for (let i = 0; i < 30; i++) await fail(api, `nobody-${i}`, 1, { address });
    expectLimited(
      await login(api, session.user.username, session.user.password, { address }),
      'address',
      30,
      3600,
    );
    const proved = session
      .tryReauthenticate(session.refresh, session.user.password)
      .set('X-Forwarded-For', address);
    expect((await proved).status).toBe(200);
  });

  it('on reauthentication do not count for a revoked token: no password is checked', async () => {
    const session = await api.login();
    const dead = session.refresh;
    await session.rotate();
    await session.rotate();
    const hashed = await hashesDuring(api, async () => {
      for (let i = 0; i < 6; i++)
        expectError(
          await session.tryReauthenticate(dead, 'wrong-password'),
          401,
          i === 0 ? 'refresh_token_reused' : 'token_revoked',
        );
    });
    expect(hashed).toBe(0);
  });

  it('on refreshes hold for one session alone', async () => {
    const [flooding, other] = [await api.login(), await api.login()];
    const second = await flooding.user.login();
    for (let i = 0; i < 7; i++) await flooding.rotate();
    const refused = await flooding.tryRefresh(flooding.refresh);
    expectLimited(refused, 'refresh', 7, 60);
    await other.rotate();
    await second.rotate();
    // What was refused has changed nothing: the token is still the live one.
    expectLimited(
      await flooding.tryReauthenticate(flooding.refresh, flooding.user.password),
      'refresh',
      7,
      60,
    );
    api.clock.advance('1m');
    await flooding.reauthenticate();
  });

  it('on refreshes are not used up by invalid tokens', async () => {
    const session = await api.login();
    for (let i = 0; i < 10; i++)
      expectError(await session.tryRefresh(`${session.refresh.slice(0, -4)}AAAA`), 401, 'token_invalid');
    await session.rotate();
  });
});

describeEachEngine('registrations', (engine) => {
  it('from one address are limited, before anything is hashed', async () => {
    const api = await createTestApp({ engine, env: BEHIND_PROXY, auth: { limits: LIMITS } });
    try {
      const register = (username: string, address: string) =>
        api
          .request('POST', '/auth/register')
          .set('X-Forwarded-For', address)
          .send({ username, password: 'space-corgi' });
      const address = newAddress();
      for (let i = 0; i < 4; i++) await register(`dog-${i}`, address).expect(201);
      expectError(await register('dog-1', address), 409, 'username_taken');
      const hashed = await hashesDuring(api, async () => {
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, i) => register(`cat-${i}`, address)),
        );
        for (const answer of answers) expectLimited(answer, 'register', 5, 3600);
      });
      expect(hashed).toBe(0);
      await register('cat-0', newAddress()).expect(201);
    } finally {
      await api.close();
    }
  });
});
