import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccountAdmin } from '../../src/auth/index.js';
import { Database, Purger, PURGE_MARGIN_MS } from '../../src/database/index.js';
import { expectChallenge, TestAuthenticator } from '../../src/testing/index.js';
import { KeyRing, type PrivateJwkSet } from '../../src/keys/key-ring.js';
import { removeNow, retire, rotate } from '../../src/keys/key-rotation.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp, type TestApp, type TestUser } from '../support/create-test-app.js';
import {
  describeEachEngine,
  createTestDatabase,
  describePostgres,
  type TestDatabase,
} from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { answer, challengeOf, loginWith, enrolled } from '../support/factors.js';

describeEachEngine('the factors of a user', (engine) => {
  let api: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    api.clock.advance('2m');
    user = await api.user();
  });

  const begin = (token: string, body: object = {}) =>
    api.request('POST', '/auth/factors/otp', token).send(body);
  const confirm = (token: string, id: string, otp: string) =>
    api.request('POST', `/auth/factors/otp/${id}/confirm`, token).send({ otp });
  const versionOf = async () =>
    (
      await api
        .get(Database)
        .selectFrom('users')
        .select('credential_version')
        .where('id', '=', user.id)
        .executeTakeFirstOrThrow()
    ).credential_version;
  const eventsOf = async () =>
    (
      await api
        .get(Database)
        .selectFrom('audit_events')
        .select(['event', 'cause', 'outcome'])
        .where('subject_id', '=', user.id)
        .orderBy('id')
        .execute()
    )
      .filter(({ event }) => event.includes('factor'))
      .map(({ event, cause, outcome }) => [event, cause, outcome].join(' '));

  it('are added with a code, listed by name, and removed', async () => {
    const agent = await api.as(user).fresh();
    const { body: empty } = await agent.get('/auth/factors').expect(200);
    expect(empty).toEqual({ otp: [], passkeys: [], recovery_codes_left: 0 });

    const { body: begun } = await begin(agent.token, { name: '  Phone 📱 ' }).expect(201);
    expect(begun).toEqual({ id: expect.any(String), otpauth_uri: expect.any(String), expires_in: 600 });
    expect(begun.otpauth_uri).toMatch(
      new RegExp(
        `^otpauth://totp/freshgate:${user.username}\\?secret=[A-Z2-7]{32}&issuer=freshgate&algorithm=SHA1&digits=6&period=30$`,
      ),
    );
    await loginWith(api, user).expect(200);
    const version = await versionOf();
    const phone = new TestAuthenticator(begun.otpauth_uri, api.clock);
    const { body: confirmed } = await confirm(agent.token, begun.id, phone.code()).expect(200);
    expect(confirmed.recovery_codes).toHaveLength(10);
    expect(new Set(confirmed.recovery_codes).size).toBe(10);
    for (const code of confirmed.recovery_codes) expect(code).toMatch(/^([A-Z2-7]{4}-){3}[A-Z2-7]{4}$/);
    expect(await versionOf()).toBe(version + 1);
    await agent.get('/profile').expect(200);

    const { body: listed } = await agent.get('/auth/factors').expect(200);
    expect(listed).toEqual({
      otp: [{ id: begun.id, name: 'Phone 📱', created_at: expect.stringMatching(/Z$/), last_used_at: null }],
      passkeys: [],
      recovery_codes_left: 10,
    });
    const strong = await api.as(user).fresh({ acr: 'mfa' });
    await strong.delete(`/auth/factors/otp/${begun.id}`).expect(204);
    expect((await agent.get('/auth/factors')).body).toEqual(empty);
    expect(await versionOf()).toBe(version + 2);
    await loginWith(api, user).expect(200);
    expect(await eventsOf()).toEqual(['authn_factor_added otp success', 'authn_factor_removed otp success']);
  });

  it('are changed by a fresh token of the strongest level alone, and once', async () => {
    const old = await api.as(user).fresh();
    const { authenticator, id } = await api.authenticator(user).then(async (each) => ({
      authenticator: each,
      id: (await old.get('/auth/factors')).body.otp[0].id as string,
    }));
    const stale = await api.as(user).stale({ acr: 'mfa' });
    const wanted = { acr: 'mfa', maxAge: '15m' } as const;
    expectChallenge(await old.post('/auth/factors/otp').send({}), wanted);
    expectChallenge(await old.delete(`/auth/factors/otp/${id}`), wanted);
    expectChallenge(await old.post('/auth/factors/recovery-codes'), wanted);
    expectChallenge(await stale.delete(`/auth/factors/otp/${id}`), { maxAge: '15m' });

    const strong = await api.as(user).fresh({ acr: 'mfa' });
    const { body } = await strong.post('/auth/factors/recovery-codes').expect(200);
    expect(body.recovery_codes).toHaveLength(10);
    expectError(
      await loginWith(api, user, { recovery_code: authenticator.recoveryCodes[0] }),
      401,
      'invalid_credentials',
    );
    await loginWith(api, user, { recovery_code: body.recovery_codes[0] }).expect(200);
    expectError(await strong.delete(`/auth/factors/otp/${id}`), 401, 'fresh_token_required');
    // A refusal gives the token back.
    const again = await api.as(user).fresh({ acr: 'mfa' });
    for (const unknown of ['x', '00000000-0000-7000-8000-000000000000'])
      expectError(await again.delete(`/auth/factors/otp/${unknown}`), 404, 'not_found');
    await again.delete(`/auth/factors/otp/${id}`).expect(204);
    expectError(await (await api.as(user).fresh()).post('/auth/factors/recovery-codes'), 404, 'not_found');
  });

  it('of another user are not found', async () => {
    await api.authenticator(user);
    const mine = await api.as(user).fresh({ acr: 'mfa' });
    const { id } = (await mine.get('/auth/factors')).body.otp[0];
    const stranger = await api.as(await api.user()).fresh({ acr: 'mfa' });
    expectError(await stranger.delete(`/auth/factors/otp/${id}`), 404, 'not_found');
    const begun = (await mine.post('/auth/factors/otp').send({}).expect(201)).body;
    const otp = new TestAuthenticator(begun.otpauth_uri, api.clock).code();
    expectError(await confirm(stranger.token, begun.id, otp), 404, 'not_found');
    await confirm(mine.token, begun.id, otp).expect(200);
  });

  it('wait to be confirmed for ten minutes, in one enrolment, until the credentials change', async () => {
    const { token } = await api.as(user).fresh();
    const [first, second] = [(await begin(token)).body, (await begin(token)).body];
    const codeFor = ({ otpauth_uri }: { otpauth_uri: string }) =>
      new TestAuthenticator(otpauth_uri, api.clock).code();
    expectError(await confirm(token, first.id, codeFor(first)), 404, 'not_found');
    expectError(await confirm(token, second.id, codeFor(first)), 401, 'invalid_credentials');
    api.clock.advance('10m');
    expectError(await confirm(token, second.id, codeFor(second)), 404, 'not_found');

    // A thief with a token of the password begins; the user adds a factor; the thief cannot finish.
    const theirs = (await begin((await api.as(user).fresh()).token)).body;
    await api.get(AccountAdmin).grant(user.username, 'member');
    const last = await api.as(user).fresh();
    expectError(await confirm(last.token, theirs.id, codeFor(theirs)), 404, 'not_found');
    expect((await last.get('/auth/factors')).body.otp).toEqual([]);
    await loginWith(api, user).expect(200);
  });

  it('are confirmed once, of 20 at once', async () => {
    const { token } = await api.as(user).fresh();
    const { id, otpauth_uri } = (await begin(token)).body;
    const otp = new TestAuthenticator(otpauth_uri, api.clock).code();
    const answers = await Promise.all(Array.from({ length: 20 }, () => confirm(token, id, otp)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
  });

  it('may be several, each with its own codes; the last one takes the recovery codes along', async () => {
    const first = await api.authenticator(user);
    const ids: string[] = [];
    for (let n = 2; n <= 5; n++) {
      api.clock.advance('30s');
      const { token } = await api.as(user).fresh({ acr: 'mfa' });
      const { id, otpauth_uri } = (await begin(token, { name: `number ${n}` }).expect(201)).body;
      const each = new TestAuthenticator(otpauth_uri, api.clock);
      await confirm(token, id, each.code(-1)).expect(200);
      ids.push(id);
      await loginWith(api, user, { otp: each.code() }).expect(200);
    }
    await loginWith(api, user, { otp: first.code() }).expect(200);
    const { token } = await api.as(user).fresh({ acr: 'mfa' });
    expectError(await begin(token), 400, 'validation_failed');
    for (const id of ids)
      await (await api.as(user).fresh({ acr: 'mfa' })).delete(`/auth/factors/otp/${id}`).expect(204);
    const { body } = await api.request('GET', '/auth/factors', token).expect(200);
    expect(body).toMatchObject({ otp: [{ name: 'Authenticator' }], recovery_codes_left: 10 });
  });

  it('end earlier challenges when they change, and no session', async () => {
    const { authenticator, before } = {
      authenticator: await api.authenticator(user),
      before: await api.as(user).stale({ acr: 'mfa' }),
    };
    const challenge = await challengeOf(api, user);
    await (await api.as(user).fresh({ acr: 'mfa' })).post('/auth/factors/recovery-codes').expect(200);
    expectError(await answer(api, challenge, { otp: authenticator.code() }), 401, 'token_revoked');
    await before.get('/profile').expect(200);
  });

  it('are reset by an operator, who ends no session', async () => {
    const { token } = await api.as(user).with.otp().stale();
    await api.get(AccountAdmin).resetFactors(user.username);
    await api.request('GET', '/profile', token).expect(200);
    const { body } = await loginWith(api, user).expect(200);
    expect(claimsOf(body.access_token)).toMatchObject({ acr: 'pwd' });
    await expect(api.get(AccountAdmin).resetFactors(user.username)).rejects.toMatchObject({
      errorCode: 'not_found',
    });
    expect(await eventsOf()).toEqual([
      'authn_factor_added otp success',
      'authn_factor_removed reset_by_operator success',
    ]);
  });

  it('go with the account, and unconfirmed ones with the purge', async () => {
    await api.authenticator(user);
    const agent = await api.as(user).fresh({ acr: 'mfa' });
    await agent.post('/auth/factors/otp').send({}).expect(201);
    const rows = async () =>
      (
        await api
          .get(Database)
          .selectFrom('otp_factors')
          .select('id')
          .where('user_id', '=', user.id)
          .execute()
      ).length;
    expect(await rows()).toBe(2);
    await api
      .get(Database)
      .updateTable('otp_factors')
      .set({ created_at: api.clock.now() - PURGE_MARGIN_MS - 1 })
      .where('user_id', '=', user.id)
      .execute();
    const purger = api.get(Purger);
    while ((await purger.run()) > 0);
    if (engine === 'sqlite') expect(await rows()).toBe(1);
    await agent.delete('/profile').expect(204);
    expect(await rows()).toBe(0);
  });

  it('leave in the database nothing from which a code could be made', async () => {
    const { body } = await begin((await api.as(user).fresh()).token).expect(201);
    const secret = new URL(body.otpauth_uri).searchParams.get('secret') ?? '';
    const authenticator = await api.authenticator(await api.user());
    const db = api.get(Database);
    const dump = JSON.stringify([
      await db.selectFrom('otp_factors').selectAll().execute(),
      await db.selectFrom('recovery_codes').selectAll().execute(),
    ]);
    expect(dump).not.toContain(secret);
    for (const code of authenticator.recoveryCodes) expect(dump).not.toContain(code.replace(/-/g, ''));
  });
});

describe('the kit', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp();
  });
  afterAll(() => api.close());

  it('makes users with a second factor, and tokens of each level', async () => {
    const cosmo = api.as('cosmo').with.otp();
    const fresh = await cosmo.fresh();
    expect(claimsOf(fresh.token)).toMatchObject({ acr: 'mfa', fresh: true });
    expect(claimsOf((await cosmo.stale()).token)).toMatchObject({ acr: 'mfa', fresh: false });
    const strong = await api.as('laika').fresh({ acr: 'mfa' });
    expect(claimsOf(strong.token)).toMatchObject({ acr: 'mfa' });
    const authenticator = await api.authenticator('cosmo');
    await loginWith(api, await api.user('cosmo'), { otp: authenticator.code() }).expect(200);
    expect((await fresh.get('/auth/factors')).body.otp).toHaveLength(1);
  });
});

const TTL = { access: 900_000, refresh: 900_000 };

describe('the key of second factors', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-factor-keys-'));
  const keysFile = join(folder, 'keys.json');
  const read = () => JSON.parse(readFileSync(keysFile, 'utf8')) as PrivateJwkSet;
  const usesOf = ({ keys }: PrivateJwkSet) => keys.map(({ token_use }) => token_use);
  let api: TestApp | undefined;
  beforeEach(() => {
    api = undefined;
  });
  afterEach(async () => {
    await api?.close();
    rmSync(keysFile, { force: true });
  });

  it('is in a new file, and is added to an older one with the first enrolment, where the server may change the file', async () => {
    api = await createTestApp({ keysFile });
    expect(usesOf(read())).toEqual(['access', 'refresh', 'factor']);
    await api.close();
    const older = { keys: read().keys.filter(({ token_use }) => token_use !== 'factor') };
    writeFileSync(keysFile, JSON.stringify(older));
    api = await createTestApp({ keysFile });
    // A server of the previous version, which would refuse the file with such a key, can still be restarted.
    expect(usesOf(read())).toEqual(['access', 'refresh']);
    await enrolled(api);
    expect(usesOf(read())).toEqual(['access', 'refresh', 'factor']);
  });

  it('is missed only at an enrolment, where the server may not add it', async () => {
    api = await createTestApp({ keysFile });
    await api.close();
    const older = { keys: read().keys.filter(({ token_use }) => token_use !== 'factor') };
    api = await createTestApp({ auth: { keys: older } });
    const login = await api.login();
    const refusal = await api.request('POST', '/auth/factors/otp', login.access).send({});
    expectError(refusal, 404, 'not_found');
    expect((refusal.body as { message: string }).message).toBe('This server has no key for second factors');
  });

  it('stays through rotate and retire, and signs and verifies no token', async () => {
    api = await createTestApp({ keysFile });
    const own = await enrolled(api);
    const now = api.clock.now();
    let set = read();
    for (const kind of ['access', 'refresh', 'factor'] as const) set = rotate(set, kind, now).set;
    const { set: retired, result } = retire(set, TTL, now);
    expect(result.map(({ token_use }) => token_use)).toEqual(['access', 'refresh']);
    const [old] = set.keys.filter(({ token_use }) => token_use === 'factor');
    expect(() => retire(set, TTL, now, old!.kid)).toThrow('stays while authenticators derive from it');
    api.clock.advance('10m');
    api.get(KeyRing).replace(retired, api.clock.now());
    await loginWith(api, own.user, { otp: own.authenticator.code() }).expect(200);
    await enrolled(api);
    expect(() => new KeyRing({ keys: [...retired.keys, { ...old!, kid: 'x', alg: 'ES256' }] }, now)).toThrow(
      '"alg" of a key with "token_use": "factor" must be HS256',
    );
    expect(
      () => new KeyRing({ keys: [...retired.keys, { ...old!, kid: 'x', verifies_until: 9e9 }] }, now),
    ).toThrow('"verifies_until" must be absent');
  });

  it('voids its authenticators when it is removed; recovery codes go on', async () => {
    api = await createTestApp({ keysFile });
    const own = await enrolled(api);
    const now = api.clock.now();
    const set = read();
    const [old] = set.keys.filter(({ token_use }) => token_use === 'factor');
    const { set: without, result } = removeNow(set, now, old!.kid);
    expect(result).toMatchObject({ kind: 'factor', signed: true, made: true });
    api.get(KeyRing).replace(without, now);
    expectError(
      await loginWith(api, own.user, { otp: own.authenticator.code() }),
      401,
      'invalid_credentials',
    );
    const [recovery_code] = own.authenticator.recoveryCodes;
    await loginWith(api, own.user, { recovery_code }).expect(200);
    await enrolled(api);
  });
});

describePostgres('a dump of the database', () => {
  let database: TestDatabase;
  const apps: TestApp[] = [];
  afterEach(async () => {
    for (const each of apps.splice(0)) await each.close();
    await database.drop();
  });

  it('makes no code without the key file', async () => {
    database = await createTestDatabase('postgres');
    const own = await createTestApp({ database });
    apps.push(own);
    const { user, authenticator } = await enrolled(own);
    const stolen = await createTestApp({ database, clock: own.clock });
    apps.push(stolen);
    const { username, password } = user;
    const body = { username, password, otp: authenticator.code() };
    // The thief has every row and keys of their own.
    expectError(await stolen.request('POST', '/auth/login').send(body), 401, 'invalid_credentials');
    await own.request('POST', '/auth/login').send(body).expect(200);
  });
});
