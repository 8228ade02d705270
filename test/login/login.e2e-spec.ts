import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { decode } from 'jsonwebtoken';
import { type Response } from 'supertest';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import { Database } from '../../src/database/index.js';
import { parseChallenge } from '../../src/testing/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

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
