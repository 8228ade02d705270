import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { sql } from 'kysely';
import { randomUUID } from 'node:crypto';
import { explainFailedStart } from '../../../src/app.module.js';
import { Database } from '../../../src/database/index.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import {
  createTestDatabase,
  describePostgres,
  POSTGRES_URL,
  type TestDatabase,
} from '../../support/engines.js';
import { expectError } from '../../support/expect-error.js';
import { openSession } from '../../support/open-session.js';
import { run } from '../../support/standby.js';

jest.setTimeout(60_000);

describePostgres('PostgreSQL as others have set it up', () => {
  let database: TestDatabase;
  let api: TestApp | undefined;
  beforeEach(async () => {
    database = await createTestDatabase('postgres');
  });
  afterEach(async () => {
    await api?.close();
    api = undefined;
    await database.drop();
  });
  const nameOf = ({ url }: TestDatabase) => new URL(url).pathname.slice(1);

  it('with serializable transactions by default serves parallel refreshes', async () => {
    await run(
      database,
      `alter database ${nameOf(database)} set default_transaction_isolation to 'serializable'`,
    );
    const started = await createTestApp({ database });
    api = started;
    const { id } = await started.user();
    const sessions = await Promise.all(Array.from({ length: 30 }, () => openSession(started, id)));
    const answers = await Promise.all(
      sessions.map(async (session) => started.request('POST', '/auth/refresh', session.refresh)),
    );
    expect(answers.map(({ status }) => status)).toEqual(sessions.map(() => 200));
    const { rows } = await sql`show transaction_isolation`.execute(started.get(Database));
    expect(rows).toEqual([{ transaction_isolation: 'read committed' }]);
  });

  it('with migrations of another application in another schema starts', async () => {
    await run(database, 'create schema other');
    await run(database, 'create table other.kysely_migration (name text, timestamp text)');
    await run(database, 'create table other.kysely_migration_lock (id text, is_locked integer)');
    await run(database, `insert into other.kysely_migration values ('theirs', 'x')`);
    api = await createTestApp({ database });
    await api.user();
    await api.close();
    api = await createTestApp({ database });
    await api.request('GET', '/health/live').expect(200);
    expect(await run(database, 'select name from other.kysely_migration')).toEqual([{ name: 'theirs' }]);
  });

  it('in an encoding that cannot hold every text stops the start', async () => {
    const name = `freshgate_${randomUUID().replaceAll('-', '')}`;
    const server = { url: process.env[POSTGRES_URL] ?? '', drop: async () => {} };
    await run(server, `create database ${name} encoding 'SQL_ASCII' locale 'C' template template0`);
    const url = new URL(server.url);
    url.pathname = name;
    try {
      await expect(createTestApp({ database: { url: url.href, drop: async () => {} } })).rejects.toThrow(
        'SQL_ASCII; create one with the encoding UTF8',
      );
    } finally {
      await run(server, `drop database ${name} with (force)`);
    }
  });

  it('in which the user may not create tables stops the start with a line that names GRANT', async () => {
    const role = `role_${randomUUID().slice(0, 8)}`;
    await run(database, `create role ${role} login password 'space-corgi'`);
    await run(database, 'revoke create on schema public from public');
    const url = new URL(database.url);
    url.username = role;
    url.password = 'space-corgi';
    try {
      const failure: unknown = await createTestApp({
        database: { url: url.href, drop: async () => {} },
      }).catch((error: unknown) => error);
      expect(explainFailedStart(failure)).toMatch(
        /^freshgate did not start: the database user lacks a right: permission denied for [^\n]+ GRANT [^\n]+\n$/,
      );
    } finally {
      await run(database, `drop role ${role}`);
    }
  });

  it('whose password was rotated is 503 with Retry-After', async () => {
    const role = `role_${randomUUID().slice(0, 8)}`;
    await run(database, `create role ${role} login password 'before'`);
    await run(database, `alter database ${nameOf(database)} owner to ${role}`);
    await run(database, `grant all on schema public to ${role}`);
    const url = new URL(database.url);
    url.username = role;
    url.password = 'before';
    try {
      api = await createTestApp({ database: { url: url.href, drop: async () => {} } });
      const { username, password } = await api.user();
      await run(database, `alter role ${role} password 'after'`);
      await run(database, `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`);
      for (let i = 0; i < 3; i++) {
        const response = await api.request('POST', '/auth/login').send({ username, password });
        expectError(response, 503, 'database_unavailable');
        expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
      }
    } finally {
      await api?.close();
      api = undefined;
      await run(database, `alter database ${nameOf(database)} owner to postgres`);
      await run(database, `drop owned by ${role} cascade`);
      await run(database, `drop role ${role}`);
    }
  });
});
