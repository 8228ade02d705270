import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { DefaultQueryCompiler, sql } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import { Database, openDatabase, type ReadPosition } from '../../src/database/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import {
  describeEachEngine,
  createTestDatabase,
  describePostgres,
  type TestDatabase,
} from '../support/engines.js';

/*
 * A value in the text of a statement, such as the time of the request, makes every text different. SQLite then prepares
 * each one, which costs as much as running it, and cached statements of other requests are dropped.
 */
describeEachEngine('statements', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterEach(() => void jest.restoreAllMocks());
  afterAll(() => api.close());

  it('have the same texts for every user, time and generation', async () => {
    const story = async (generations: number) => {
      api.clock.advance('71s');
      const user = await api.user();
      const credentials = { username: user.username, password: user.password };
      const login = await api.request('POST', '/auth/login').send(credentials).expect(200);
      const tokens = [(login.body as { refresh_token: string }).refresh_token];
      const send = async (path: string, body: object, token = tokens.at(-1)) => {
        const response = await api.request('POST', path, token).send(body).expect(200);
        tokens.push((response.body as { refresh_token: string }).refresh_token);
      };
      for (let i = 0; i < generations; i++) await send('/auth/refresh', {});
      // The last one again: its answer was lost.
      await send('/auth/refresh', {}, tokens.at(-2));
      await send('/auth/reauthenticate', { password: user.password });
      await api.request('POST', '/auth/logout', tokens.at(-1)).expect(204);
    };
    const compile = jest.spyOn(DefaultQueryCompiler.prototype, 'compileQuery');
    const textsOf = async (generations: number) => {
      compile.mockClear();
      await story(generations);
      return compile.mock.results.map(({ value }) => (value as { sql: string }).sql);
    };
    await story(2);
    const known = new Set(await textsOf(2));
    const texts = await textsOf(5);
    expect(texts.filter((text) => !known.has(text))).toEqual([]);
    expect(texts.some((text) => text.startsWith('update "sessions"'))).toBe(true);
  });
});

interface Row {
  id: string;
}

describePostgres('reading what was revoked since the last read', () => {
  let database: TestDatabase;
  let api: TestApp;
  let db: Database;
  let ids = 0;

  beforeAll(async () => {
    database = await createTestDatabase('postgres');
    api = await createTestApp({ database });
    db = api.get(Database);
  });
  afterAll(async () => {
    await api.close();
    await database.drop();
  });

  const read = async (since?: ReadPosition, from = db) => {
    const found: string[] = [];
    const result = await from.readPages<Row>({
      table: 'sessions',
      since,
      queryFrom: (xid) =>
        sql<Row>`
          select id from sessions where revoked_at is not null
          and (${xid === undefined} or revoked_xid >= ${String(xid ?? 0)}::xid8)`.compile(db),
      onPage: (rows) => found.push(...rows.map(({ id }) => id)),
    });
    return { ...result, found };
  };
  const insert = async () => {
    const id = `session-${++ids}`;
    await sql`
      insert into sessions (id, user_id, generation, rotated_at, idle_expires_at, expires_at, auth_time, created_at,
        last_used_at, access_until) values (${id}, 'laika', 0, 0, 0, 0, 0, 0, 0, 0)`.execute(db);
    return id;
  };
  /** As an operator, or a server of the previous version, does it. */
  const revoke = (id: string) => sql`update sessions set revoked_at = 1 where id = ${id}`.execute(db);

  it('reads all at first, in pages, and then only what is newer', async () => {
    await sql`
      insert into sessions (id, user_id, generation, rotated_at, idle_expires_at, expires_at, auth_time, created_at,
        last_used_at, access_until, revoked_at) select i::text, 'laika', 0, 0, 0, 0, 0, 0, 0, 0, 1
      from generate_series(1, 20001) i`.execute(db);
    const first = await read();
    expect([first.isWhole, first.found.length]).toEqual([true, 20_001]);
    const id = await insert();
    await revoke(id);
    const second = await read(first.position);
    expect([second.isWhole, second.found]).toEqual([false, [id]]);
    expect((await read(second.position)).found).toEqual([]);
  });

  it('misses no transaction, in whatever order they commit', async () => {
    let { position } = await read();
    const expected = await Promise.all(Array.from({ length: 40 }, insert));
    const seen = new Set<string>();
    const work = { over: false };
    const reader = (async () => {
      while (!work.over) {
        const next = await read(position);
        expect(next.isWhole).toBe(false);
        for (const id of next.found) seen.add(id);
        ({ position } = next);
      }
    })();
    await Promise.all(
      expected.map((id) =>
        db.inTransaction(async (tx) => {
          await sql`update sessions set revoked_at = 1 where id = ${id}`.execute(tx);
          await delay(Math.random() * 100);
        }),
      ),
    );
    work.over = true;
    await reader;
    for (const id of (await read(position)).found) seen.add(id);
    expect([...seen].toSorted()).toEqual(expected.toSorted());
  });

  it.each([
    ['a position of a server that has restarted', (p: ReadPosition) => ({ ...p, server: `${p.server}0` })],
    ['a position ahead of the server', (p: ReadPosition) => ({ ...p, xid: p.xid + 1_000_000n })],
  ])('reads all for %s', async (_, change) => {
    const { position } = await read();
    if (!position) throw new Error('no position');
    expect((await read(change(position))).isWhole).toBe(true);
    expect((await read(position)).isWhole).toBe(false);
  });

  it('reads all when the table was restored', async () => {
    const { position } = await read();
    await sql`create table kept as select * from sessions`.execute(db);
    await sql`truncate sessions`.execute(db);
    expect((await read(position)).isWhole).toBe(true);
    await sql`drop table kept`.execute(db);
  });

  it('has no position if a crash could undo transactions that were seen', async () => {
    await sql`do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$`.execute(
      db,
    );
    const other = openDatabase(database.url);
    expect(await read(undefined, other)).toMatchObject({ position: undefined, isWhole: true });
    await other.destroy();
  });
});
