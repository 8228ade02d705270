import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Driver, SqliteAdapter, SqliteDialect } from 'kysely';
import { DatabaseInUseError, DatabaseUrlError } from './database-errors.js';
import { Database } from './database.js';
import { openHandle, SqliteDriver, type SqliteHandle } from './sqlite-driver.js';
import { SqliteFile } from './sqlite-file.js';

/** Kysely does not rely on it, but in SQLite DDL is transactional: a crash amid a migration leaves nothing behind. */
class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class EmbeddedDialect extends SqliteDialect {
  constructor(private readonly path: string) {
    // The driver below opens the file itself.
    super({ database: () => Promise.reject(new Error('not used')) });
  }

  override createDriver(): Driver {
    return new SqliteDriver(() => openFile(this.path));
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalDdlAdapter();
  }
}

/** Processes that open the file at the same moment can lock each other out; all but one then try again. */
const MAX_OPEN_TRIES = 8;
const MAX_PAUSE_MS = 150;

/**
 * The embedded database, created on first use. WAL with `synchronous=FULL`: a change that was answered 2xx survives a
 * power failure. The exclusive lock is held until the process ends, so one process owns the file. The first query
 * throws DatabaseUrlError if another process owns the file or it cannot be opened.
 * @throws DatabaseUrlError for a URL that names no file
 */
export function openSqlite(url: string): Database {
  return new Database('sqlite', new EmbeddedDialect(url === ':memory:' ? url : sqlitePath(url)));
}

async function openFile(path: string): Promise<SqliteHandle> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryToOpen(path);
    } catch (error) {
      const { code, message } = error as Error & { code?: string };
      if (code !== 'SQLITE_BUSY') throw new DatabaseUrlError(`${path} cannot be opened: ${message}`);
      if (attempt === MAX_OPEN_TRIES) {
        throw new DatabaseInUseError(
          `${path} is in use by another process; an embedded database has one owner. Stop the other process, or use PostgreSQL`,
        );
      }
      await delay(Math.random() * MAX_PAUSE_MS);
    }
  }
}

async function tryToOpen(path: string): Promise<SqliteHandle> {
  if (path !== ':memory:') {
    mkdirSync(dirname(path), { recursive: true });
    // It holds password hashes: only the owner may read it. SQLite gives its other files the mode of this one.
    closeSync(openSync(path, 'a', 0o600));
  }
  const handle = openHandle(path);
  try {
    // The locking mode comes before the journal mode: only WAL without shared memory makes the lock exclusive.
    await handle.exec(`
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA foreign_keys = ON;
      BEGIN EXCLUSIVE;
      COMMIT`);
    if (path === ':memory:') return handle;
    const file = new SqliteFile(path);
    handle.checkFile = () => file.check();
    return handle;
  } catch (error) {
    handle.close();
    throw error;
  }
}

/** `file:./data/x.db` is relative to the working directory, as is `file:data/x.db`; `file:///x.db` is absolute. */
export function sqlitePath(url: string): string {
  try {
    const path = url.startsWith('file://')
      ? fileURLToPath(url)
      : decodeURIComponent(url.slice('file:'.length));
    // For SQLite, an empty name is a temporary database.
    if (path !== '') return path;
  } catch {
    // Continues below: a broken escape, or a file on another host.
  }
  throw new DatabaseUrlError(
    'expected file:PATH with the path of a local file, like file:./data/freshgate.db',
  );
}
