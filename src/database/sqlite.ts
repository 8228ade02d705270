import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SqliteDialect } from 'kysely';
import Libsql from 'libsql';
import { DatabaseUrlError } from './database-errors.js';
import { Database } from './database.js';

/**
 * Opens the embedded database, made on first start. WAL with `synchronous=FULL`: what was answered 2xx survives
 * a power cut. The exclusive lock is held until the process ends, however it ends, so one process owns the file.
 * @throws DatabaseUrlError when another process owns the file, or it cannot be opened
 */
export function openSqlite(url: string): Database {
  const path = url === ':memory:' ? url : pathOf(url);
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
    const handle = new Libsql(path);
    // Before the journal mode: WAL without shared memory is what makes the lock exclusive.
    handle.pragma('locking_mode = EXCLUSIVE');
    handle.pragma('journal_mode = WAL');
    handle.pragma('synchronous = FULL');
    handle.pragma('foreign_keys = ON');
    handle.exec('BEGIN EXCLUSIVE; COMMIT');
    return new Database('sqlite', new SqliteDialect({ database: handle }));
  } catch (error) {
    throw new DatabaseUrlError(
      (error as { code?: string }).code === 'SQLITE_BUSY'
        ? `${path} is in use by another process; an embedded database has one owner. Stop the other one, or use PostgreSQL`
        : `${path} cannot be opened: ${(error as Error).message}`,
    );
  }
}

/** `file:./data/x.db` is relative to the working directory, as is `file:data/x.db`; `file:///x.db` is absolute. */
function pathOf(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : decodeURIComponent(url.slice('file:'.length));
}
