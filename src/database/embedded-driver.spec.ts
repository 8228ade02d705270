import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type CompiledQuery, type Driver, type Kysely, sql, SqliteDialect } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import { Database, type Tx } from './database.js';
import { EmbeddedDriver } from './embedded-driver.js';
import { EmbeddedHandle } from './embedded-handle.js';

/** What happened, in its order: COMMITs, and what callers were told. */
const heard: string[] = [];

class Handle extends EmbeddedHandle {
  full = false;
  /** What the disk takes its time for. */
  slow: Promise<unknown> | undefined;

  override async commit(): Promise<void> {
    await this.slow;
    if (this.full) throw new Error('the disk is full');
    await super.commit();
    heard.push('commit');
  }
}

let handle: Handle;
let db: Database;
function open(): Database {
  handle = new Handle(':memory:');
  const driver = new EmbeddedDriver(handle);
  class Dialect extends SqliteDialect {
    override createDriver(): Driver {
      return driver;
    }
  }
  return new Database('sqlite', new Dialect({ database: handle }));
}

beforeEach(async () => {
  db = open();
  await sql`create table notes (text text primary key)`.execute(db);
  heard.length = 0;
});
afterEach(() => db.destroy());

const insert = (text: string, on: Database | Tx) => sql`insert into notes values (${text})`.execute(on);

async function notes(on: Database | Tx = db): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`select text from notes order by text`.execute(on);
  return rows.map(({ text }) => text);
}

/** Writes a note in a transaction, then does more in it; what its caller is told is heard. */
async function note(text: string, more: (tx: Tx) => unknown = () => {}): Promise<void> {
  const told = await db
    .inTransaction(async (tx) => {
      await insert(text, tx);
      await more(tx);
    })
    .then(
      () => text,
      (error: Error) => `${text}: ${error.message}`,
    );
  heard.push(told);
}

const fail = () => {
  throw new Error('no');
};

describe('transactions that come at once', () => {
  it('share a COMMIT, and none is told before it', async () => {
    await Promise.all([note('a'), note('b'), note('c')]);
    expect(heard).toEqual(['commit', 'a', 'b', 'c']);
    expect(await notes()).toEqual(['a', 'b', 'c']);
  });

  it('take back what they did themselves, and nothing else', async () => {
    await Promise.all([note('a'), note('b', fail), note('c')]);
    expect(heard.toSorted()).toEqual(['a', 'b: no', 'c', 'commit']);
    expect(await notes()).toEqual(['a', 'c']);
  });

  it('see what was done before them, and not what was taken back', async () => {
    const seen: string[][] = [];
    const look = async (tx: Tx) => seen.push(await notes(tx));
    await Promise.all([note('a', look), note('b', fail), note('c', look)]);
    expect(seen).toEqual([['a'], ['a', 'c']]);
  });

  it('all fail where the COMMIT does, and the next ones begin anew', async () => {
    handle.full = true;
    await Promise.all([note('a'), note('b')]);
    expect(heard).toEqual(['a: the disk is full', 'b: the disk is full']);
    handle.full = false;
    await note('c');
    expect(await notes()).toEqual(['c']);
  });

  it('all fail where SQLite rolls back by itself, and what goes on writes nothing', async () => {
    const lose = async (tx: Tx) => {
      await sql`insert or rollback into notes values ('b')`.execute(tx).catch(() => {});
      await insert('after', tx);
    };
    await Promise.all([note('a'), note('b', lose), note('c')]);
    const lost = 'UNIQUE constraint failed: notes.text';
    expect(heard.toSorted()).toEqual([`a: ${lost}`, `b: ${lost}`, 'c', 'commit']);
    expect(await notes()).toEqual(['c']);
  });

  it('wait for one that takes its time, and commit as soon as it has ended', async () => {
    await Promise.all([note('a'), note('b', () => delay(20)), note('c')]);
    expect(heard).toEqual(['commit', 'a', 'b', 'commit', 'c']);
  });
});

describe('a COMMIT that waits for the disk', () => {
  let carryOn: () => void;
  beforeEach(() => {
    handle.slow = new Promise<void>((resolve) => (carryOn = resolve));
  });

  it('holds nobody up but who needs the database: they share the next one', async () => {
    const all = [note('a')];
    await delay(5);
    all.push(note('b'), note('c', fail), note('d'));
    const seen = notes().then((found) => heard.push(`saw ${found.join()}`));
    await delay(5);
    expect(heard).toEqual([]);
    carryOn();
    await Promise.all([...all, seen]);
    expect(heard.filter((what) => what === 'commit')).toHaveLength(2);
    expect(heard.slice(0, 2)).toEqual(['commit', 'a']);
    expect(heard.slice(2).toSorted()).toEqual(['b', 'c: no', 'commit', 'd', 'saw a,b,d']);
    expect(await notes()).toEqual(['a', 'b', 'd']);
  });

  it('is waited for before the database is closed', async () => {
    const writing = note('a');
    await delay(5);
    const closing = db.destroy().then(() => heard.push('closed'));
    await delay(5);
    expect(heard).toEqual([]);
    carryOn();
    await Promise.all([writing, closing]);
    expect(heard).toEqual(['commit', 'a', 'closed']);
    db = open();
  });

  it('fails for those alone who take part', async () => {
    handle.full = true;
    const first = note('a');
    await delay(5);
    const second = note('b');
    carryOn();
    await first;
    handle.full = false;
    await second;
    expect(heard).toEqual(['a: the disk is full', 'commit', 'b']);
    expect(await notes()).toEqual(['b']);
  });
});

it('commits on another thread: not before the event loop has gone on', async () => {
  handle.exec(`begin; insert into notes values ('a')`);
  let done = false;
  const committing = handle.commit().then(() => (done = true));
  // What would be done by now, had it been waited for.
  for (let i = 0; i < 100; i++) await Promise.resolve();
  expect(done).toBe(false);
  await committing;
  await expect(handle.commit()).rejects.toMatchObject({ code: 'SQLITE_ERROR' });
  expect(await notes()).toEqual(['a']);
});

describe('a query of no transaction', () => {
  const write = (text: string) =>
    (db as unknown as Kysely<{ notes: { text: string } }>)
      .insertInto('notes')
      .values({ text })
      .execute()
      .then(
        () => heard.push(text),
        (error: Error) => heard.push(`${text}: ${error.message}`),
      );

  it('is told that it has written when that is committed', async () => {
    await Promise.all([write('a'), write('b')]);
    expect(heard).toEqual(['commit', 'a', 'commit', 'b']);
    expect(await notes()).toEqual(['a', 'b']);
  });

  it('shares the COMMIT of transactions that wait for theirs, for better or worse', async () => {
    await Promise.all([note('a'), write('b')]);
    expect(heard.toSorted()).toEqual(['a', 'b', 'commit']);
    handle.full = true;
    await Promise.all([note('c'), write('d')]);
    handle.full = false;
    expect(heard.slice(3).toSorted()).toEqual(['c: the disk is full', 'd: the disk is full']);
    expect(await notes()).toEqual(['a', 'b']);
  });

  it('that is refused takes nothing else with it', async () => {
    await write('a');
    await Promise.all([note('b'), write('a'), write('c')]);
    expect(heard.filter((what) => what.startsWith('a: UNIQUE'))).toHaveLength(1);
    expect(await notes()).toEqual(['a', 'b', 'c']);
  });

  it('sees only what is committed', async () => {
    const pending = note('a');
    const seen = notes().then((found) => heard.push(`saw ${found.join()}`));
    await Promise.all([pending, seen]);
    expect(heard.toSorted()).toEqual(['a', 'commit', 'saw a']);
    expect(heard[0]).toBe('commit');
  });

  it('sees nothing that could not be committed, and is answered', async () => {
    handle.full = true;
    const [, seen] = await Promise.all([note('a'), notes()]);
    expect([heard, seen]).toEqual([['a: the disk is full'], []]);
  });
});

it('gives the connection to who waits, in their order, whatever becomes of those before', async () => {
  const order: string[] = [];
  const query = (text: string) =>
    sql`insert into notes values (${text})`.execute(db).then(
      () => order.push(text),
      () => order.push(`${text}: refused`),
    );
  await Promise.all([query('a'), query('a'), query('b')]);
  expect(order).toEqual(['a', 'a: refused', 'b']);
});

it('takes a statement up again after an error, and after its table has changed', async () => {
  const select = (): CompiledQuery<{ text: string }> =>
    sql<{ text: string }>`select * from notes`.compile(db);
  await note('a');
  await note('a');
  expect(heard.at(-1)).toMatch(/^a: UNIQUE/);
  await note('b');
  expect((await db.executeQuery(select())).rows).toEqual([{ text: 'a' }, { text: 'b' }]);
  await sql`alter table notes add column more text`.execute(db);
  expect((await db.executeQuery(select())).rows).toEqual([
    { text: 'a', more: null },
    { text: 'b', more: null },
  ]);
});
