import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logins } from '../../src/auth/index.js';
import { Database } from '../../src/database/index.js';
import { createTestApp as createBareApp, expectChallenge } from '../../src/testing/index.js';
import { TEST_CALLER } from '../../src/testing/token-agents.js';
import { listRoutes } from '../../src/auth/internals.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { answer, challengeOf, enrolled, type Enrolled, loginWith } from '../support/factors.js';

describeEachEngine('a user with a second factor', (engine) => {
  let api: TestApp;
  let own: Enrolled;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    api.clock.advance('2m');
    own = await enrolled(api);
  });

  const sessions = async () =>
    api.get(Database).selectFrom('sessions').select('acr').where('user_id', '=', own.user.id).execute();

  it('logs in with password and code in one request', async () => {
    const { body } = await loginWith(api, own.user, { otp: own.authenticator.code() }).expect(200);
    expect(claimsOf(body.access_token)).toMatchObject({
      acr: 'mfa',
      amr: ['pwd', 'otp', 'mfa'],
      fresh: true,
    });
  });

  it('is asked for it, and answers with the challenge', async () => {
    const asked = await loginWith(api, own.user);
    expectError(asked, 401, 'second_factor_required');
    expect(asked.body).toMatchObject({
      challenge: expect.stringMatching(/^eyJ/),
      factors: ['otp', 'recovery_code'],
      expires_in: 300,
    });
    expect(asked.headers['www-authenticate']).toBe('Bearer');
    expect(asked.headers).not.toHaveProperty('x-device-token');
    expect(asked.headers).not.toHaveProperty('set-cookie');
    // The session from before, and those that the kit has opened to enrol.
    const before = (await sessions()).length;
    const done = await answer(api, asked.body.challenge, { otp: own.authenticator.code() }).expect(200);
    expect(await sessions()).toHaveLength(before + 1);
    expect(claimsOf(done.body.access_token)).toMatchObject({ acr: 'mfa', amr: ['pwd', 'otp', 'mfa'] });
    expect(done.headers['x-device-token']).toEqual(expect.any(String));
    expect(done.headers['cache-control']).toBe('no-store');
  });

  it('uses a recovery code once, however it is written', async () => {
    const [code = '', other = ''] = own.authenticator.recoveryCodes;
    const challenge = await challengeOf(api, own.user);
    await answer(api, challenge, { recovery_code: ` ${code.toLowerCase().replace(/-/g, ' ')} ` }).expect(200);
    expectError(
      await answer(api, await challengeOf(api, own.user), { recovery_code: code }),
      401,
      'invalid_credentials',
    );
    const { body } = await loginWith(api, own.user, { recovery_code: other }).expect(200);
    const left = await api.request('GET', '/auth/factors', body.access_token).expect(200);
    expect(left.body).toMatchObject({ recovery_codes_left: 8, passkeys: [] });
  });

  it('cannot use a code twice, nor the one of enrolment, nor an earlier one', async () => {
    // The kit has confirmed with the code of the step before.
    expectError(
      await loginWith(api, own.user, { otp: own.authenticator.code(-1) }),
      401,
      'invalid_credentials',
    );
    await loginWith(api, own.user, { otp: own.authenticator.code() }).expect(200);
    expectError(
      await loginWith(api, own.user, { otp: own.authenticator.code() }),
      401,
      'invalid_credentials',
    );
    api.clock.advance('30s');
    expectError(
      await loginWith(api, own.user, { otp: own.authenticator.code(-1) }),
      401,
      'invalid_credentials',
    );
    await loginWith(api, own.user, { otp: own.authenticator.code() }).expect(200);
  });

  it('is given one step either side, and no more', async () => {
    api.clock.advance('5m');
    for (const steps of [-2, 2])
      expectError(
        await loginWith(api, own.user, { otp: own.authenticator.code(steps) }),
        401,
        'invalid_credentials',
      );
    await loginWith(api, own.user, { otp: own.authenticator.code(-1) }).expect(200);
    await loginWith(api, own.user, { otp: own.authenticator.code(1) }).expect(200);
  });

  it.each(['login', 'challenge', 'challenges'])(
    'opens one session with one code, posted 50 times at once: %s',
    async (way) => {
      const before = (await sessions()).length;
      const otp = own.authenticator.code();
      const challenge = await challengeOf(api, own.user);
      const more = way === 'challenges' ? await challengeOf(api, own.user) : challenge;
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          way === 'login'
            ? loginWith(api, own.user, { otp })
            : answer(api, n % 2 ? challenge : more, { otp }),
        ),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      const codes = answers.map(({ body }) => body.errorCode).filter(Boolean);
      expect(
        codes.filter(
          (code) => !['invalid_credentials', 'rate_limited', 'token_revoked', 'overloaded'].includes(code),
        ),
      ).toEqual([]);
      expect(await sessions()).toHaveLength(before + 1);
    },
  );

  it('uses a recovery code once, posted 50 times at once', async () => {
    const before = (await sessions()).length;
    const challenge = await challengeOf(api, own.user);
    const [recovery_code] = own.authenticator.recoveryCodes;
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => answer(api, challenge, { recovery_code })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await sessions()).toHaveLength(before + 1);
  });

  it('is refused with a challenge that is used, expired, older than a change, of another user, or invalid', async () => {
    const { authenticator, user } = own;
    const stranger = await enrolled(api);
    const theirs = await challengeOf(api, stranger.user);
    expectError(await answer(api, theirs, { otp: authenticator.code() }), 401, 'invalid_credentials');

    const spent = await challengeOf(api, user);
    await answer(api, spent, { otp: authenticator.code() }).expect(200);
    const [recovery_code] = authenticator.recoveryCodes;
    expectError(await answer(api, spent, { recovery_code }), 401, 'token_revoked');

    const expired = await challengeOf(api, user);
    api.clock.advance(299_000);
    const late = await answer(api, expired, { otp: '000000' });
    expect(late.body.errorCode).toBe('invalid_credentials');
    api.clock.advance(1_000);
    expectError(await answer(api, expired, { otp: authenticator.code() }), 401, 'token_expired');

    const { access_token } = (await loginWith(api, user, { otp: authenticator.code() }).expect(200)).body;
    const before = await challengeOf(api, user);
    api.clock.advance('30s');
    await api
      .request('PUT', '/auth/password', access_token)
      .send({ current_password: user.password, new_password: 'lunar-dachshund', otp: authenticator.code() })
      .expect(200);
    expectError(await answer(api, before, { recovery_code }), 401, 'token_revoked');

    for (const no of ['x', before.slice(0, -2), access_token, own.before.refresh])
      expectError(await answer(api, no, { recovery_code }), 401, 'token_invalid');
    for (const path of ['/profile', '/auth/sessions'])
      expectError(await api.request('GET', path, theirs), 401, 'token_invalid');
    expectError(await api.request('POST', '/auth/refresh', theirs), 401, 'token_invalid');
    expectError(await api.request('POST', '/auth/logout', theirs), 401, 'token_invalid');
  });

  it('steps up with password and code, and gets nothing fresh with the password alone', async () => {
    const { before, authenticator } = own;
    const { password } = own.user;
    const stale = await before.rotate();
    const refused = await before.tryReauthenticate(before.refresh, password);
    expectError(refused, 401, 'second_factor_required');
    expect(refused.body).toMatchObject({ factors: ['otp', 'recovery_code'] });
    expect(refused.body).not.toHaveProperty('challenge');
    const raised = await before
      .tryReauthenticate(before.refresh, password)
      .send({ otp: authenticator.code() })
      .expect(200);
    expect(claimsOf(raised.body.access_token)).toMatchObject({ acr: 'mfa', fresh: true });
    expectError(await before.tryRefresh(stale.refresh_token), 401, 'token_revoked');
    const next = await before.tryRefresh(raised.body.refresh_token).expect(200);
    expect(claimsOf(next.body.access_token)).toMatchObject({ acr: 'mfa', fresh: false });
    const [recovery_code] = authenticator.recoveryCodes;
    await before.tryReauthenticate(next.body.refresh_token, password).send({ recovery_code }).expect(200);
  });

  it('needs it to change the password and for every way to log in, also a team’s own', async () => {
    const { user, authenticator, before } = own;
    const body = { current_password: user.password, new_password: 'lunar-dachshund' };
    expectError(
      await api.request('PUT', '/auth/password', before.access).send(body),
      401,
      'second_factor_required',
    );
    const count = (await sessions()).length;
    const opening = api.get(Logins).open(user.id, TEST_CALLER, { amr: ['fed'], sessionTtl: '1d' });
    const refusal = await opening.catch(
      (error: unknown) => error as { errorCode: string; getResponse(): object },
    );
    expect(refusal).toMatchObject({ errorCode: 'second_factor_required' });
    expect(await sessions()).toHaveLength(count);
    // The team's route answers that error, and the client goes on as after a password.
    const { challenge } = (refusal as { getResponse(): { challenge: string } }).getResponse();
    const done = await answer(api, challenge, { otp: authenticator.code() }).expect(200);
    expect(claimsOf(done.body.access_token)).toMatchObject({ acr: 'mfa', amr: ['fed', 'otp', 'mfa'] });
    expect(done.body.refresh_expires_in).toBe(86_400);
    api.clock.advance('30s');
    const changed = await api
      .request('PUT', '/auth/password', before.access)
      .send({ ...body, otp: authenticator.code() })
      .expect(200);
    expect(claimsOf(changed.body.access_token)).toMatchObject({ acr: 'mfa', fresh: true });
  });

  it('gets 400 for malformed codes, before the password is checked', async () => {
    const wrong = { ...own.user, password: 'wrong' } as typeof own.user;
    for (const codes of [
      { otp: '12345' },
      { otp: 123456 },
      { otp: ['1'] },
      { recovery_code: 'x' },
      { otp: '123456', recovery_code: 'ABCD-EFGH-IJKL-MNOP' },
    ])
      expectError(await loginWith(api, wrong, codes), 400, 'validation_failed');
    const challenge = await challengeOf(api, own.user);
    expectError(await answer(api, challenge, {}), 400, 'validation_failed');
    expectError(await answer(api, challenge, { otp: '1' }), 400, 'validation_failed');
    expectError(
      await api.request('POST', '/auth/login/factor').send({ otp: '123456' }),
      400,
      'validation_failed',
    );
    expectError(await loginWith(api, wrong), 401, 'invalid_credentials');
    expectError(await loginWith(api, wrong, { otp: own.authenticator.code() }), 401, 'invalid_credentials');
    await loginWith(api, own.user, { otp: own.authenticator.code(), recovery_code: null }).expect(200);
  });

  it('has no use for a code without an authenticator', async () => {
    const { user } = await api.login();
    expectError(await loginWith(api, user, { otp: '123456' }), 401, 'invalid_credentials');
    await loginWith(api, user).expect(200);
  });

  it('reaches routes of that level, and they are closed below it', async () => {
    const { before } = own;
    expectChallenge(await api.request('POST', '/auth/factors/otp', before.access).send({}), {
      acr: 'mfa',
      maxAge: '15m',
    });
  });
});

describe('second factors', () => {
  let api: TestApp;
  afterEach(() => api.close());

  it('are gone without their module: no route, no member of a body, no question', async () => {
    api = await createBareApp();
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
    api = await createTestApp();
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
