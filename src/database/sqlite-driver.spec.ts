import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type CompiledQuery, type Driver, type Kysely, sql, SqliteDialect } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import { Database, type Tx } from './database.js';
import { openHandle, SqliteDriver, type SqliteHandle } from './sqlite-driver.js';

let handle: SqliteHandle;
let db: Database;

/** How the disk is slow, and whether it is full. */
let disk: { slow?: Promise<unknown>; full?: boolean };

beforeEach(async () => {
  handle = openHandle(':memory:');
  disk = {};
  const exec = handle.exec.bind(handle);
  handle.exec = async (text) => {
    if (text === 'commit') {
      await disk.slow;
      if (disk.full) throw new Error('the disk is full');
    }
    return exec(text);
  };
  class Dialect extends SqliteDialect {
    override createDriver(): Driver {
      return new SqliteDriver(() => Promise.resolve(handle));
    }
  }
  db = new Database('sqlite', new Dialect({ database: () => Promise.reject(new Error('not used')) }));
  await sql`create table notes (text text primary key)`.execute(db);
});
afterEach(() => db.destroy());

const insert = (text: string, on: Database | Tx) => sql`insert into notes values (${text})`.execute(on);
const write = (text: string, on: Database | Tx = db) =>
  (on as unknown as Kysely<{ notes: { text: string } }>).insertInto('notes').values({ text }).execute();

async function notes(on: Database | Tx = db): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`select text from notes order by text`.execute(on);
  return rows.map(({ text }) => text);
}

/** Writes a note in a transaction, then does more in it. */
const note = (text: string, more: (tx: Tx) => unknown = () => {}) =>
  db.inTransaction(async (tx) => {
    await insert(text, tx);
    await more(tx);
  });
const outcomes = async (work: Promise<unknown>[]) =>
  (await Promise.allSettled(work)).map((each) =>
    each.status === 'fulfilled' ? 'done' : (each.reason as Error).message,
  );

describe('transactions', () => {
  it('run one after the other, and each sees what was committed before it', async () => {
    const seen: string[][] = [];
    const look = async (tx: Tx) => {
      await delay(2);
      seen.push(await notes(tx));
    };
    const fail = () => Promise.reject(new Error('no'));
    expect(await outcomes([note('a', look), note('b', fail), note('c', look)])).toEqual([
      'done',
      'no',
      'done',
    ]);
    expect(seen).toEqual([['a'], ['a', 'c']]);
    expect(await notes()).toEqual(['a', 'c']);
  });

  it('fail where the COMMIT does, and leave nothing behind', async () => {
    disk.full = true;
    expect(await outcomes([note('a'), write('b')])).toEqual(['the disk is full', 'the disk is full']);
    disk.full = false;
    await note('c');
    expect(await notes()).toEqual(['c']);
  });

  it('that SQLite has rolled back by itself write nothing more', async () => {
    const lose = async (tx: Tx) => {
      await sql`insert or rollback into notes values ('b')`.execute(tx).catch(() => {});
      await insert('after', tx);
    };
    expect(await outcomes([note('b', lose), note('c')])).toEqual(['the transaction was rolled back', 'done']);
    expect(await notes()).toEqual(['c']);
  });
});

describe('a COMMIT that waits for the disk', () => {
  it('delays its caller, and nothing that needs no database', async () => {
    let carryOn: () => void = () => {};
    disk.slow = new Promise<void>((resolve) => (carryOn = resolve));
    const done: string[] = [];
    const work = [note('a').then(() => done.push('a')), write('b').then(() => done.push('b'))];
    await delay(20);
    expect(done).toEqual([]);
    carryOn();
    await Promise.all(work);
    expect(done).toEqual(['a', 'b']);
  });

  it('runs on another thread: the event loop goes on before it is done', async () => {
    await handle.exec('begin');
    await handle.exec(`insert into notes values ('a')`);
    let done = false;
    const committing = handle.exec('commit').then(() => (done = true));
    for (let i = 0; i < 100; i++) await Promise.resolve();
    expect(done).toBe(false);
    await committing;
    expect(await notes()).toEqual(['a']);
  });
});

describe('a query outside a transaction', () => {
  it('that is refused changes nothing, and the next one gets its turn', async () => {
    expect(await outcomes([write('a'), write('a'), write('b')])).toEqual([
      'done',
      expect.stringContaining('UNIQUE'),
      'done',
    ]);
    expect(await notes()).toEqual(['a', 'b']);
  });

  it('sees only what is committed', async () => {
    const [, seen] = await Promise.all([note('a', () => delay(5)), notes()]);
    expect(seen).toEqual(['a']);
  });
});

it('prepares a statement again after its table has changed', async () => {
  const select = (): CompiledQuery<object> => sql<object>`select * from notes`.compile(db);
  await note('a');
  await expect(note('a')).rejects.toThrow('UNIQUE');
  expect((await db.executeQuery(select())).rows).toEqual([{ text: 'a' }]);
  await sql`alter table notes add column more text`.execute(db);
  expect((await db.executeQuery(select())).rows).toEqual([{ text: 'a', more: null }]);
});
