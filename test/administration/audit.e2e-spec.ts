import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { Database } from '../../src/database/index.js';
import { type TokenAgent } from '../../src/testing/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

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
