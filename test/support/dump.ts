import { expect } from '@jest/globals';
import { sql } from 'kysely';
import { Database } from '../../src/database/index.js';
import { type TestApp } from './create-test-app.js';

/** Every row of every table, in an order of their own. */
export async function dump(api: TestApp): Promise<Record<string, string[]>> {
  const db = api.get(Database);
  const tables = (await db.introspection.getTables()).map(({ name }) => name).toSorted();
  const all: Record<string, string[]> = {};
  for (const name of tables) {
    const { rows } = await sql`select * from ${sql.table(name)}`.execute(db);
    all[name] = rows.map((row) => JSON.stringify(row)).toSorted();
  }
  expect(tables).toEqual(expect.arrayContaining(['audit_events', 'sessions', 'users']));
  return all;
}
