import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type Kysely, sql } from 'kysely';
import { Database } from '../../src/database/index.js';
import { MigrationSet } from '../../src/database/migrations.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

describeEachEngine('a database that goes away', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());

  if (engine === 'postgres') {
    it('in the middle of queries causes 503 at most, and the process goes on', async () => {
      const logins = await Promise.all(Array.from({ length: 4 }, () => api.login()));
      const statuses = new Set<number>();
      const until = { done: false };
      const load = logins.map(async (login) => {
        while (!until.done) {
          const response = await api.request('GET', '/profile', login.access);
          statuses.add(response.status);
          if (response.status !== 200) expectError(response, 503, 'database_unavailable');
          const { username, password } = login.user;
          statuses.add((await api.request('POST', '/auth/login').send({ username, password })).status);
        }
      });
      for (let round = 0; round < 30; round++) {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and random() < 0.7`.execute(
          api.get(Database),
        );
      }
      until.done = true;
      await Promise.all(load);
      expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
      await api.request('GET', '/profile', logins[0]?.access).expect(200);
    });

    it('lets migrations take their time: the limit on statements is for requests', async () => {
      const seen: string[] = [];
      const look = async (db: Kysely<unknown>) => {
        const { rows } = await sql<{ statement_timeout: string }>`show statement_timeout`.execute(db);
        seen.push(String(rows[0]?.statement_timeout));
      };
      const db = api.get(Database);
      const migrations = new MigrationSet(db);
      migrations.add({ '2999-01-01.1-look': { up: look } });
      await migrations.run();
      await db.connection().execute((connection) => look(connection as unknown as Kysely<unknown>));
      expect(seen).toEqual(['0', '5s']);
    });
  } else {
    it('for lack of disk space answers 503, loses nothing, and recovers when there is space', async () => {
      const login = await api.login();
      const db = api.get(Database);
      const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(db);
      await sql`pragma max_page_count = ${sql.lit(rows[0]?.page_count ?? 0)}`.execute(db);
      const { username, password } = login.user;
      const statuses: number[] = [];
      const given: string[] = [];
      for (let i = 0; i < 60; i++) {
        const response = await api.request('POST', '/auth/login').send({ username, password });
        statuses.push(response.status);
        if (response.status === 200) given.push(response.body.refresh_token as string);
        else expectError(response, 503, 'database_unavailable');
      }
      const { rows: sessions } = await sql<{ n: number }>`
        select count(*) as n from sessions where user_id = ${login.user.id}`.execute(db);
      expect(statuses.at(-1)).toBe(503);
      await api.request('GET', '/profile', login.access).expect(200);
      await sql`pragma max_page_count = 1000000`.execute(db);
      // Every session that was answered is there, and no other.
      expect(sessions[0]?.n).toBe(given.length + 1);
      for (const token of given) await login.tryRefresh(token).expect(200);
      await login.rotate();
      await login.user.login();
    });
  }
});
