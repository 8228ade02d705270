import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Controller, Post } from '@nestjs/common';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccountAdmin, FreshAccess } from '../../src/auth/index.js';
import { Database } from '../../src/database/index.js';
import { generateKeySet } from '../../src/keys/key-file.js';
import { expectChallenge, type TestPasskey } from '../../src/testing/index.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { createTestDatabase, describeEachEngine, describePostgres } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { loginWith } from '../support/factors.js';
import { until } from '../support/until.js';
import { logIn, loginOptions, stepUp, stepUpOptions } from '../support/passkeys.js';

@Controller('safe')
class SafeController {
  @FreshAccess({ acr: 'phr', maxAge: '5m' })
  @Post('open')
  open(): object {
    return {};
  }
}

describeEachEngine('passkeys', (engine) => {
  let api: TestApp;
  let passkey: TestPasskey;
  beforeAll(async () => {
    api = await createTestApp({
      engine,
      controllers: [SafeController],
      env: { APP_URL: 'https://app.example', CORS_ORIGINS: 'https://www.app.example,https://shop.example' },
    });
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    api.clock.advance('10m');
    passkey = await api.as(await api.user()).passkey();
  });

  const eventsOf = async ({ user }: TestPasskey) =>
    (
      await api
        .get(Database)
        .selectFrom('audit_events')
        .select(['event', 'cause', 'outcome'])
        .where('subject_id', '=', user.id)
        .orderBy('id')
        .execute()
    )
      .map(({ event, cause, outcome }) => [event, cause, outcome].join(' '))
      .filter((event) => event.includes('factor_fail'));

  it('log in without a name and without a second factor', async () => {
    const user = await api.user();
    await api.authenticator(user);
    passkey = await api.as(user).with.otp().passkey();
    const login = await passkey.login();
    expect(claimsOf(login.access)).toMatchObject({
      sub: passkey.user.id,
      acr: 'phr',
      amr: ['pop', 'user', 'mfa'],
      fresh: true,
    });
    await api.request('POST', '/safe/open', login.access).expect(201);
    await login.rotate();
    expect(claimsOf(login.access)).toMatchObject({ acr: 'phr', fresh: false });
    const sessions = await api.request('GET', '/auth/sessions', login.access).expect(200);
    expect(sessions.body.filter(({ current }: { current: boolean }) => current)).toHaveLength(1);
  });

  it('step up in a session that a password opened, which leaves nothing to the token before', async () => {
    const login = await passkey.user.login();
    expectChallenge(await api.request('POST', '/safe/open', login.access), { acr: 'phr', maxAge: '5m' });
    const before = { ...claimsOf(login.access) };
    const old = login.refresh;
    await passkey.stepUp(login);
    expect(claimsOf(login.access)).toMatchObject({ acr: 'phr', fresh: true, sid: before['sid'] });
    await api.request('POST', '/safe/open', login.access).expect(201);
    expectError(await login.tryRefresh(old), 401, 'token_revoked');
    await login.rotate();
  });

  it('give options that tell nothing about any account', async () => {
    const [first, second] = [await loginOptions(api), await loginOptions(api)];
    expect(Object.keys(first.public_key).toSorted()).toEqual(
      ['challenge', 'extensions', 'rpId', 'timeout', 'userVerification'].filter(
        (each) => each in first.public_key,
      ),
    );
    expect({ ...first.public_key, challenge: '' }).toEqual({ ...second.public_key, challenge: '' });
    expect(first.public_key).toMatchObject({ rpId: 'app.example', userVerification: 'required' });
    expect(first.public_key.challenge).not.toBe(second.public_key.challenge);
    for (const username of [passkey.user.username, 'unknown']) {
      const named = await api.request('POST', '/auth/login/passkey/options').send({ username }).expect(200);
      expect({ ...named.body.public_key, challenge: '' }).toEqual({ ...first.public_key, challenge: '' });
    }
  });

  it('prove each challenge once, of 50 at the same time', async () => {
    const begun = await loginOptions(api);
    const answers = await Promise.all(Array.from({ length: 50 }, () => logIn(api, passkey, begun)));
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    for (const each of answers.filter((answer) => !won.includes(answer)))
      expectError(each, 400, 'validation_failed');
    const login = await passkey.user.login();
    const stepping = await stepUpOptions(api, login.refresh);
    const key = () => stepUp(api, login.refresh, passkey, stepping).set('Idempotency-Key', 'one-rotation');
    const steps = await Promise.all(Array.from({ length: 50 }, key));
    expect(steps.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(steps.filter(({ status }) => status >= 500)).toEqual([]);
  });

  it('are bound to purpose, user, session and time', async () => {
    const [mine, other] = [await passkey.user.login(), await passkey.user.login()];
    const wrong = async (answer: Awaited<ReturnType<typeof logIn>>) => {
      expectError(answer, 400, 'validation_failed');
      expect(answer.body.errors[0].field).toBe('challenge');
    };
    await wrong(await stepUp(api, mine.refresh, passkey, await loginOptions(api)));
    await wrong(await logIn(api, passkey, await stepUpOptions(api, mine.refresh)));
    await wrong(await stepUp(api, mine.refresh, passkey, await stepUpOptions(api, other.refresh)));
    const late = await loginOptions(api);
    api.clock.advance('5m');
    await wrong(await logIn(api, passkey, late));
    const begun = await loginOptions(api);
    await wrong(await logIn(api, passkey, { ...begun, challenge: mine.refresh }));
    await wrong(await logIn(api, passkey, { ...begun, challenge: 'junk' }));
    await api.request('GET', '/profile', mine.access).expect(200);
    await logIn(api, passkey, begun).expect(200);
  });

  it('of another user prove nothing in my session', async () => {
    const mine = await (await api.user()).login();
    await api.as(mine.user).passkey();
    const answer = await stepUp(api, mine.refresh, passkey, await stepUpOptions(api, mine.refresh));
    expectError(answer, 401, 'invalid_credentials');
    await mine.rotate();
  });

  it.each([
    ['another site', { rpId: 'evil.example' }],
    ['a page of another origin', { origin: 'https://evil.example' }],
    ['a page of a subdomain that is not configured', { origin: 'https://sub.app.example' }],
    ['a user who was not verified', { userVerified: false }],
  ])('are refused from %s, at login and at step-up', async (_, given) => {
    expectError(await logIn(api, passkey, await loginOptions(api), given), 401, 'invalid_credentials');
    const login = await passkey.user.login();
    const begun = await stepUpOptions(api, login.refresh);
    expectError(await stepUp(api, login.refresh, passkey, begun, given), 401, 'invalid_credentials');
    expect(await eventsOf(passkey)).toEqual(Array(2).fill('authn_factor_fail wrong_passkey fail'));
  });

  it('sign the challenge that is sent back with them', async () => {
    const [signed, sent] = [await loginOptions(api), await loginOptions(api)];
    const answer = await logIn(api, passkey, { ...signed, challenge: sent.challenge });
    expectError(answer, 401, 'invalid_credentials');
  });

  it('are accepted from the configured origins, which are published for other sites', async () => {
    for (const origin of ['https://www.app.example', 'https://shop.example'])
      await logIn(api, passkey, await loginOptions(api), { origin }).expect(200);
    const { body } = await api.request('GET', '/.well-known/webauthn').expect(200);
    expect(body).toEqual({ origins: ['https://shop.example'] });
  });

  it('are refused with a counter that is not ahead, which is audited', async () => {
    await passkey.login({ counter: 5 });
    for (const counter of [5, 4, 0]) {
      const answer = await logIn(api, passkey, await loginOptions(api), { counter });
      expectError(answer, 401, 'invalid_credentials');
    }
    expect(await eventsOf(passkey)).toEqual(Array(3).fill('authn_factor_fail passkey_counter fail'));
    await passkey.login({ counter: 6 });
  });

  it('use each counter once, of 20 challenges at the same time', async () => {
    const begun = await Promise.all(Array.from({ length: 20 }, () => loginOptions(api)));
    const answers = await Promise.all(begun.map((each) => logIn(api, passkey, each, { counter: 9 })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
  });

  it('open nothing for an account that is disabled, deleted, or has changed', async () => {
    const begun = await loginOptions(api);
    await api.get(AccountAdmin).disable(passkey.user.username);
    expectError(await logIn(api, passkey, begun), 401, 'invalid_credentials');
    await api.get(AccountAdmin).enable(passkey.user.username);
    await logIn(api, passkey, begun).expect(200);
    await api.get(AccountAdmin).resetFactors(passkey.user.username);
    expectError(await logIn(api, passkey, await loginOptions(api)), 401, 'invalid_credentials');
  });

  it('are no second factor that a login asks for, and may replace one', async () => {
    expect(claimsOf((await loginWith(api, passkey.user).expect(200)).body.access_token)).toMatchObject({
      acr: 'pwd',
    });
    const user = await api.user();
    await api.authenticator(user);
    const both = await api.as(user).passkey();
    const asked = await loginWith(api, user).expect(401);
    expect(asked.body.factors).toEqual(['otp', 'recovery_code', 'passkey']);
    await both.login();
  });

  it.each([
    ['no object', 'text'],
    ['an empty object', {}],
    ['a list', []],
    ['members of the wrong types', { id: 1, response: { clientDataJSON: {} } }],
    ['text that is no base64url', { id: '!', response: { clientDataJSON: '%' } }],
  ])('are bad requests with %s', async (_, response) => {
    const { challenge } = await loginOptions(api);
    const body = { challenge, response };
    expectError(await api.request('POST', '/auth/login/passkey').send(body), 400, 'validation_failed');
    const { refresh } = await passkey.user.login();
    const { challenge: stepping } = await stepUpOptions(api, refresh);
    const again = { challenge: stepping, passkey: response };
    expectError(
      await api.request('POST', '/auth/reauthenticate', refresh).send(again),
      400,
      'validation_failed',
    );
  });

  it('with bytes that mean nothing are refused', async () => {
    const begun = await loginOptions(api);
    const good = passkey.authenticator.get(begun.public_key) as { response: Record<string, string> };
    for (const member of ['clientDataJSON', 'authenticatorData', 'signature']) {
      const response = { ...good, response: { ...good.response, [member]: 'AAAA' } };
      const answer = await api
        .request('POST', '/auth/login/passkey')
        .send({ challenge: begun.challenge, response });
      expectError(answer, 401, 'invalid_credentials');
    }
  });

  it('and a password are not sent at once, and only reauthentication takes a passkey', async () => {
    const login = await passkey.user.login();
    const begun = await stepUpOptions(api, login.refresh);
    const { challenge } = begun;
    const proof = { challenge, passkey: passkey.authenticator.get(begun.public_key) };
    const { username, password } = passkey.user;
    const both = await api
      .request('POST', '/auth/reauthenticate', login.refresh)
      .send({ ...proof, password });
    expectError(both, 400, 'validation_failed');
    for (const body of [{ challenge }, { passkey: proof.passkey }, { password: null }])
      expectError(
        await api.request('POST', '/auth/reauthenticate', login.refresh).send(body),
        400,
        'validation_failed',
      );
    const at = await api.request('POST', '/auth/login').send({ username, password, ...proof });
    expectError(at, 400, 'validation_failed');
    await api.request('POST', '/auth/reauthenticate', login.refresh).send(proof).expect(200);
  });

  it('step up only with the refresh token of a living session', async () => {
    const login = await passkey.user.login();
    const begun = await stepUpOptions(api, login.refresh);
    await api.request('POST', '/auth/logout', login.access).expect(204);
    expectError(await stepUp(api, login.refresh, passkey, begun), 401, 'token_revoked');
    expectError(
      await api.request('POST', '/auth/reauthenticate/options', login.refresh).send({}),
      401,
      'token_revoked',
    );
    const without = await api.login();
    expectError(
      await api.request('POST', '/auth/reauthenticate/options', without.refresh).send({}),
      404,
      'not_found',
    );
  });
});

describePostgres('a session that a passkey opened', () => {
  it('is revoked on a second instance too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'freshgate-passkeys-'));
    const keysFile = join(folder, 'keys.json');
    writeFileSync(keysFile, JSON.stringify(generateKeySet()), { mode: 0o600 });
    const database = await createTestDatabase('postgres');
    const [here, there] = [
      await createTestApp({ database, keysFile }),
      await createTestApp({ database, keysFile }),
    ];
    const passkey = await here.as('cosmo').passkey();
    const { access, refresh } = await passkey.login();
    await there.request('GET', '/profile', access).expect(200);
    await here.request('POST', '/auth/logout', access).expect(204);
    await until(1_000, async () => (await there.request('GET', '/profile', access)).status === 401);
    expectError(await there.request('GET', '/profile', access), 401, 'token_revoked');
    expectError(await there.request('POST', '/auth/refresh', refresh), 401, 'token_revoked');
    await here.close();
    await there.close();
    await database.drop();
    rmSync(folder, { recursive: true });
  });
});

describeEachEngine('the limits of passkeys', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    const limits = { address: '3 per 1h', device: '3 per 1h' };
    api = await createTestApp({ engine, auth: { limits } });
  });
  afterAll(() => api.close());

  it('are those of passwords: an address at login, a session at step-up; successes do not count', async () => {
    const passkey = await api.as('cosmo').passkey();
    const login = await passkey.user.login();
    for (let n = 0; n < 5; n++) await passkey.login();
    const wrong = { origin: 'https://evil.example' };
    const refused = async (count: number) => {
      for (let n = 0; n < count; n++)
        expectError(await logIn(api, passkey, await loginOptions(api), wrong), 401, 'invalid_credentials');
    };
    await refused(3);
    expectError(await logIn(api, passkey, await loginOptions(api)), 429, 'rate_limited');
    for (let n = 0; n < 3; n++) {
      const begun = await stepUpOptions(api, login.refresh);
      expectError(await stepUp(api, login.refresh, passkey, begun, wrong), 401, 'invalid_credentials');
    }
    const begun = await stepUpOptions(api, login.refresh);
    expectError(await stepUp(api, login.refresh, passkey, begun), 429, 'rate_limited');
    const { causes } = {
      causes: await api
        .get(Database)
        .selectFrom('audit_events')
        .select('cause')
        .where('event', '=', 'authn_factor_fail_max')
        .orderBy('id')
        .execute(),
    };
    expect(causes.map(({ cause }) => cause)).toEqual(['address', 'device']);
  });
});
