import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import { Database } from '../../src/database/index.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

const generationIn = async (api: TestApp, token: string) =>
  (
    await api
      .get(Database)
      .selectFrom('sessions')
      .select('generation')
      .where('id', '=', claimsOf(token).sid)
      .executeTakeFirstOrThrow()
  ).generation;

describeEachEngine('refresh', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());

  it('gives the next refresh token and an access token that is not fresh, however soon', async () => {
    const login = await api.login();
    const before = claimsOf(login.access);
    const response = await login.tryRefresh(login.refresh).expect(200);
    expect(response.headers['cache-control']).toBe('no-store');
    const pair = response.body as TokenPairDto;
    expect(pair).toMatchObject({ token_type: 'Bearer', expires_in: 900, refresh_expires_in: 1_209_600 });
    expect(claimsOf(pair.access_token)).toMatchObject({
      fresh: false,
      sid: before.sid,
      auth_time: before.auth_time,
    });
    expect(claimsOf(pair.refresh_token)).toMatchObject({ gen: 1, sid: before.sid });
    await api.request('GET', '/profile', pair.access_token).expect(200);
  });

  it('never moves auth_time, over 50 refreshes', async () => {
    const login = await api.login();
    const { auth_time, amr } = claimsOf(login.access);
    for (let i = 0; i < 50; i++) {
      api.clock.advance('11s');
      await login.rotate();
    }
    expect(claimsOf(login.access)).toMatchObject({ fresh: false, auth_time, amr });
    expect(claimsOf(login.refresh)).toMatchObject({ gen: 50 });
  });

  it('advances the generation once under 50 parallel refreshes, and gives all the same successor', async () => {
    for (let round = 0; round < 5; round++) {
      const login = await api.login();
      const answers = await Promise.all(Array.from({ length: 50 }, () => login.tryRefresh(login.refresh)));
      expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
      const successors = new Set(answers.map(({ body }) => (body as TokenPairDto).refresh_token));
      expect(successors.size).toBe(1);
      const [successor] = successors;
      expect(await generationIn(api, login.refresh)).toBe(1);
      await login.tryRefresh(String(successor)).expect(200);
    }
  });

  it('keeps every token within the session: the refresh token ends with it, and so does the access token', async () => {
    const login = await api.login();
    const end = claimsOf(login.access).auth_time + 30 * 86_400;
    for (const step of ['10d', '10d', '9d 23h 50m']) {
      api.clock.advance(step);
      await login.rotate();
    }
    expect(claimsOf(login.refresh).exp).toBe(end);
    expect(claimsOf(login.access).exp).toBe(end);
    api.clock.advance('10m');
    expectError(await login.tryRefresh(login.refresh), 401, 'token_expired');
    expectError(await api.request('GET', '/profile', login.access), 401, 'token_expired');
  });

  it('lets a refresh token that lies unused die after its own life', async () => {
    const login = await api.login();
    api.clock.advance('13d 23h 59m 59s');
    await login.rotate();
    api.clock.advance('14d');
    expect(expectError(await login.tryRefresh(login.refresh), 401, 'token_expired')).toBe(
      'Token has expired',
    );
  });

  describe('a token that is one behind', () => {
    it('with the key that made its successor gets that successor again, a second, an hour and a week later', async () => {
      const login = await api.login();
      const [first, key] = [login.refresh, 'attempt-1'];
      const { refresh_token } = await login.rotate(key);
      for (const later of ['1s', '1h', '7d']) {
        api.clock.advance(later);
        const { body } = await login.tryRefresh(first, key).expect(200);
        expect((body as TokenPairDto).refresh_token).toBe(refresh_token);
        expect(claimsOf((body as TokenPairDto).access_token).fresh).toBe(false);
      }
      await login.rotate('attempt-2');
    });

    it('without keys gets the successor within the grace, which does not slide', async () => {
      const login = await api.login();
      const first = login.refresh;
      const { refresh_token } = await login.rotate();
      for (const _ of [1, 2]) {
        api.clock.advance('5s');
        const { body } = await login.tryRefresh(first).expect(200);
        expect((body as TokenPairDto).refresh_token).toBe(refresh_token);
      }
      api.clock.advance('1s');
      expectError(await login.tryRefresh(first), 401, 'refresh_token_reused');
      expectError(await login.tryRefresh(refresh_token), 401, 'token_revoked');
    });

    it.each([
      ['another key', 'a', 'b'],
      ['no key where a key made the successor', 'a', undefined],
      ['a key where none made the successor', undefined, 'b'],
    ])('with %s is reuse: the session ends, the others of the user live', async (_, made, presented) => {
      const login = await api.login();
      const other = await login.user.login();
      const first = login.refresh;
      await login.rotate(made);
      expectError(await login.tryRefresh(first, presented), 401, 'refresh_token_reused');
      expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
      expectError(await api.request('GET', '/profile', login.access), 401, 'token_revoked');
      await other.rotate();
    });
  });

  it('treats a token two behind as reuse, also when all happens within one second', async () => {
    const login = await api.login();
    const first = login.refresh;
    await login.rotate();
    await login.rotate();
    expectError(await login.tryRefresh(first), 401, 'refresh_token_reused');
    expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
    expectError(await api.request('GET', '/profile', login.access), 401, 'token_revoked');
  });

  it('refuses the key that made the token it is sent with, and changes nothing', async () => {
    const login = await api.login();
    await login.rotate('attempt');
    expectError(await login.tryRefresh(login.refresh, 'attempt'), 400, 'idempotency_key_reused');
    await login.rotate('next attempt'.replace(' ', '-'));
  });

  it('ends the session of a token that is ahead of the row: the database was restored', async () => {
    const login = await api.login();
    await login.rotate();
    await login.rotate();
    const sid = claimsOf(login.refresh).sid;
    await api.get(Database).updateTable('sessions').set({ generation: 1 }).where('id', '=', sid).execute();
    expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
    const row = await api
      .get(Database)
      .selectFrom('sessions')
      .selectAll()
      .where('id', '=', sid)
      .executeTakeFirst();
    expect(row).toMatchObject({ revoke_cause: 'rolled_back', generation: 1 });
  });

  it.each([
    ['empty', ''],
    ['with a space', 'a b'],
    ['256 characters long', 'x'.repeat(256)],
    ['not ASCII', 'schlüssel'],
  ])('refuses an Idempotency-Key that is %s, and rotates nothing', async (_, key) => {
    const login = await api.login();
    const response = await login.tryRefresh(login.refresh, key);
    expectError(response, 400, 'validation_failed');
    expect(response.body.errors).toEqual([{ field: 'Idempotency-Key', messages: [expect.any(String)] }]);
    expect(await generationIn(api, login.refresh)).toBe(0);
    await login.tryRefresh(login.refresh, 'x'.repeat(255)).expect(200);
  });

  it('has 256 bits of MAC, and no part of another generation makes one good', async () => {
    const login = await api.login();
    const first = login.refresh;
    await login.rotate('a-key');
    const [one, two] = [first.split('.'), login.refresh.split('.')];
    expect(Buffer.from(two[2]!, 'base64url')).toHaveLength(32);
    for (const mixed of [
      [one[0], two[1], one[2]],
      [two[0], two[1], `${one[2]!.slice(0, 20)}${two[2]!.slice(20)}`],
    ]) {
      expectError(await login.tryRefresh(mixed.join('.')), 401, 'token_invalid');
    }
    await login.rotate();
  });

  it('does not revoke for a token whose signature is wrong: garbage is not reuse', async () => {
    const login = await api.login();
    const first = login.refresh;
    await login.rotate();
    await login.rotate();
    const [head, body, signature = ''] = first.split('.');
    const forged = [head, body, (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1)].join('.');
    expectError(await login.tryRefresh(forged), 401, 'token_invalid');
    await login.rotate();
  });

  it('keeps nothing in the database that could be replayed', async () => {
    const login = await api.login();
    await login.rotate('the-key');
    const rows = await api.get(Database).selectFrom('sessions').selectAll().execute();
    const dump = JSON.stringify(rows);
    for (const secret of [login.refresh, login.access, ...login.refresh.split('.'), 'the-key']) {
      expect(dump).not.toContain(secret);
    }
  });
});

describeEachEngine('reauthenticate', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());

  it('proves the password again: the next pair is fresh, of the same session, and auth_time is now', async () => {
    const login = await api.login();
    const { sid } = claimsOf(login.access);
    api.clock.advance('20m');
    await login.rotate();
    await login.reauthenticate();
    expect(claimsOf(login.access)).toMatchObject({ fresh: true, sid, auth_time: api.clock.now() / 1000 });
    expect(claimsOf(login.refresh)).toMatchObject({ gen: 2 });
    await login.rotate();
    expect(claimsOf(login.access)).toMatchObject({ fresh: false, auth_time: api.clock.now() / 1000 });
  });

  it('retires its refresh token; an older access token gets no fresher by it', async () => {
    const login = await api.login();
    const { access: first, refresh: old } = login;
    await login.rotate();
    const stale = login.access;
    api.clock.advance('1m');
    await login.reauthenticate('a-key');
    const shown = [first, stale, login.access].map(async (token) => {
      const { fresh, auth_time } = (await api.request('GET', '/profile', token).expect(200)).body;
      return [fresh, auth_time - api.clock.now() / 1000];
    });
    expect(await Promise.all(shown)).toEqual([
      [true, -60],
      [false, -60],
      [true, 0],
    ]);
    expectError(await login.tryRefresh(old), 401, 'refresh_token_reused');
  });

  it('answers a wrong password with 401 and changes nothing', async () => {
    const login = await api.login();
    expectError(await login.tryReauthenticate(login.refresh, 'wrong'), 401, 'invalid_credentials');
    await login.rotate();
    expect(claimsOf(login.refresh)).toMatchObject({ gen: 1 });
  });

  it('wants the password of the session’s own user', async () => {
    const login = await api.login();
    const other = { username: 'other', password: 'other-password' };
    await api.request('POST', '/auth/register').send(other).expect(201);
    expectError(await login.tryReauthenticate(login.refresh, other.password), 401, 'invalid_credentials');
    expect(await generationIn(api, login.refresh)).toBe(0);
    await login.rotate();
  });

  it('replays with the same key, and is fresh again', async () => {
    const login = await api.login();
    const first = login.refresh;
    await login.reauthenticate('step-up');
    api.clock.advance('1h');
    const { body } = await login.tryReauthenticate(first, login.user.password, 'step-up').expect(200);
    expect((body as TokenPairDto).refresh_token).toBe(login.refresh);
    expect(claimsOf((body as TokenPairDto).access_token)).toMatchObject({
      fresh: true,
      auth_time: api.clock.now() / 1000,
    });
  });

  it('may be replayed by a refresh with its key, not fresh', async () => {
    const login = await api.login();
    const first = login.refresh;
    await login.reauthenticate('step-up');
    const { body } = await login.tryRefresh(first, 'step-up').expect(200);
    expect((body as TokenPairDto).refresh_token).toBe(login.refresh);
    expect(claimsOf((body as TokenPairDto).access_token).fresh).toBe(false);
  });

  it('ends the session on reuse before it looks at the password', async () => {
    const login = await api.login();
    const first = login.refresh;
    await login.rotate('a');
    expectError(await login.tryReauthenticate(first, 'wrong', 'b'), 401, 'refresh_token_reused');
    expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
  });

  it('is no oracle: for a session that has ended, right and wrong passwords get the same answer', async () => {
    const login = await api.login();
    await api.request('POST', '/auth/logout', login.access).expect(204);
    const right = await login.tryReauthenticate(login.refresh, login.user.password);
    const wrong = await login.tryReauthenticate(login.refresh, 'wrong');
    expectError(right, 401, 'token_revoked');
    expect(wrong.body).toEqual(right.body);
  });

  it('demands a body with a password', async () => {
    const login = await api.login();
    const response = await api.request('POST', '/auth/reauthenticate', login.refresh).send({});
    expectError(response, 400, 'validation_failed');
  });
});
