import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DatabaseUrlError } from './database-errors.js';
import { type Database } from './database.js';
import { openDatabase } from './open-database.js';

let folder: string;
const opened: Database[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'freshgate-database-'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((database) => database.destroy()));
  rmSync(folder, { recursive: true, force: true });
});

function open(url: string): Database {
  const database = openDatabase(url);
  opened.push(database);
  return database;
}

function refusal(url: string): string {
  try {
    open(url);
  } catch (error) {
    if (error instanceof DatabaseUrlError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('openDatabase', () => {
  it.each([
    '',
    'data/freshgate.db',
    '/data/freshgate.db',
    ':Memory:',
    'memory',
    'sqlite:x.db',
    'mysql://root:hunter2@localhost/x',
    'http://user:hunter2@localhost:5432/x',
    'Postgres://user:hunter2@localhost/x',
    'postgres:user:hunter2@localhost/x',
    ' postgres://user:hunter2@localhost/x',
    'postgres://user:hunter2@localhost:port/x',
    'user:hunter2@localhost',
  ])('refuses "%s", says what was expected and does not repeat it', (url) => {
    expect(refusal(url)).toBe('expected file:PATH, :memory: or postgres://USER:PASSWORD@HOST:PORT/DATABASE');
  });

  it.each([
    ['sqlite', ':memory:'],
    ['postgres', 'postgres://user:hunter2@127.0.0.1:1/x'],
    ['postgres', 'postgresql://user:hunter2@127.0.0.1:1/x'],
  ])('takes %s from "%s", without a connection yet', (engine, url) => {
    expect(open(url).engine).toBe(engine);
  });

  it('shows at the first query that PostgreSQL is not there, without the password', async () => {
    const found: unknown = await open('postgres://user:hunter2@127.0.0.1:1/x')
      .ping()
      .catch((error: unknown) => error);
    expect(found).toMatchObject({ code: 'ECONNREFUSED' });
    expect(String((found as Error).stack)).not.toContain('hunter2');
  });
});

/** What the first query says of a file that cannot be opened. */
async function refusalOfFile(path: string): Promise<string> {
  try {
    await open(`file:${path}`).ping();
  } catch (error) {
    if (error instanceof DatabaseUrlError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('openDatabase, on a file', () => {
  it.each(['file:', 'file:%zz', 'file:./100%.db', 'file://elsewhere/x.db'])(
    'refuses "%s", which names no local file, and says what was expected',
    (url) => {
      expect(refusal(url)).toBe(
        'expected file:PATH with the path of a local file, like file:./data/freshgate.db',
      );
    },
  );

  it('makes the file and the folders above it', async () => {
    const path = join(folder, 'a/b/x.db');
    await open(`file:${path}`).ping();
    expect(existsSync(path)).toBe(true);
  });

  it.each<[string, string, (path: string) => string]>([
    ['file:PATH', 'x.db', (path) => `file:${path}`],
    ['a file URL', 'x.db', (path) => pathToFileURL(path).href],
    ['a file URL with an encoded name', 'größe 1%.db', (path) => pathToFileURL(path).href],
    ['file:PATH with an encoded name', 'a b.db', (path) => `file:${path.replace(' ', '%20')}`],
  ])('finds it by %s', async (_, name, url) => {
    const path = join(folder, name);
    await open(url(path)).ping();
    expect(existsSync(path)).toBe(true);
  });

  it('refuses a file that is open already, and leaves it to its owner', async () => {
    const path = join(folder, 'x.db');
    const owner = open(`file:${path}`);
    await owner.ping();
    expect(await refusalOfFile(path)).toMatch(/x\.db is in use by another process; .* use PostgreSQL$/);
    await expect(owner.ping()).resolves.toBeUndefined();
  });

  it('makes a file that only its owner may read, with all that belongs to it', async () => {
    const database = open(`file:${join(folder, 'x.db')}`);
    await sql`create table notes (text text)`.execute(database);
    const modes = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o777]);
    expect(modes).toEqual([
      ['x.db', 0o600],
      ['x.db-wal', 0o600],
    ]);
  });

  it('holds everything in the file itself once it is closed, so that a copy of it is whole', async () => {
    const [path, copy] = [join(folder, 'x.db'), join(folder, 'copy.db')];
    const owner = openDatabase(`file:${path}`);
    await sql`create table kept (value text)`.execute(owner);
    await sql`insert into kept values ('here')`.execute(owner);
    await owner.destroy();
    copyFileSync(path, copy);
    const { rows } = await sql<{ value: string }>`select value from kept`.execute(open(`file:${copy}`));
    expect(rows).toEqual([{ value: 'here' }]);
  });

  it('releases the file when it is closed, even before its statements are garbage-collected', async () => {
    const url = `file:${join(folder, 'x.db')}`;
    const owner = openDatabase(url);
    await sql`create table kept (value text)`.execute(owner);
    await owner.inTransaction(async (tx) => sql`insert into kept values ('here') returning *`.execute(tx));
    await owner.destroy();
    expect(readdirSync(folder)).toEqual(['x.db']);
    const { rows } = await sql`select value from kept`.execute(open(url));
    expect(rows).toEqual([{ value: 'here' }]);
  });

  it('is durable and keeps references: WAL, synchronous=FULL, foreign keys', async () => {
    const database = open(`file:${join(folder, 'x.db')}`);
    const pragma = async (name: string) => {
      const { rows } = await sql.raw<Record<string, unknown>>(`pragma ${name}`).execute(database);
      return Object.values(rows[0] ?? {})[0];
    };
    expect([await pragma('journal_mode'), await pragma('synchronous'), await pragma('foreign_keys')]).toEqual(
      ['wal', 2, 1],
    );
  });

  it.each<[string, (path: string) => void]>([
    ['a folder', (path) => mkdirSync(path)],
    ['a file that is no database', (path) => writeFileSync(path, 'no database'.repeat(100))],
  ])('refuses %s in its place, and names the path', async (_, make) => {
    const path = join(folder, 'x.db');
    make(path);
    expect(await refusalOfFile(path)).toContain(`${path} cannot be opened: `);
  });

  it('refuses a place below a file, and names the path', async () => {
    writeFileSync(join(folder, 'file'), '');
    const path = join(folder, 'file/x.db');
    expect(await refusalOfFile(path)).toContain(`${path} cannot be opened: `);
  });
});
