import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decode } from 'jsonwebtoken';
import { type Response } from 'supertest';
import { randomUUID } from 'node:crypto';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import { Database, Purger } from '../../src/database/index.js';
import { parseChallenge, expectChallenge } from '../../src/testing/index.js';
import { AccountAdmin, type LoginOptions, Logins } from '../../src/auth/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { claimsOf } from '../support/claims.js';
import { outcomeOf } from '../support/outcome-of.js';

/** Version 7 for keys of tables, so that new rows are stored side by side; version 4 for others. */
const uuid = (version: number) =>
  new RegExp(`^[0-9a-f]{8}-[0-9a-f]{4}-${version}[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`);

describeEachEngine('register and login', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());

  /** What differs between any two answers is left out. */
  const headersOf = ({ headers }: Response) => ({ ...headers, date: undefined, 'x-request-id': undefined });
  const register = (body: object) => api.request('POST', '/auth/register').send(body);
  const login = (body: object) => api.request('POST', '/auth/login').send(body);

  it('accepts no default account', async () => {
    const users = api.get(Database).selectFrom('users').select('username');
    expect(await users.execute()).toEqual([]);
    for (const [username, password] of [
      ['admin', 'admin'],
      ['admin', 'password'],
      ['root', 'root'],
      ['cosmo', 'space-corgi'],
    ])
      expectError(await login({ username, password }), 401, 'invalid_credentials');
  });

  it('creates an account, its name lower-cased', async () => {
    const { body } = await register({ username: 'Cosmo', password: 'space-corgi' }).expect(201);
    expect(body).toEqual({
      id: expect.stringMatching(uuid(7)),
      username: 'cosmo',
      created_at: new Date(api.clock.now()).toISOString(),
    });
  });

  it('refuses a name that is taken, however it is written', async () => {
    await register({ username: 'laika', password: 'space-corgi' }).expect(201);
    expectError(await register({ username: 'LAIKA', password: 'other-password' }), 409, 'username_taken');
  });

  it('gives one of 20 parallel registrations of a name, and 409 to the others', async () => {
    const attempts = Array.from({ length: 20 }, () =>
      register({ username: 'belka', password: 'space-corgi' }),
    );
    const statuses = (await Promise.all(attempts)).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([201, ...Array<number>(19).fill(409)]);
  });

  it('answers a login with a fresh pair, in the words of RFC 6749 §5.1', async () => {
    const user = await api.user();
    const response = await login({ username: user.username.toUpperCase(), password: user.password }).expect(
      200,
    );
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
      refresh_token: expect.any(String),
      refresh_expires_in: 14 * 86_400,
    });
  });

  it('signs tokens with the documented claims, and no others', async () => {
    const user = await api.user();
    const { body } = await login({ username: user.username, password: user.password });
    const { access_token, refresh_token } = body as TokenPairDto;
    const now = api.clock.now() / 1000;
    const common = {
      iss: 'freshgate',
      aud: 'freshgate',
      sub: user.id,
      sid: expect.stringMatching(uuid(7)),
      iat: now,
    };
    const access = decode(access_token, { complete: true });
    expect(access?.header).toEqual({ alg: 'ES256', kid: expect.any(String), typ: 'at+jwt' });
    expect(access?.payload).toEqual({
      ...common,
      jti: expect.stringMatching(uuid(4)),
      exp: now + 900,
      type: 'access',
      fresh: true,
      auth_time: now,
      acr: 'pwd',
      amr: ['pwd'],
    });
    const refresh = decode(refresh_token, { complete: true });
    expect(refresh?.header).toEqual({ alg: 'HS256', kid: expect.any(String), typ: 'rt+jwt' });
    expect(refresh?.payload).toEqual({
      ...common,
      jti: expect.any(String),
      exp: now + 1_209_600,
      type: 'refresh',
      gen: 0,
    });
  });

  it('gives the same answer for an unknown name, an impossible one, and a wrong password', async () => {
    const { username, password } = await api.user();
    const answers = await Promise.all([
      login({ username, password: 'wrong-password' }),
      login({ username, password: ` ${password}` }),
      login({ username: 'nobody', password }),
      login({ username: 'no such\u0000name', password }),
    ]);
    for (const answer of answers) {
      expect(expectError(answer, 401, 'invalid_credentials')).toBe('Bad username or password');
      expect(parseChallenge(answer)).toEqual({});
      expect(answer.body).toEqual(answers[0]?.body);
      expect(headersOf(answer)).toEqual(headersOf(answers[0]));
    }
  });

  it('takes a password however its letters are composed, and cuts nothing off', async () => {
    const long = 'é'.repeat(200);
    await register({ username: 'strelka', password: long.normalize('NFD').slice(0, 256) }).expect(201);
    await register({ username: 'mushka', password: `${'x'.repeat(100)}1` }).expect(201);
    await login({
      username: 'strelka',
      password: long.normalize('NFD').slice(0, 256).normalize('NFC'),
    }).expect(200);
    await login({ username: 'mushka', password: `${'x'.repeat(100)}2` }).expect(401);
  });
});

/* Sessions and tokens that a team's own code opens, without a request of ours. */

const CALLER = { ip: '192.0.2.1', userAgent: 'passkey/1.0', requestId: null };

describe('Logins.open', () => {
  let api: TestApp;
  let logins: Logins;
  beforeAll(async () => {
    api = await createTestApp();
    logins = api.get(Logins);
  });
  afterAll(() => api.close());

  const rows = async (userId: string) =>
    api.get(Database).selectFrom('sessions').selectAll().where('user_id', '=', userId).execute();
  const events = async (userId: string) => {
    const all = api.get(Database).selectFrom('audit_events').select('event');
    return (await all.where('subject_id', '=', userId).execute()).map(({ event }) => event);
  };

  it('gives a fresh pair in a session like any other', async () => {
    const { id } = await api.user();
    const pair = await logins.open(id, CALLER, { amr: ['hwk', 'user'] });
    expect(pair).toMatchObject({ token_type: 'Bearer', expires_in: 900, refresh_expires_in: 1_209_600 });
    const claims = claimsOf(pair.access_token);
    expect(claims).toMatchObject({ sub: id, sid: pair.sessionId, fresh: true, amr: ['hwk', 'user'] });
    const { body } = await api.request('GET', '/auth/sessions', pair.access_token).expect(200);
    expect(body).toEqual([
      expect.objectContaining({
        id: pair.sessionId,
        ip: CALLER.ip,
        user_agent: CALLER.userAgent,
        current: true,
      }),
    ]);
    const refreshed = await api.request('POST', '/auth/refresh', pair.refresh_token).expect(200);
    const next = claimsOf((refreshed.body as { access_token: string }).access_token);
    expect(next).toMatchObject({ fresh: false, amr: ['hwk', 'user'] });
    await api.request('DELETE', '/profile', pair.access_token).expect(204);
  });

  it('defaults amr to pwd', async () => {
    const { id } = await api.user();
    expect(claimsOf((await logins.open(id, CALLER)).access_token)).toMatchObject({ amr: ['pwd'] });
  });

  it.each([[[]], [['']], [['two words']], [['pwd', '']]])(
    'takes no amr %j: the token would be refused',
    async (amr) => {
      const { id } = await api.user();
      await expect(logins.open(id, CALLER, { amr })).rejects.toThrow(RangeError);
      expect(await rows(id)).toEqual([]);
    },
  );

  it('opens a session with its own lifetime, which no refresh extends', async () => {
    const { id } = await api.user();
    const pair = await logins.open(id, CALLER, { sessionTtl: '20m' });
    expect(pair).toMatchObject({ expires_in: 900, refresh_expires_in: 1200 });
    api.clock.advance('10m');
    const { body } = await api.request('POST', '/auth/refresh', pair.refresh_token).expect(200);
    expect(body).toMatchObject({ expires_in: 600, refresh_expires_in: 600 });
    api.clock.advance('10m');
    const { refresh_token } = body as { refresh_token: string };
    expectError(await api.request('POST', '/auth/refresh', refresh_token), 401, 'token_expired');
  });

  it('remembers me: a session longer than the others, refreshed in time', async () => {
    const { id } = await api.user();
    const { sessionId, refresh_expires_in } = await logins.open(id, CALLER, { sessionTtl: '52w' });
    expect(refresh_expires_in).toBe(1_209_600);
    const [row] = await rows(id);
    expect(row).toMatchObject({ id: sessionId, expires_at: api.clock.now() + 52 * 7 * 86_400_000 });
  });

  it('gives the first access token a life of its own, and logout ends it for all of it', async () => {
    const { id } = await api.user();
    const pair = await logins.open(id, CALLER, { accessTtl: '2h' });
    expect(pair.expires_in).toBe(7200);
    const [row] = await rows(id);
    expect(row?.access_until).toBe(claimsOf(pair.access_token).exp! * 1000);
    await api.request('POST', '/auth/logout', pair.access_token).expect(204);
    api.clock.advance('1h 59m');
    await api.get(Purger).run();
    expectError(await api.request('GET', '/profile', pair.access_token), 401, 'token_revoked');
    api.clock.advance('1m');
    expectError(await api.request('GET', '/profile', pair.access_token), 401, 'token_expired');
  });

  it('cuts the access token at the session’s end', async () => {
    const { id } = await api.user();
    const pair = await logins.open(id, CALLER, { accessTtl: '2h', sessionTtl: '1h' });
    expect(pair).toMatchObject({ expires_in: 3600, refresh_expires_in: 3600 });
  });

  it('is stale after a while like any other login', async () => {
    const { id } = await api.user();
    const { access_token } = await logins.open(id, CALLER, { accessTtl: '1h' });
    api.clock.advance('15m 1s');
    expectChallenge(await api.request('DELETE', '/profile', access_token), { maxAge: '15m' });
  });

  it.each([
    0,
    -1,
    999,
    1500.5,
    Number.NaN,
    Infinity,
    1e30,
    Number.MAX_SAFE_INTEGER,
    false,
    true,
    null,
    '0s',
    '-5m',
    'soon',
    'never',
    '',
    '101w',
  ])('takes no lifetime of %p, and writes nothing', async (lifetime) => {
    const { id } = await api.user();
    const before = await events(id);
    for (const options of [{ accessTtl: lifetime }, { sessionTtl: lifetime }] as LoginOptions[]) {
      await expect(logins.open(id, CALLER, options)).rejects.toThrow(RangeError);
    }
    expect(await rows(id)).toEqual([]);
    expect(await events(id)).toEqual(before);
  });

  it('refuses reserved claims, and writes nothing', async () => {
    const { id } = await api.user();
    const refused = logins.open(id, CALLER, { claims: { fresh: true } });
    await expect(refused).rejects.toThrow('the claim "fresh" is reserved');
    expect(await rows(id)).toEqual([]);
  });

  it('refuses an unknown, deleted or disabled user, and writes nothing', async () => {
    expect(await outcomeOf(logins.open(randomUUID(), CALLER))).toBe('token_revoked');
    expect(await outcomeOf(logins.open('\0', CALLER))).toBe('token_revoked');
    const { id, username } = await api.user();
    await api.get(AccountAdmin).disable(username);
    expect(await outcomeOf(logins.open(id, CALLER))).toBe('token_revoked');
    expect(await rows(id)).toEqual([]);
    await api.get(AccountAdmin).enable(username);
    expect(await outcomeOf(logins.open(id, CALLER))).toBe('accepted');
  });
});

describe('Logins.accessToken', () => {
  let api: TestApp;
  let logins: Logins;
  beforeAll(async () => {
    api = await createTestApp();
    logins = api.get(Logins);
  });
  afterAll(() => api.close());

  const rowOf = async (sid: string) =>
    api.get(Database).selectFrom('sessions').selectAll().where('id', '=', sid).executeTakeFirstOrThrow();

  it('gives another token in the session, never fresh, with claims of its own', async () => {
    const { access, user } = await api.login();
    const { sid } = claimsOf(access);
    const issued = await logins.accessToken(sid, { claims: { file: 7 }, headers: { use: 'download' } });
    expect(issued).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 900 });
    expect(claimsOf(issued.access_token)).toMatchObject({ sub: user.id, sid, fresh: false, file: 7 });
    await api.request('GET', '/profile', issued.access_token).expect(200);
    expectChallenge(await api.request('DELETE', '/profile', issued.access_token), { maxAge: '15m' });
    // The others live on.
    await api.request('GET', '/profile', access).expect(200);
  });

  it('has a life of its own, and logout ends it for all of it', async () => {
    const { access } = await api.login();
    const { sid } = claimsOf(access);
    const { access_token } = await logins.accessToken(sid, { ttl: '3h' });
    expect((await rowOf(sid)).access_until).toBe(claimsOf(access_token).exp! * 1000);
    // A shorter one after it does not shorten the memory.
    expect((await logins.accessToken(sid, { ttl: '1m' })).expires_in).toBe(60);
    expect((await rowOf(sid)).access_until).toBe(claimsOf(access_token).exp! * 1000);
    await api.request('POST', '/auth/logout', access).expect(204);
    api.clock.advance('2h 59m');
    await api.get(Purger).run();
    expectError(await api.request('GET', '/profile', access_token), 401, 'token_revoked');
    api.clock.advance('1m');
    expectError(await api.request('GET', '/profile', access_token), 401, 'token_expired');
  });

  it('never outlives its session', async () => {
    const { id } = await api.user();
    const { sessionId } = await logins.open(id, CALLER, { sessionTtl: '10m' });
    expect((await logins.accessToken(sessionId)).expires_in).toBe(600);
    expect((await logins.accessToken(sessionId, { ttl: '1h' })).expires_in).toBe(600);
  });

  it.each([0, -1, 999, Number.NaN, Infinity, 1e30, false, null, '0s', 'soon'])(
    'takes no lifetime of %p',
    async (ttl) => {
      const { access } = await api.login();
      const { sid } = claimsOf(access);
      const before = await rowOf(sid);
      await expect(logins.accessToken(sid, { ttl: ttl as string })).rejects.toThrow(RangeError);
      expect(await rowOf(sid)).toEqual(before);
    },
  );

  it('refuses reserved claims and headers', async () => {
    const { sid } = claimsOf((await api.login()).access);
    for (const claims of [{ exp: 9e9 }, { type: 'app' }, { fresh: true }, { jti: 'x' }, { sub: 'y' }])
      await expect(logins.accessToken(sid, { claims })).rejects.toThrow('is reserved');
    await expect(logins.accessToken(sid, { headers: { alg: 'none' } })).rejects.toThrow('is reserved');
  });

  it('refuses a session that has ended, has expired or never was, and a disabled user', async () => {
    const ended = await api.login();
    await api.request('POST', '/auth/logout', ended.access).expect(204);
    expect(await outcomeOf(logins.accessToken(claimsOf(ended.access).sid))).toBe('token_revoked');
    expect(await outcomeOf(logins.accessToken(randomUUID()))).toBe('token_revoked');
    const { id, username } = await api.user();
    const { sessionId } = await logins.open(id, CALLER, { sessionTtl: '10m' });
    api.clock.advance('10m');
    expect(await outcomeOf(logins.accessToken(sessionId))).toBe('token_revoked');
    const other = await logins.open(id, CALLER);
    await api.get(AccountAdmin).disable(username);
    expect(await outcomeOf(logins.accessToken(other.sessionId))).toBe('token_revoked');
  });
});
