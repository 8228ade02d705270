import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type Kysely, sql } from 'kysely';
import { type Database } from './database.js';
import { type Migrations, MigrationSet } from './migrations.js';
import { openDatabase } from './open-database.js';

let db: Database;
let ran: string[];
beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(true));
beforeEach(() => {
  db = openDatabase(':memory:');
  ran = [];
});
afterEach(() => db.destroy());

/** Migrations that do no more than say that they ran. */
const named = (...names: string[]): Migrations =>
  Object.fromEntries(names.map((name) => [name, { up: async () => void ran.push(name) }]));

const makeTable: Migrations[string]['up'] = async ({ schema }) => {
  await schema.createTable('made').addColumn('id', 'text').execute();
};

function setOf(...modules: Migrations[]): MigrationSet {
  const set = new MigrationSet(db);
  for (const migrations of modules) set.add(migrations);
  return set;
}

describe('MigrationSet', () => {
  it('runs the migrations of all modules in the order of their names', async () => {
    await setOf(named('2026-03-01.1-c', '2026-01-01.1-a'), named('2026-03-01.2-d', '2026-02-01.1-b')).run();
    expect(ran).toEqual(['2026-01-01.1-a', '2026-02-01.1-b', '2026-03-01.1-c', '2026-03-01.2-d']);
  });

  it('runs each once, however often the application starts', async () => {
    await setOf(named('a', 'b')).run();
    await setOf(named('a', 'b')).run();
    expect(ran).toEqual(['a', 'b']);
  });

  it('runs only what is new', async () => {
    await setOf(named('a')).run();
    await setOf(named('a'), named('b')).run();
    expect(ran).toEqual(['a', 'b']);
  });

  it('runs the migrations of a module that is added later, even if newer ones have run', async () => {
    await setOf(named('2026-01-01.1-a', '2026-03-01.1-c')).run();
    await setOf(named('2026-01-01.1-a', '2026-03-01.1-c'), named('2026-02-01.1-b')).run();
    expect(ran).toEqual(['2026-01-01.1-a', '2026-03-01.1-c', '2026-02-01.1-b']);
  });

  it('refuses two of one name, and names it', () => {
    const set = setOf(named('2026-01-01.1-users'));
    expect(() => set.add(named('2026-01-01.1-users'))).toThrow(
      new Error('two migrations are named "2026-01-01.1-users"'),
    );
  });

  it('runs nothing if no module has migrations', async () => {
    await expect(setOf().run()).resolves.toBeUndefined();
    expect(ran).toEqual([]);
  });

  it('creates the tables of the migrations', async () => {
    await setOf({ a: { up: makeTable } }).run();
    const { rows } = await sql`select * from made`.execute(db);
    expect(rows).toEqual([]);
  });

  it('stops at a migration that fails with its own error, and goes on from there the next time', async () => {
    const failure = new Error('no space left');
    const failing: Migrations = { b: { up: () => Promise.reject(failure) } };
    await expect(setOf(named('a', 'c'), failing).run()).rejects.toBe(failure);
    await setOf(named('a', 'b', 'c')).run();
    // All or nothing: the migrations before the failed one were undone with it.
    expect(ran).toEqual(['a', 'a', 'b', 'c']);
  });

  it('undoes a migration that stops half-way', async () => {
    const broken = async (executor: Kysely<unknown>) => {
      await makeTable(executor);
      throw new Error('the process was killed here');
    };
    await expect(setOf({ a: { up: broken } }).run()).rejects.toThrow('killed');
    await setOf({ a: { up: makeTable } }).run();
  });

  it('starts although an unknown migration has run: of a removed module, or of a newer version', async () => {
    await setOf(named('a', 'b')).run();
    await setOf(named('a', 'c')).run();
    expect(ran).toEqual(['a', 'b', 'c']);
  });
});
