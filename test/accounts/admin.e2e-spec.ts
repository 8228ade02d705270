import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AccountAdmin, ApiError } from '../../src/auth/index.js';
import { Database } from '../../src/database/index.js';
import { PasswordHasher } from '../../src/passwords/password-hasher.js';
import { UserStore } from '../../src/users/user-store.js';
import { expectChallenge, parseChallenge } from '../../src/testing/index.js';
import { createTestApp, type TestApp, type TestLogin, type TestUser } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

const NEW_PASSWORD = 'lunar-dachshund';

describeEachEngine('account administration by an operator', (engine) => {
  let api: TestApp;
  let admin: AccountAdmin;
  beforeAll(async () => {
    api = await createTestApp({ engine });
    admin = api.get(AccountAdmin);
  });
  afterAll(() => api.close());

  const tryLogin = async ({ username }: Pick<TestUser, 'username'>, password = 'space-corgi') =>
    api.request('POST', '/auth/login').send({ username, password });
  const expectDead = async (login: TestLogin) => {
    expectError(await api.request('GET', '/profile', login.access), 401, 'token_revoked');
    expectError(await api.request('DELETE', '/profile', login.access), 401, 'token_revoked');
    expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
    expectError(await login.tryReauthenticate(login.refresh, 'space-corgi'), 401, 'token_revoked');
  };
  const trailOf = async (subject: string) =>
    api
      .get(Database)
      .selectFrom('audit_events')
      .select(['event', 'cause', 'actor_id', 'outcome', 'user_agent'])
      .where('subject_id', '=', subject)
      .orderBy('id')
      .execute();
  const causesOf = async (user: TestUser) =>
    api
      .get(Database)
      .selectFrom('sessions')
      .select('revoke_cause')
      .where('user_id', '=', user.id)
      .orderBy('id')
      .execute()
      .then((rows) => rows.map((row) => row.revoke_cause));
  const codeOf = async (work: Promise<unknown>) =>
    work.then(
      () => 'done',
      (error: unknown) => (error instanceof ApiError ? error.errorCode : error),
    );

  it('create: an account that can log in, by the rules of registration', async () => {
    const account = await admin.create('Nova-1', 'space-corgi', ['ops', 'admin', 'ops']);
    expect(account).toMatchObject({ username: 'nova-1', roles: ['ops', 'admin'], disabledAt: null });
    expect((await tryLogin({ username: 'nova-1' })).status).toBe(200);
    expect(await trailOf(account.id)).toMatchObject([
      { event: 'user_created', cause: 'roles ops admin', actor_id: null, user_agent: 'operator' },
      { event: 'authn_login_success' },
    ]);
    expect(await codeOf(admin.create('nova-1', 'space-corgi'))).toBe('username_taken');
    for (const [name, password] of [
      ['x', 'space-corgi'],
      ['nova 2', 'space-corgi'],
      ['nova-2', 'short'],
      ['nova-2', 'x'.repeat(257)],
      ['nova-2', 'half \ud800 a letter'],
    ] as const)
      expect(await codeOf(admin.create(name, password))).toBe('validation_failed');
    expect(await codeOf(admin.create('nova-2', 'space-corgi', ['Admin']))).toBe('validation_failed');
    expect(await api.get(UserStore).findByUsername('nova-2')).toBeUndefined();
  });

  it('disable: password and tokens are refused as if they were wrong; enable: they work again', async () => {
    const { user } = await api.login();
    const [login, other] = [await user.login(), await user.login()];
    const disabled = await admin.disable(user.username.toUpperCase());
    expect(disabled.disabledAt).toBe(api.clock.now());
    for (const each of [login, other]) await expectDead(each);
    const wrong = await tryLogin(user, 'wrong-password');
    const right = await tryLogin(user);
    expectError(right, 401, 'invalid_credentials');
    expect(right.body).toEqual(wrong.body);
    expect(right.headers['www-authenticate']).toBe(wrong.headers['www-authenticate']);
    expect(await causesOf(user)).toEqual(Array(3).fill('account_disabled'));

    api.clock.advance('1m');
    // A repetition changes nothing.
    expect((await admin.disable(user.username)).disabledAt).toBe(disabled.disabledAt);
    await admin.enable(user.username);
    await user.login();
    expect((await trailOf(user.id)).map(({ event, cause }) => [event, cause]).slice(-6)).toEqual([
      ['authn_login_lock', 'account_disabled'],
      ['authn_login_fail', 'wrong_password'],
      ['authn_login_fail', 'account_disabled'],
      ['authn_login_lock', 'account_disabled'],
      ['user_updated', 'account_enabled'],
      ['authn_login_success', null],
    ]);
  });

  it('a user whom another program disabled: every proof of the password fails, and a refresh', async () => {
    const login = await api.login();
    const set = (disabled_at: number | null) =>
      api.get(Database).updateTable('users').set({ disabled_at }).where('id', '=', login.user.id).execute();
    await set(1);
    expectError(await login.tryReauthenticate(login.refresh, 'space-corgi'), 401, 'invalid_credentials');
    const body = { current_password: 'space-corgi', new_password: NEW_PASSWORD };
    const change = await api.request('PUT', '/auth/password', login.access).send(body);
    expectError(change, 401, 'invalid_credentials');
    expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
    await set(null);
    // Nothing was rotated meanwhile.
    await login.rotate();
  });

  it('reset the password: the old one and all tokens are refused', async () => {
    const login = await api.login();
    const others = [await login.user.login(), await login.user.login()];
    expect(await codeOf(admin.resetPassword(login.user.username, 'short'))).toBe('validation_failed');
    await admin.resetPassword(login.user.username, NEW_PASSWORD);
    for (const each of [login, ...others]) await expectDead(each);
    expectError(await tryLogin(login.user), 401, 'invalid_credentials');
    expect((await tryLogin(login.user, NEW_PASSWORD)).status).toBe(200);
    expect(await causesOf(login.user)).toEqual([...Array<string>(3).fill('password_reset'), null]);
    expect((await trailOf(login.user.id)).at(-3)).toMatchObject({
      event: 'authn_password_change',
      cause: 'password_reset',
    });
  });

  it('grant and revoke: change a role once, are audited, and are refused where they would change nothing', async () => {
    const { user } = await api.login();
    await admin.grant(user.username, 'admin');
    await admin.grant(user.username, 'admin');
    expect(await admin.grant(user.username, 'ops')).toMatchObject({ roles: ['admin', 'ops'] });
    expect(await causesOf(user)).toEqual([null]);
    expect(await codeOf(admin.grant(user.username, 'two words'))).toBe('validation_failed');
    expect(await codeOf(admin.revoke(user.username, 'opps'))).toBe('role_not_granted');
    expect(await causesOf(user)).toEqual([null]);
    expect(await admin.revoke(user.username, 'admin')).toMatchObject({ roles: ['ops'] });
    expect(await causesOf(user)).toEqual(['role_revoked']);
    expect((await trailOf(user.id)).map(({ event, cause }) => [event, cause]).slice(-3)).toEqual([
      ['authz_change', 'granted admin'],
      ['authz_change', 'granted ops'],
      ['authz_change', 'revoked admin'],
    ]);
    for (let i = 2; i <= 16; i++) await admin.grant(user.username, `r${i}`);
    expect(await codeOf(admin.grant(user.username, 'r17'))).toBe('validation_failed');
  });

  it('every command refuses an unknown user', async () => {
    for (const name of ['nobody-there', '', 'a b', '\u0000'])
      expect(await codeOf(admin.disable(name))).toBe('not_found');
  });

  it('list: every account once, by name, across pages, and without the hash', async () => {
    const store = api.get(UserStore);
    await api.get(Database).inTransaction(async (tx) => {
      for (let i = 0; i < 401; i++)
        await store.create(tx, { username: `many.${i}`, passwordHash: 'none', roles: [], createdAt: 0 });
    });
    const all = await admin.list();
    expect(all.filter(({ username }) => username.startsWith('many.'))).toHaveLength(401);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(JSON.stringify(all)).not.toContain('argon2');
  });

  it.each([
    ['disable', (name: string) => admin.disable(name)],
    ['revoke', (name: string) => admin.revoke(name, 'admin')],
    ['grant', (name: string) => admin.grant(name, 'other')],
    ['reset', (name: string) => admin.resetPassword(name, NEW_PASSWORD)],
  ])('%s: a login whose password was just being proved leaves no session', async (_, act) => {
    const user = await api.user();
    await admin.grant(user.username, 'admin');
    const hasher = api.get(PasswordHasher);
    const verify = hasher.verify.bind(hasher);
    hasher.verify = async (...args) => {
      const proved = await verify(...args);
      await act(user.username);
      return proved;
    };
    try {
      expectError(await tryLogin(user), 401, 'invalid_credentials');
    } finally {
      hasher.verify = verify;
    }
    expect(await causesOf(user)).toEqual([]);
  });

  it('of changes that come at once, none is lost', async () => {
    const user = await api.user();
    const roles = ['a', 'b', 'c', 'd'];
    await Promise.all(roles.map((role) => admin.grant(user.username, role)));
    const found = await api.get(UserStore).findByUsername(user.username);
    expect(found?.roles.toSorted()).toEqual(roles);
    expect(found?.credentialVersion).toBe(5);
  });
});

describeEachEngine('administrators', (engine) => {
  let api: TestApp;
  let admin: TestLogin;
  beforeAll(async () => {
    api = await createTestApp({ engine });
    const user = await api.user();
    await api.get(AccountAdmin).grant(user.username, 'admin');
    admin = await user.login();
  });
  afterAll(() => api.close());

  const list = (id: string, by = admin) => api.request('GET', `/admin/users/${id}/sessions`, by.access);
  const end = (id: string, by = admin) => api.request('DELETE', `/admin/users/${id}/sessions`, by.access);

  it('see the sessions of a user, as the user does, but none of them is their own', async () => {
    const login = await api.login();
    await login.user.login();
    const own = await api.request('GET', '/auth/sessions', login.access).expect(200);
    const response = await list(login.user.id).expect(200);
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.body).toHaveLength(2);
    expect(response.body).toEqual((own.body as object[]).map((session) => ({ ...session, current: false })));
    const { body } = await list(admin.user.id).expect(200);
    expect(body).toMatchObject([{ current: true }]);
  });

  it('revoke all sessions of one user at once; the audit trail names the administrator', async () => {
    const [login, bystander] = [await api.login(), await api.login()];
    const other = await login.user.login();
    await end(login.user.id).expect(204);
    for (const each of [login, other]) {
      expectError(await api.request('GET', '/profile', each.access), 401, 'token_revoked');
      expectError(await each.tryRefresh(each.refresh), 401, 'token_revoked');
    }
    await bystander.rotate();
    await login.user.login();
    const events = await api
      .get(Database)
      .selectFrom('audit_events')
      .selectAll()
      .where('cause', '=', 'revoked_by_admin')
      .where('subject_id', '=', login.user.id)
      .execute();
    expect(events).toMatchObject([
      { event: 'session_revoked', outcome: 'success', actor_id: admin.user.id, session_id: null },
    ]);
    expect((await list(login.user.id)).body).toHaveLength(1);
  });

  it('must hold the role', async () => {
    const login = await api.login();
    for (const response of [await list(admin.user.id, login), await end(admin.user.id, login)]) {
      expectError(response, 403, 'insufficient_role');
      expect(parseChallenge(response)).toMatchObject({ error: 'insufficient_scope' });
    }
    await admin.rotate();
    await list(login.user.id).expect(200);
  });

  it('must prove their password before they revoke anything', async () => {
    const login = await api.login();
    await admin.rotate();
    expectChallenge(await end(login.user.id), { maxAge: '15m' });
    await login.rotate();
    await admin.reauthenticate();
    await end(login.user.id).expect(204);
  });

  it.each([
    ['an unknown id', randomUUID()],
    ['no id', 'nobody'],
    ['a NUL', '%00'],
    ['a number', '1'],
    ['an id and more', '01a20ebb-1120-710a-87e7-ef0c55bd0c74%20'],
  ])('get 404 for an unknown user: %s', async (_, id) => {
    await admin.reauthenticate();
    expectError(await list(id), 404, 'not_found');
    expectError(await end(id), 404, 'not_found');
  });
});
