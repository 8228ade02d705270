import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { sql } from 'kysely';
import { createTestDatabase, describeEachEngine, type TestDatabase } from '../../test/support/engines.js';
import { type Database } from './database.js';
import { openDatabase } from './open-database.js';
import { Statement } from './statement.js';

describeEachEngine('a statement', (engine) => {
  let test: TestDatabase;
  let db: Database;
  beforeEach(async () => {
    test = await createTestDatabase(engine);
    db = openDatabase(test.url);
    await sql`create table words (id integer, word text)`.execute(db);
  });
  afterEach(async () => {
    await db.destroy();
    await test.drop();
  });

  interface Word {
    id: number;
    word: string | null;
  }
  const inserting = () =>
    new Statement<Word, Word>(
      (_, param) =>
        sql<Word>`insert into words (id, word) values (${param('id')}, ${param('word')}) returning id, word`,
    );

  it('is built once, and run with other values each time', async () => {
    const build = jest.fn(() => sql<Word>`select 1 as id`);
    const statement = new Statement(build);
    await statement.execute(db, {});
    await statement.execute(db, {});
    expect(build).toHaveBeenCalledTimes(1);
    const insert = inserting();
    expect(await insert.execute(db, { word: 'a', id: 1 })).toEqual([{ id: 1, word: 'a' }]);
    expect(await insert.execute(db, { word: null, id: 2 })).toEqual([{ id: 2, word: null }]);
  });

  it('has a value wherever it is named, beside those of its own', async () => {
    await sql`insert into words values (1, 'a'), (2, 'b'), (3, 'a')`.execute(db);
    const select = new Statement<{ word: string }, Word>((_, param) => {
      const word = param('word');
      return sql<Word>`select id, word from words where (word = ${word} and id > ${sql.val(1)}) or word = ${word} || ${'b'}`;
    });
    expect(await select.execute(db, { word: 'a' })).toEqual([{ id: 3, word: 'a' }]);
    expect(await select.execute(db, { word: '' })).toEqual([{ id: 2, word: 'b' }]);
  });

  it('runs in a transaction, and is gone with it', async () => {
    const insert = inserting();
    const work = db.inTransaction(async (tx) => {
      await insert.execute(tx, { id: 1, word: 'a' });
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect((await sql`select * from words`.execute(db)).rows).toEqual([]);
  });

  it('outlives a column that a newer version adds', async () => {
    const insert = inserting();
    await insert.execute(db, { id: 1, word: 'a' });
    await sql`alter table words add column more text`.execute(db);
    expect(await insert.execute(db, { id: 2, word: 'b' })).toEqual([{ id: 2, word: 'b' }]);
  });

  if (engine === 'postgres') {
    it('is planned once by each connection', async () => {
      const insert = inserting();
      const plans = await db.inTransaction(async (tx) => {
        for (let id = 1; id <= 3; id++) await insert.execute(tx, { id, word: null });
        const { rows } = await sql<{ runs: number }>`
          select generic_plans + custom_plans as runs from pg_prepared_statements where statement like 'insert into words %'`.execute(
          tx,
        );
        return rows;
      });
      expect(plans).toEqual([{ runs: 3 }]);
    });
  }
});
