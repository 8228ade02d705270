import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { type Database } from './database.js';
import { openDatabase } from './open-database.js';

let db: Database;
beforeEach(async () => {
  db = openDatabase(':memory:');
  await sql`create table notes (text text)`.execute(db);
});
afterEach(() => db.destroy());

const coded = (code: string) => Object.assign(new Error(code), { code });
const notes = async () => {
  const { rows } = await sql<{ text: string }>`select text from notes`.execute(db);
  return rows.map(({ text }) => text);
};

/** Writes a note, then fails with the next of the errors, until there are none. */
function failing(...errors: Error[]) {
  let tries = 0;
  const run = db.inTransaction(async (tx) => {
    await sql`insert into notes values (${`try ${++tries}`})`.execute(tx);
    const error = errors[tries - 1];
    if (error) throw error;
    return tries;
  });
  return run.catch((error: unknown) => error);
}

describe('inTransaction', () => {
  it('returns the result of the work, and commits its writes', async () => {
    expect(await failing()).toBe(1);
    expect(await notes()).toEqual(['try 1']);
  });

  it('rolls back work that fails, and throws its error', async () => {
    const error = new Error('no');
    expect(await failing(error)).toBe(error);
    expect(await notes()).toEqual([]);
  });

  it.each(['40P01', '40001'])(
    'tries again after a deadlock (%s), and commits only the last try',
    async (code) => {
      expect(await failing(coded(code), coded(code))).toBe(3);
      expect(await notes()).toEqual(['try 3']);
    },
  );

  it('gives up after the fifth deadlock', async () => {
    const errors = Array.from({ length: 6 }, () => coded('40P01'));
    expect(await failing(...errors)).toBe(errors[4]);
    expect(await notes()).toEqual([]);
  });

  it.each(['23505', 'ECONNRESET', 'SQLITE_BUSY'])(
    'does not try again after another error: %s',
    async (code) => {
      const error = coded(code);
      expect(await failing(error)).toBe(error);
    },
  );
});

describe('clockSkew', () => {
  it('is zero on the embedded database, whatever the clock says', async () => {
    expect(await db.clockSkew(() => 0)).toBe(0);
  });
});
