import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Response } from 'supertest';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import { Database } from '../../src/database/index.js';
import { PasswordHasher } from '../../src/passwords/password-hasher.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { OnceController } from '../support/once.controller.js';

describeEachEngine('the end of a session', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine, controllers: [OnceController] });
  });
  afterAll(() => api.close());

  const expectDead = async (login: TestLogin) => {
    expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
    expectError(await api.request('GET', '/profile', login.access), 401, 'token_revoked');
    expectError(await api.request('DELETE', '/profile', login.access), 401, 'token_revoked');
  };
  const changePassword = (token: string, current_password: string, new_password: string) =>
    api.request('PUT', '/auth/password', token).send({ current_password, new_password });

  describe('logout', () => {
    it.each(['access', 'refresh'] as const)('by the %s token ends the whole session', async (kind) => {
      const login = await api.login();
      const other = await login.user.login();
      await api.request('POST', '/auth/logout', login[kind]).expect(204);
      await expectDead(login);
      await other.rotate();
    });

    it('works with tokens that have expired, are behind, or belong to a session that has ended', async () => {
      const login = await api.login();
      const first = login.refresh;
      await login.rotate();
      await login.rotate();
      api.clock.advance('1h');
      await api.request('POST', '/auth/logout', first).expect(204);
      await api.request('POST', '/auth/logout', login.access).expect(204);
      expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
      api.clock.advance('60d');
      await api.request('POST', '/auth/logout', login.refresh).expect(204);
    });

    it('requires a token of ours', async () => {
      expectError(await api.request('POST', '/auth/logout'), 401, 'token_missing');
      expectError(await api.request('POST', '/auth/logout', 'a.b.c'), 401, 'token_invalid');
    });
  });

  describe('a change of the password', () => {
    it('opens a new session with a fresh pair, revokes all others, and takes the new password alone', async () => {
      const login = await api.login();
      const others = [await login.user.login(), await login.user.login()];
      const before = login.refresh;
      const response = await changePassword(login.access, login.user.password, 'lunar-dachshund').expect(200);
      const pair = response.body as TokenPairDto;
      expect(response.headers['cache-control']).toBe('no-store');
      for (const other of others) await expectDead(other);
      const { username } = login.user;
      const logins = (password: string) => api.request('POST', '/auth/login').send({ username, password });
      expectError(await logins(login.user.password), 401, 'invalid_credentials');
      await logins('lunar-dachshund').expect(200);
      expect(before).not.toBe(pair.refresh_token);
      await login.tryRefresh(pair.refresh_token).expect(200);
      await api.request('POST', '/once', pair.access_token).send({ status: 400 }).expect(400);
    });

    it('leaves no earlier token that opens anything, not even the fresh one of the change itself', async () => {
      const login = await api.login();
      const { access, refresh } = login;
      const { body } = await changePassword(access, login.user.password, 'lunar-dachshund').expect(200);
      const pair = body as TokenPairDto;
      const uses: [string, () => Promise<Response>][] = [
        ['an ordinary route', () => api.request('GET', '/profile', access)],
        ['a fresh route', () => api.request('DELETE', '/profile', access)],
        ['a once route', () => api.request('POST', '/once', access)],
        ['another change', () => changePassword(access, 'lunar-dachshund', 'martian-poodle')],
        ['refresh', () => login.tryRefresh(refresh)],
        ['refresh with a key', () => login.tryRefresh(refresh, 'a-key-of-some-length')],
        ['reauthenticate', () => login.tryReauthenticate(refresh, 'lunar-dachshund')],
      ];
      for (const [name, use] of uses) {
        const { status, body: refusal } = await use();
        expect([name, status, refusal.errorCode]).toEqual([name, 401, 'token_revoked']);
      }
      await api.request('GET', '/profile', pair.access_token).expect(200);
      await login.tryRefresh(pair.refresh_token).expect(200);
    });

    it('opens a session that lasts as long as the one before was to last', async () => {
      const { user, access } = await api.login();
      const db = api.get(Database);
      const rows = () => db.selectFrom('sessions').selectAll().where('user_id', '=', user.id).execute();
      const [short] = await rows();
      await db
        .updateTable('sessions')
        .set({ expires_at: short!.created_at + 3_600_000 })
        .where('id', '=', short!.id)
        .execute();
      await changePassword(access, user.password, 'lunar-dachshund').expect(200);
      const opened = (await rows()).find(({ id }) => id !== short!.id)!;
      expect(opened.expires_at - opened.created_at).toBe(3_600_000);
      expect(opened.idle_expires_at - opened.created_at).toBe(3_600_000);
    });

    it('and a refresh at the same time leave a session that works', async () => {
      for (let round = 0; round < 5; round++) {
        const login = await api.login();
        const [changed, refreshed] = await Promise.all([
          changePassword(login.access, login.user.password, 'lunar-dachshund'),
          login.tryRefresh(login.refresh),
        ]);
        expect(changed.status).toBe(200);
        expect([200, 401]).toContain(refreshed.status);
        await login.tryRefresh((changed.body as TokenPairDto).refresh_token).expect(200);
      }
    });

    it('refuses a wrong current password and a new one that is too short, and changes nothing', async () => {
      const login = await api.login();
      expectError(await changePassword(login.access, 'wrong', 'lunar-dachshund'), 401, 'invalid_credentials');
      const short = await changePassword(login.access, login.user.password, 'short');
      expectError(short, 400, 'validation_failed');
      expect(short.body.errors).toEqual([
        { field: 'new_password', messages: [expect.stringContaining('8')] },
      ]);
      await login.user.login();
      await login.rotate();
    });

    it('requires a fresh token', async () => {
      const login = await api.login();
      await login.rotate();
      expectError(
        await changePassword(login.access, login.user.password, 'new-password'),
        401,
        'fresh_token_required',
      );
    });

    it('leaves no session of the old password behind, however logins race with it', async () => {
      for (let round = 0; round < 10; round++) {
        const login = await api.login();
        const { username, password } = login.user;
        const logins = Array.from({ length: 8 }, async () =>
          api.request('POST', '/auth/login').send({ username, password }),
        );
        await changePassword(login.access, password, 'lunar-dachshund').expect(200);
        for (const { status, body } of await Promise.all(logins)) {
          if (status === 401) continue;
          const { access_token, refresh_token } = body as TokenPairDto;
          expectError(await login.tryRefresh(refresh_token), 401, 'token_revoked');
          expectError(await api.request('GET', '/profile', access_token), 401, 'token_revoked');
        }
      }
    });
  });

  it('a login whose password was just being proved when it changed leaves no session', async () => {
    const login = await api.login();
    const { username, password } = login.user;
    const hasher = api.get(PasswordHasher);
    const verify = hasher.verify.bind(hasher);
    hasher.verify = async (...args) => {
      // The change proves the password as well, and is not held up in its turn.
      hasher.verify = verify;
      const proved = await verify(...args);
      await changePassword(login.access, password, 'lunar-dachshund').expect(200);
      return proved;
    };
    try {
      const late = await api.request('POST', '/auth/login').send({ username, password });
      expectError(late, 401, 'invalid_credentials');
    } finally {
      hasher.verify = verify;
    }
    const rows = await api
      .get(Database)
      .selectFrom('sessions')
      .select('id')
      .where('user_id', '=', login.user.id)
      .execute();
    // The one that was there, and the one that the change has opened.
    expect(rows).toHaveLength(2);
  });

  describe('deletion of the account', () => {
    it('ends all its sessions, frees the name, and is for fresh tokens', async () => {
      const login = await api.login();
      const other = await login.user.login();
      await other.rotate();
      expectError(await api.request('DELETE', '/profile', other.access), 401, 'fresh_token_required');
      await api.request('DELETE', '/profile', login.access).expect(204);
      await expectDead(login);
      expectError(await other.tryRefresh(other.refresh), 401, 'token_revoked');
      const { username, password } = login.user;
      expectError(
        await api.request('POST', '/auth/login').send({ username, password }),
        401,
        'invalid_credentials',
      );
      await api.user(username);
    });
  });
});
