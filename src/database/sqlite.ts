import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Driver, SqliteAdapter, SqliteDialect } from 'kysely';
import { DatabaseInUseError, DatabaseUrlError } from './database-errors.js';
import { Database } from './database.js';
import { EmbeddedDriver } from './embedded-driver.js';
import { EmbeddedHandle } from './embedded-handle.js';
import { ReportingDriver } from './reporting-driver.js';

/** Kysely does not rely on it, but in SQLite DDL is transactional: a crash amid a migration leaves nothing behind. */
class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class EmbeddedDialect extends SqliteDialect {
  constructor(private readonly handle: EmbeddedHandle) {
    super({ database: handle });
  }

  override createDriver(): Driver {
    return new ReportingDriver(new EmbeddedDriver(this.handle));
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalDdlAdapter();
  }
}

/** Processes that open one file at the same moment can each keep the others out; all but one then come again. */
const OPEN_TRIES = 8;
const LONGEST_PAUSE = 150;

/**
 * Opens the embedded database, made on first start. WAL with `synchronous=FULL`: what was answered 2xx survives
 * a power cut. The exclusive lock is held until the process ends, however it ends, so one process owns the file.
 * @throws DatabaseUrlError when another process owns the file, or it cannot be opened
 */
export function openSqlite(url: string): Database {
  const path = url === ':memory:' ? url : pathOf(url);
  for (let attempt = 1; ; attempt++) {
    try {
      return new Database('sqlite', new EmbeddedDialect(openFile(path)));
    } catch (error) {
      const { code, message } = error as Error & { code?: string };
      if (code !== 'SQLITE_BUSY') throw new DatabaseUrlError(`${path} cannot be opened: ${message}`);
      if (attempt === OPEN_TRIES) {
        throw new DatabaseInUseError(
          `${path} is in use by another process; an embedded database has one owner. Stop the other one, or use PostgreSQL`,
        );
      }
      pause(Math.random() * LONGEST_PAUSE);
    }
  }
}

function openFile(path: string): EmbeddedHandle {
  if (path !== ':memory:') {
    mkdirSync(dirname(path), { recursive: true });
    // It holds password hashes: nobody else's to read. SQLite gives its other files the mode of this one.
    closeSync(openSync(path, 'a', 0o600));
  }
  const handle = new EmbeddedHandle(path);
  try {
    // Not `pragma()`: its statements stay open until they are collected, and keep a closed handle's locks.
    // The locking mode comes before the journal mode: WAL without shared memory is what makes the lock exclusive.
    handle.exec(`
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA foreign_keys = ON;
      BEGIN EXCLUSIVE;
      COMMIT`);
    return handle;
  } catch (error) {
    handle.close();
    throw error;
  }
}

/** `file:./data/x.db` is relative to the working directory, as is `file:data/x.db`; `file:///x.db` is absolute. */
function pathOf(url: string): string {
  try {
    const path = url.startsWith('file://')
      ? fileURLToPath(url)
      : decodeURIComponent(url.slice('file:'.length));
    // SQLite takes an empty name for a database that is gone when it is closed.
    if (path !== '') return path;
  } catch {
    // Falls through: a broken escape, or a file on another host.
  }
  throw new DatabaseUrlError(
    'expected file:PATH with the path of a local file, like file:./data/freshgate.db',
  );
}

/** Synchronous, at start only: nothing else can be done before the database is open. */
function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
