import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { AccountAdmin } from '../../src/auth/index.js';
import { Database } from '../../src/database/index.js';
import { type TokenAgent } from '../../src/testing/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { enrolled, loginWith } from '../support/factors.js';
import { expectError } from '../support/expect-error.js';

describeEachEngine('administration of users', (engine) => {
  let api: TestApp;
  let admin: TokenAgent;
  beforeAll(async () => {
    api = await createTestApp({ engine });
    admin = await api.as('zoe').role('admin').fresh();
  });
  afterAll(() => api.close());

  const namesOf = (body: { items: { username: string }[] }) => body.items.map(({ username }) => username);
  const lastEvents = async (subject: string, count: number) =>
    (
      await api
        .get(Database)
        .selectFrom('audit_events')
        .selectAll()
        .where('subject_id', '=', subject)
        .orderBy('id', 'desc')
        .limit(count)
        .execute()
    ).map(({ event, cause, actor_id }) => [event, cause, actor_id]);

  it('needs the role, and a fresh token for each change', async () => {
    const user = await api.as('nosy').fresh();
    const stale = await api.as('zoe').stale();
    const path = `/admin/users/${user.user.id}`;
    for (const each of [
      await user.get('/admin/users'),
      await user.get(path),
      await user.get('/admin/audit'),
      await user.patch(path).send({ roles: ['admin'] }),
      await user.delete(path),
    ])
      expectError(each, 403, 'insufficient_role');
    await stale.get('/admin/users').expect(200);
    await stale.get(path).expect(200);
    await stale.get('/admin/audit').expect(200);
    expectError(await stale.patch(path).send({ roles: ['admin'] }), 401, 'fresh_token_required');
    expectError(await stale.delete(path), 401, 'fresh_token_required');
  });

  it('lists users by name in pages, and finds them by name, address, role and state', async () => {
    for (const name of ['list_1', 'list_2', 'listx3', 'list.4', 'list.5']) await api.user(name);
    const { id } = await api.user('list.5');
    const db = api.get(Database);
    await db.updateTable('users').set({ email: 'star_dog@app.example' }).where('id', '=', id).execute();
    await api.get(AccountAdmin).grant('list_1', 'ops_a');
    await api.get(AccountAdmin).grant('list_2', 'opsxa');
    await api.get(AccountAdmin).disable('listx3');

    const pages: string[][] = [];
    let cursor: string | null = null;
    do {
      const query: Record<string, string> = { query: 'list', limit: '2', ...(cursor ? { cursor } : {}) };
      const { body } = await admin.get('/admin/users').query(query).expect(200);
      pages.push(namesOf(body));
      cursor = body.next_cursor;
    } while (cursor);
    expect(pages.flat().toSorted()).toEqual(['list.4', 'list.5', 'list_1', 'list_2', 'listx3']);
    expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);

    const find = async (query: object) => {
      const { body, headers } = await admin.get('/admin/users').query(query).expect(200);
      expect(headers['cache-control']).toBe('no-store');
      return namesOf(body);
    };
    expect(await find({ query: 'LIST_' })).toEqual(['list_1', 'list_2']);
    expect(await find({ query: '%' })).toEqual([]);
    expect(await find({ query: '\\' })).toEqual([]);
    expect(await find({ query: 'r_DOG@' })).toEqual(['list.5']);
    expect(await find({ role: 'ops_a' })).toEqual(['list_1']);
    expect(await find({ role: 'admin' })).toEqual(['zoe']);
    expect(await find({ query: 'list', disabled: 'true' })).toEqual(['listx3']);
    expect(await find({ query: 'list', disabled: 'false' })).not.toContain('listx3');
    expect(await find({ role: 'ops_a', disabled: 'true' })).toEqual([]);
  });

  it.each([
    { limit: '0' },
    { limit: '101' },
    { limit: '1e1' },
    { role: 'Admin' },
    { disabled: 'yes' },
    { query: '' },
    { query: 'a\0b' },
    { query: 'x'.repeat(257) },
    { cursor: '\0' },
    { sort: 'name' },
    { role: ['a', 'b'] },
  ])('refuses a wrong list: %j', async (query) => {
    expectError(await admin.get('/admin/users').query(query), 400, 'validation_failed');
  });

  it('shows a user, without the hash', async () => {
    const { user } = await api.login();
    const { body } = await admin.get(`/admin/users/${user.id}`).expect(200);
    expect(body).toEqual({
      id: user.id,
      username: user.username,
      email: null,
      roles: [],
      disabled_at: null,
      created_at: new Date(api.clock.now()).toISOString(),
    });
  });

  it.each([
    ['an unknown id', randomUUID()],
    ['no id', 'nobody'],
    ['a NUL', '%00'],
  ])('answers 404 for %s', async (_, id) => {
    const path = `/admin/users/${id}`;
    expectError(await admin.get(path), 404, 'not_found');
    expectError(await admin.patch(path).send({ disabled: true }), 404, 'not_found');
    expectError(await admin.delete(path), 404, 'not_found');
  });

  it('a granted role comes with the next refresh; a revoked one revokes the sessions at once', async () => {
    const login = await api.login();
    const path = `/admin/users/${login.user.id}`;
    const granted = await admin
      .patch(path)
      .send({ roles: ['ops', 'admin', 'ops'] })
      .expect(200);
    expect(granted.body.roles).toEqual(['ops', 'admin']);
    await login.rotate();
    await api.request('GET', '/admin/users', login.access).expect(200);
    // A repetition changes nothing.
    await admin
      .patch(path)
      .send({ roles: ['admin', 'ops'], disabled: false })
      .expect(200);
    await admin.patch(path).send({}).expect(200);
    await api.request('GET', '/admin/users', login.access).expect(200);

    await admin
      .patch(path)
      .send({ roles: ['ops', 'dev'] })
      .expect(200);
    expectError(await api.request('GET', '/admin/users', login.access), 401, 'token_revoked');
    expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
    expect(await lastEvents(login.user.id, 2)).toEqual([
      ['authz_change', 'granted dev, revoked admin', admin.user.id],
      ['authz_change', 'granted ops admin', admin.user.id],
    ]);
  });

  it('a disabled user is locked out at once, and may log in when enabled again', async () => {
    const login = await api.login();
    const path = `/admin/users/${login.user.id}`;
    const { body } = await admin
      .patch(path)
      .send({ disabled: true, roles: ['ops'] })
      .expect(200);
    expect(body).toMatchObject({ roles: ['ops'], disabled_at: new Date(api.clock.now()).toISOString() });
    expectError(await api.request('GET', '/profile', login.access), 401, 'token_revoked');
    const { username, password } = login.user;
    expectError(
      await api.request('POST', '/auth/login').send({ username, password }),
      401,
      'invalid_credentials',
    );
    expect((await admin.patch(path).send({ disabled: false }).expect(200)).body.disabled_at).toBeNull();
    await login.user.login();
    const events = await lastEvents(login.user.id, 5);
    expect(events.filter(([, , actor]) => actor === admin.user.id)).toEqual([
      ['user_updated', 'account_enabled', admin.user.id],
      ['authn_login_lock', 'account_disabled', admin.user.id],
      ['authz_change', 'granted ops', admin.user.id],
    ]);
  });

  it('a created user sets the password by the mail, and nobody knew it before', async () => {
    const { body } = await admin
      .post('/admin/users')
      .send({ username: 'New-User', email: 'New@App.example', roles: ['ops'] })
      .expect(201);
    expect(body).toMatchObject({ username: 'new-user', email: 'new@app.example', roles: ['ops'] });
    expect(await lastEvents(body.id, 1)).toEqual([['user_created', 'roles ops', admin.user.id]]);
    const login = (username: string, password: string) =>
      api.request('POST', '/auth/login').send({ username, password });
    expectError(await login('new-user', '!'), 401, 'invalid_credentials');
    const token = await api.mails.to('new@app.example').last().token;
    const set = { token, new_password: 'lunar-dachshund' };
    await api.request('POST', '/auth/password/reset').send(set).expect(204);
    await login('new-user', 'lunar-dachshund').expect(200);
    await login('new@app.example', 'lunar-dachshund').expect(200);

    const nameless = await admin.post('/admin/users').send({ email: 'nameless@app.example' }).expect(201);
    expect(nameless.body).toMatchObject({ username: null, email: 'nameless@app.example' });
    const create = (user: object) => admin.post('/admin/users').send(user);
    expectError(await create({ username: 'new-user', email: 'x@app.example' }), 409, 'username_taken');
    expectError(await create({ username: 'newer', email: 'NEW@app.example' }), 409, 'email_taken');
    for (const wrong of [
      {},
      { username: 'no-email' },
      { email: 'a@b@c.example' },
      { email: 'a@b.example,c@d.example' },
      { email: 'a@b.example', username: 'x' },
      { email: 'a@b.example', username: null },
      { email: 'a@b.example', roles: ['Admin'] },
      { email: 'a@b.example', password: 'space-corgi' },
    ])
      expectError(await create(wrong), 400, 'validation_failed');
  });

  it('a reset makes the password void, revokes the sessions and sends a mail', async () => {
    const user = await api.user(undefined, { email: 'reset@app.example' });
    const login = await user.login();
    const path = `/admin/users/${user.id}/reset-password`;
    await admin.post(path).expect(202);
    expectError(await api.request('GET', '/profile', login.access), 401, 'token_revoked');
    const { username, password } = user;
    const tryLogin = (given: string) =>
      api.request('POST', '/auth/login').send({ username, password: given });
    expectError(await tryLogin(password), 401, 'invalid_credentials');
    expect(await lastEvents(user.id, 2)).toEqual([
      ['authn_login_fail', 'wrong_password', null],
      ['authn_password_change', 'password_reset', admin.user.id],
    ]);
    const mails = await api.mails.to('reset@app.example').all();
    const link = mails.map(({ link: each }) => each).find((each) => each !== undefined);
    const token = new URL(String(link)).href.split('token=')[1] ?? '';
    await api
      .request('POST', '/auth/password/reset')
      .send({ token, new_password: 'lunar-dachshund' })
      .expect(204);
    expect((await tryLogin('lunar-dachshund')).status).toBe(200);
  });

  it('a reset changes nothing where no mail would arrive', async () => {
    const [without, disabled] = [await api.user(), await api.user(undefined, { email: 'off@app.example' })];
    await api.get(AccountAdmin).disable(disabled.username);
    for (const each of [without, disabled])
      expectError(await admin.post(`/admin/users/${each.id}/reset-password`), 409, 'no_mail');
    await without.login();
    expectError(await admin.post(`/admin/users/${randomUUID()}/reset-password`), 404, 'not_found');
  });

  it('second factors are removed for a user who has lost them', async () => {
    const { user } = await enrolled(api);
    const path = `/admin/users/${user.id}/reset-factors`;
    expectError(await loginWith(api, user), 401, 'second_factor_required');
    await admin.post(path).expect(204);
    await loginWith(api, user).expect(200);
    expect((await lastEvents(user.id, 2))[1]).toEqual([
      'authn_factor_removed',
      'reset_by_admin',
      admin.user.id,
    ]);
    expectError(await admin.post(path), 404, 'not_found');
    expectError(await admin.post('/admin/users/nobody/reset-factors'), 404, 'not_found');
  });

  it('a deleted user is gone with the sessions', async () => {
    const login = await api.login();
    const path = `/admin/users/${login.user.id}`;
    await admin.delete(path).expect(204);
    expectError(await admin.delete(path), 404, 'not_found');
    expectError(await api.request('GET', '/profile', login.access), 401, 'token_revoked');
    expect(await lastEvents(login.user.id, 1)).toEqual([['user_deleted', null, admin.user.id]]);
  });

  it.each([
    { disabled: 'true' },
    { disabled: null },
    { roles: 'admin' },
    { roles: null },
    { roles: ['Admin'] },
    { roles: [7] },
    { roles: [['admin']] },
    { roles: Array.from({ length: 17 }, (_, i) => `r${i}`) },
    { username: 'other' },
  ])('refuses a wrong change: %j', async (body) => {
    const path = `/admin/users/${admin.user.id}`;
    expectError(await admin.patch(path).send(body), 400, 'validation_failed');
  });
});

describeEachEngine('the audit trail over HTTP', (engine) => {
  let api: TestApp;
  let admin: TokenAgent;
  beforeAll(async () => {
    api = await createTestApp({ engine });
    admin = await api.as('zoe').role('admin').fresh();
  });
  afterAll(() => api.close());

  type Item = Record<'id' | 'at' | 'event' | 'actor_id' | 'subject_id', string>;
  const list = async (query: object = {}): Promise<{ items: Item[]; next_cursor: string | null }> =>
    (await admin.get('/admin/audit').query(query).expect(200)).body;

  it('shows what concerns a user and what the user did to others, newest first', async () => {
    const { user } = await api.login();
    await admin.patch(`/admin/users/${user.id}`).send({ disabled: true }).expect(200);
    const of = await list({ user: user.id });
    expect(of.items.map(({ event, actor_id: actor }) => [event, actor])).toEqual([
      ['authn_login_lock', admin.user.id],
      ['authn_login_success', user.id],
    ]);
    expect(of.items[0]).toEqual({
      id: expect.any(String),
      at: new Date(api.clock.now()).toISOString(),
      event: 'authn_login_lock',
      outcome: 'success',
      cause: 'account_disabled',
      actor_id: admin.user.id,
      subject_id: user.id,
      session_id: null,
      ip: expect.any(String),
      user_agent: null,
      request_id: expect.any(String),
    });
    expect((await list({ user: admin.user.id })).items[0]).toEqual(of.items[0]);
    expect((await list({ user: user.id, event: 'authn_login_success' })).items).toHaveLength(1);
    expect((await list({ user: 'nobody' })).items).toEqual([]);
  });

  it('gives each event once, over pages, also where many happened in one millisecond', async () => {
    const { user } = await api.login();
    for (let i = 0; i < 3; i++) {
      await user.login();
      await user.login();
      api.clock.advance(1000);
    }
    const ids: string[] = [];
    const times: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof list>> = await list({
        user: user.id,
        limit: 2,
        ...(cursor ? { cursor } : {}),
      });
      ids.push(...page.items.map(({ id }) => id));
      times.push(...page.items.map(({ at }) => at));
      cursor = page.next_cursor;
    } while (cursor);
    expect(ids).toHaveLength(7);
    expect(new Set(ids).size).toBe(7);
    expect(times).toEqual(times.toSorted().toReversed());

    const [from, to] = [times.at(-4), times[0]];
    expect((await list({ user: user.id, from, to })).items.map(({ at }) => at)).toEqual(
      times.filter((at) => at >= String(from) && at < String(to)),
    );
  });

  it.each([
    { from: 'yesterday' },
    { to: '2024-02-01' },
    { from: '2024-13-01T00:00:00Z' },
    { event: 'Login' },
    { user: '\0' },
    { limit: '1000' },
    { cursor: '17' },
    { cursor: `${'9'.repeat(16)}_5f2a4c0e-9d0b-4f3a-8f0e-3d1c6f2b7a90` },
    { actor: 'x' },
  ])('refuses a wrong query: %j', async (query) => {
    expectError(await admin.get('/admin/audit').query(query), 400, 'validation_failed');
  });

  it('finds a user’s events by indexes', async () => {
    const where = sql`where subject_id = 'a' or (actor_id = 'a' and actor_id <> subject_id) order by at desc limit 21`;
    if (engine === 'sqlite') {
      const plan = await sql<{
        detail: string;
      }>`explain query plan select * from audit_events ${where}`.execute(api.get(Database));
      expect(plan.rows.map(({ detail }) => detail).join('\n')).toMatch(
        /MULTI-INDEX OR[^]*audit_by_subject[^]*audit_by_other_actor/,
      );
      return;
    }
    await api.get(Database).inTransaction(async (tx) => {
      // A table this small is read as a whole otherwise.
      await sql`set local enable_seqscan = off`.execute(tx);
      await sql`set local enable_indexscan = off`.execute(tx);
      const plan = await sql<{ 'QUERY PLAN': string }>`explain select * from audit_events ${where}`.execute(
        tx,
      );
      expect(plan.rows.map((row) => row['QUERY PLAN']).join('\n')).toMatch(
        /BitmapOr[^]*audit_by_subject[^]*audit_by_other_actor/,
      );
    });
  });
});
