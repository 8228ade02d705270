import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { CompiledQuery, type KyselyPlugin, sql } from 'kysely';
import { Database, Purger } from '../../../src/database/index.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { describeEachEngine } from '../../support/engines.js';

const LIVE_SESSIONS = 20_000;
/** Rows of one batch; more would hold SQLite's event loop. */
const MAX_BATCH = 100;

/** PostgreSQL's word for it, and SQLite's. */
const TABLE_SCAN = /Seq Scan|\bSCAN \w+(?! USING)/;

describeEachEngine('a purge', (engine) => {
  let api: TestApp;
  let db: Database;
  beforeEach(async () => {
    api = await createTestApp({ engine });
    db = api.get(Database);
    await fillSessions();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await api.close();
  });

  const fillSessions = async () => {
    const soon = api.clock.now() + 86_400_000;
    await sql`
      insert into sessions (id, user_id, generation, rotated_at, idle_expires_at, expires_at, auth_time, created_at,
        last_used_at, access_until)
      with recursive n(i) as (select 1 union all select i + 1 from n where i < ${sql.lit(LIVE_SESSIONS)})
      select cast(i as text), 'laika', 0, 0, ${soon}, ${soon}, 0, 0, 0, 0 from n`.execute(db);
    await sql`analyze`.execute(db);
  };

  /** Runs every purge. @returns the statements that delete */
  const recordPurge = async () => {
    const statements: CompiledQuery[] = [];
    const recorder: KyselyPlugin = {
      transformQuery: ({ node, queryId }) => {
        // The select within it passes here too, by itself.
        if (node.kind === 'RawNode') statements.push(db.getExecutor().compileQuery(node, queryId));
        return node;
      },
      transformResult: async ({ result }) => result,
    };
    jest
      .spyOn(db, 'withAdvisoryLock')
      .mockImplementation((_, work) => db.inTransaction((tx) => work(tx.withPlugin(recorder))));
    // Real time: nothing is purged while the clocks differ.
    api.clock.advance(Date.now() - api.clock.now());
    await api.get(Purger).run();
    return statements;
  };

  const explain = async ({ sql: text, parameters }: CompiledQuery, preferIndex = false): Promise<string> => {
    const keyword = engine === 'sqlite' ? 'explain query plan' : 'explain';
    const { rows } = await db.connection().execute(async (connection) => {
      if (engine === 'postgres')
        await sql`select set_config('enable_seqscan', ${preferIndex ? 'off' : 'on'}, false)`.execute(
          connection,
        );
      return connection.executeQuery(CompiledQuery.raw(`${keyword} ${text}`, [...parameters]));
    });
    return rows.map((row) => Object.values(row as object).join(' ')).join('\n');
  };

  it('that finds nothing reads an index, never a table', async () => {
    const statements = await recordPurge();
    expect(statements.length).toBe(engine === 'sqlite' ? 8 : 9);
    const ofSessions = statements.filter(({ sql: text }) => text.includes('"sessions"'));
    expect(ofSessions.length).toBe(2);
    for (const statement of ofSessions) expect(await explain(statement)).not.toMatch(TABLE_SCAN);
    // The other tables are empty in this test, and the planner would rather read those as a whole.
    for (const statement of statements) expect(await explain(statement, true)).not.toMatch(TABLE_SCAN);
  });

  it('removes at most a batch with each statement', async () => {
    await sql`update sessions set expires_at = 1`.execute(db);
    const statements = await recordPurge();
    expect(statements.length).toBeGreaterThan(LIVE_SESSIONS / MAX_BATCH);
    for (const { sql: text, parameters } of statements) {
      expect(text).toMatch(/^\s*delete from .* in \(select .* limit /s);
      expect(parameters.at(-1)).toBe(MAX_BATCH);
    }
  });
});
