import { type CompiledQuery, type DatabaseConnection, type Driver, type QueryResult } from 'kysely';
import Libsql from 'libsql/promise';
import { LRUCache } from 'lru-cache';
import { DatabaseUrlError, fromSqlite } from './database-errors.js';

/** The part of libsql that we use; its type definitions declare most of it as `any`. */
export interface SqliteHandle {
  /** False also after SQLite has rolled back by itself, for example because the disk is full. */
  readonly inTransaction: boolean;
  /** Runs statements on a thread of libsql's, so that the event loop does not wait for the disk. */
  exec(sql: string): Promise<void>;
  prepare(sql: string): Promise<PreparedStatement>;
  close(): void;
  /** Throws if the path no longer leads to the opened file. Absent for a database in memory. */
  checkFile?(): void;
}

interface PreparedStatement {
  readonly reader: boolean;
  all(parameters: readonly unknown[]): Promise<unknown[]>;
  run(parameters: readonly unknown[]): { changes: number; lastInsertRowid: number | bigint };
}

/** Preparing a statement costs as much as running it; an application has about fifty. */
const MAX_PREPARED_STATEMENTS = 200;

/**
 * Writes of Kysely's builders. Outside of a transaction each gets its own, so that its COMMIT runs off the main thread
 * (see `commit`).
 */
const WRITES: ReadonlySet<string> = new Set(['InsertQueryNode', 'UpdateQueryNode', 'DeleteQueryNode']);

export function openHandle(path: string): SqliteHandle {
  return new Libsql(path, {}) as unknown as SqliteHandle;
}

/** One connection, used by one caller at a time. While a COMMIT waits for the disk, the event loop continues. */
export class SqliteDriver implements Driver {
  private connection: SqliteConnection | undefined;
  private readonly waiting: (() => void)[] = [];
  private taken = false;

  constructor(private readonly open: () => Promise<SqliteHandle>) {}

  async init(): Promise<void> {
    this.connection = new SqliteConnection(await this.open());
  }

  async acquireConnection(): Promise<SqliteConnection> {
    if (!this.connection) throw new DatabaseUrlError('the database is not open');
    if (this.taken) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.taken = true;
    try {
      this.connection.checkFile();
    } catch (error) {
      await this.releaseConnection();
      throw error;
    }
    return this.connection;
  }

  async beginTransaction(connection: SqliteConnection): Promise<void> {
    await connection.begin();
  }

  async commitTransaction(connection: SqliteConnection): Promise<void> {
    await connection.commit();
  }

  async rollbackTransaction(connection: SqliteConnection): Promise<void> {
    await connection.rollback();
  }

  async releaseConnection(): Promise<void> {
    const next = this.waiting.shift();
    if (next) next();
    else this.taken = false;
  }

  async destroy(): Promise<void> {
    await this.connection?.close();
  }
}

class SqliteConnection implements DatabaseConnection {
  private readonly statements = new LRUCache<string, PreparedStatement>({ max: MAX_PREPARED_STATEMENTS });
  private transactional = false;

  constructor(private readonly handle: SqliteHandle) {}

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return reporting(() => this.execute<R>(query));
  }

  private async execute<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (!this.transactional && WRITES.has(query.query.kind)) return this.executeAlone<R>(query);
    // After SQLite has rolled back by itself, further statements of the transaction would be committed at once.
    if (this.transactional && !this.handle.inTransaction) throw new Error('the transaction was rolled back');
    const { sql, parameters } = query;
    const statement = this.statements.get(sql) ?? (await this.prepare(sql));
    if (statement.reader) return { rows: (await statement.all(parameters)) as R[] };
    const { changes, lastInsertRowid } = statement.run(parameters);
    return { numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid), rows: [] };
  }

  /** All rows at once, because every other caller would wait for a slow reader. */
  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }

  /** @throws DatabaseUnavailableError if the write would be lost when the process ends */
  checkFile(): void {
    try {
      this.handle.checkFile?.();
    } catch (error) {
      throw fromSqlite(error);
    }
  }

  async begin(): Promise<void> {
    await reporting(() => this.handle.exec('begin immediate'));
    this.transactional = true;
  }

  /** With `exec`, which runs on libsql's thread: it waits for the disk, sometimes for a checkpoint too. */
  async commit(): Promise<void> {
    this.checkFile();
    await reporting(() => this.handle.exec('commit'));
    this.transactional = false;
  }

  async rollback(): Promise<void> {
    this.transactional = false;
    if (this.handle.inTransaction) await this.handle.exec('rollback');
  }

  /**
   * Afterwards the file holds everything and can be opened again. Closing alone would delay both until the last
   * statement is garbage-collected: WAL without shared memory is a lock.
   */
  async close(): Promise<void> {
    try {
      this.checkFile();
    } catch {
      // A checkpoint would delete the WAL of the file that has replaced this one.
      return this.handle.close();
    }
    try {
      await this.handle.exec(`
        PRAGMA wal_checkpoint(TRUNCATE);
        PRAGMA journal_mode = DELETE;
        PRAGMA locking_mode = NORMAL;
        SELECT 1 FROM sqlite_schema`);
    } finally {
      this.handle.close();
    }
  }

  private async executeAlone<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    await this.begin();
    try {
      const result = await this.executeQuery<R>(query);
      await this.commit();
      return result;
    } catch (error) {
      await this.rollback();
      throw error;
    }
  }

  private async prepare(sql: string): Promise<PreparedStatement> {
    const statement = await this.handle.prepare(sql);
    this.statements.set(sql, statement);
    return statement;
  }
}

async function reporting<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromSqlite(error);
  }
}
