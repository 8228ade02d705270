import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { AccountAdmin } from '../../src/auth/index.js';
import { Database } from '../../src/database/index.js';
import { expectChallenge, parseChallenge } from '../../src/testing/index.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

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
