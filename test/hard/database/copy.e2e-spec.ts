import { afterAll, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runDatabase } from '../../../src/cli/run-database.js';
import { Database, type Engine, openDatabase } from '../../../src/database/index.js';
import { createTestApp, type TestApp, TestLogin } from '../../support/create-test-app.js';
import { createTestDatabase, describePostgres, type TestDatabase } from '../../support/engines.js';
import { dump } from '../../support/dump.js';

const folder = mkdtempSync(join(tmpdir(), 'freshgate-copy-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Without what each database has of its own: what its migrations ran, and the numbers of its transactions. */
function portable(tables: Record<string, string[]>): Record<string, object[]> {
  const ours = Object.entries(tables).filter(([name]) => !name.startsWith('kysely_'));
  return Object.fromEntries(
    ours.map(([name, rows]) => [
      name,
      rows.map((row) => {
        const { revoked_xid: _, ...rest } = JSON.parse(row) as Record<string, unknown>;
        return rest;
      }),
    ]),
  );
}

describePostgres('npm run database -- copy', () => {
  const databases: TestDatabase[] = [];
  afterAll(async () => {
    for (const database of databases) await database.drop();
  });

  const create = async (engine: Engine): Promise<TestDatabase> => {
    if (engine === 'sqlite')
      return { url: `file:${join(folder, `${randomUUID()}.db`)}`, drop: async () => {} };
    const database = await createTestDatabase('postgres');
    databases.push(database);
    return database;
  };
  const keysFile = join(folder, 'keys.json');
  const start = (database: TestDatabase) => createTestApp({ database, keysFile });
  const copy = (from: TestDatabase, to: TestDatabase) => runDatabase(['copy', from.url, to.url], {});
  const inDatabase = async (database: TestDatabase, work: (db: Database) => Promise<unknown>) => {
    const db = openDatabase(database.url);
    try {
      await work(db);
    } finally {
      await db.destroy();
    }
  };
  const refuse = async (from: TestDatabase, to: TestDatabase, message: string | RegExp) => {
    const { code, stdout, stderr } = await copy(from, to);
    expect({ code, stdout, lines: stderr.trimEnd().split('\n').length }).toEqual({
      code: 1,
      stdout: '',
      lines: 1,
    });
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('password');
  };
  /** Users, sessions, money and events, in more rows than one batch. */
  const fill = async (api: TestApp): Promise<TestLogin> => {
    await api.as('boss').role('admin', 'ops').fresh();
    // example:begin
    const other = await api.user('laika');
    const admin = await api.as('boss').fresh();
    await admin.post('/transfers').send({ to: other.username, amount: 1250 }).expect(201);
    // example:end
    await api.get(Database).inTransaction(async (tx) => {
      for (let i = 0; i < 1203; i++)
        await tx
          .insertInto('audit_events')
          .values({
            id: randomUUID(),
            at: Date.now() + i,
            event: 'authn_login_fail',
            outcome: 'fail',
            cause: i % 2 ? null : `tricky ' "; -- \\ ${String.fromCodePoint(0x1f415)} ${i}`,
            actor_id: null,
            subject_id: null,
            session_id: null,
            ip: null,
            user_agent: null,
            request_id: null,
          })
          .execute();
    });
    await api.as('boss').revoked();
    return (await api.user('cosmo')).login();
  };

  it.each<[Engine, Engine]>([
    ['sqlite', 'postgres'],
    ['postgres', 'sqlite'],
    ['sqlite', 'sqlite'],
    ['postgres', 'postgres'],
  ])('moves everything from %s to %s: passwords, sessions and rights go on', async (from, to) => {
    const [source, target] = [await create(from), await create(to)];
    const before = await start(source);
    const login = await fill(before);
    const used = login.refresh;
    await login.rotate('first-key');
    const rows = await dump(before);
    await before.close();

    const { code, stdout, stderr } = await copy(source, target);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^users +3$/m);
    expect(stdout).toMatch(/^audit_events +12\d\d$/m);
    expect(stdout).toContain('Copied and compared.');

    const after = await start(target);
    try {
      expect(portable(await dump(after))).toEqual(portable(rows));
      const moved = new TestLogin(after, login.user, {
        access_token: login.access,
        refresh_token: login.refresh,
      });
      await after.request('GET', '/profile', moved.access).expect(200);
      // The answer to a rotation that was lost, then the next one.
      await moved.tryRefresh(used, 'first-key').expect(200);
      await moved.rotate('second-key');
      const { username, password } = login.user;
      await after.request('POST', '/auth/login').send({ username, password }).expect(200);
      // example:begin
      const { body } = await (await after.as('boss').fresh()).get('/transfers').expect(200);
      expect(body).toMatchObject({ balance: 98_750, items: [{ amount: 1250 }] });
      // example:end
    } finally {
      await after.close();
    }
    await refuse(source, target, /^TO is not empty: the table \w+ has rows\n$/);
  });

  it.each<Engine>(['sqlite', 'postgres'])(
    'refuses while a server runs on either side [%s]',
    async (engine) => {
      const [busy, other] = [await create(engine), await create(engine)];
      await (await start(other)).close();
      const server = await start(busy);
      try {
        const inUse = {
          sqlite: /is in use: SQLite allows one process/,
          postgres: /a server .* is connected to/,
        }[engine];
        await refuse(busy, await create('sqlite'), inUse);
        await refuse(other, busy, inUse);
      } finally {
        await server.close();
      }
    },
  );

  it('refuses while another program writes to PostgreSQL', async () => {
    const source = await create('postgres');
    await (await start(source)).close();
    await inDatabase(source, (db) =>
      db.connection().execute(async (connection) => {
        await sql`set application_name = 'psql'`.execute(connection);
        await sql`begin`.execute(connection);
        await sql`update users set roles = roles`.execute(connection);
        await refuse(source, await create('sqlite'), /^another program is writing to FROM: stop it first\n$/);
        await sql`rollback`.execute(connection);
      }),
    );
  });

  it('refuses what it cannot copy, and writes nothing', async () => {
    const source = await create('sqlite');
    await (await start(source)).close();
    const target = await create('postgres');
    await refuse(
      { ...source, url: `file:${join(folder, 'none.db')}` },
      target,
      /^there is no file .*none\.db/,
    );
    await refuse(await create('postgres'), target, /^FROM has no tables of this application\n$/);
    await refuse(source, { ...target, url: 'mysql://x' }, /^TO cannot be opened: expected file:PATH/);
    await refuse(
      source,
      { ...target, url: 'postgres://x:hunter2@127.0.0.1:1/x' },
      /^TO cannot be opened: .*ECONN/,
    );
    await refuse(source, source, /^FROM and TO are the same database/);
    expect(await runDatabase(['copy', source.url], {})).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Expected: copy FROM TO'),
    });
    expect(await runDatabase(['move', 'a', 'b'], {})).toMatchObject({ code: 1 });
    expect(await runDatabase(['--help'], {})).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('copy FROM TO'),
    });

    await inDatabase(source, (db) => sql`create table old_notes (id integer)`.execute(db));
    await refuse(source, target, /^FROM has the table old_notes, which no module of this version creates/);
    await inDatabase(source, (db) => sql`drop table old_notes`.execute(db));
    await inDatabase(source, (db) => sql`alter table users add column nick text`.execute(db));
    await refuse(source, target, /^FROM has the column users\.nick/);
    await inDatabase(source, (db) => sql`alter table users drop column nick`.execute(db));
    await inDatabase(source, (db) => sql`delete from kysely_migration where name like '%audit%'`.execute(db));
    await refuse(source, target, /^FROM is of an older version: start the server on it once/);
  });
});
