import { CompiledQuery, type Dialect, Kysely, sql, type Transaction } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseUrlError, isDeadlock } from './database-errors.js';
import { DatabaseStatistics } from './database-statistics.js';
import { checkNotifications, Listener, type ListenerHandlers, NotificationsLostError } from './listener.js';
import { type Execute, type ReadPages, readByCursor } from './page-reader.js';
import { assertWritable } from './writable.js';

/**
 * All tables, one member each. A module adds its own beside the code that uses them:
 * `declare module '../database/index.js' { interface Tables { invoices: InvoicesTable } }`. An application that uses
 * this as a package writes `declare module 'freshgate/database'`.
 * Columns mean the same on both engines: ids are text (UUIDv7), times are milliseconds since the epoch.
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- filled by declaration merging
export interface Tables {}

export type Engine = 'sqlite' | 'postgres';
/** The database or a transaction. A repository method takes it if its caller may have begun a transaction. */
export type Executor = Kysely<Tables>;
export type Tx = Transaction<Tables>;

const DEADLOCK_TRIES = 5;
/** Milliseconds, multiplied by the number of the attempt, so that two transactions do not deadlock again. */
const DEADLOCK_PAUSE_MS = 10;
/**
 * Maximum difference between this clock and the database server's, in milliseconds: refresh compares times across
 * instances.
 */
export const MAX_CLOCK_SKEW_MS = 2_000;

/**
 * The Kysely handle for the engine of the URL, and its DI token. Create it with `openDatabase`: another pool or dialect
 * would not limit statements, detect dead connections, read `bigint` as numbers, or receive revocations by other
 * instances.
 */
export class Database extends Kysely<Tables> {
  private readonly afterCommits = new WeakMap<Tx, (() => void)[]>();

  constructor(
    readonly engine: Engine,
    dialect: Dialect,
    /** How to get a separate connection, and a handle without a statement timeout. */
    private readonly server?: { url: string; openUnlimited: () => Database },
    readonly statistics = new DatabaseStatistics(),
  ) {
    super({ dialect });
  }

  private readonly notifyAtOnce = async (channel: string, payload: string): Promise<void> => {
    await sql`select pg_notify(${channel}, ${payload})`.execute(this);
  };

  /**
   * Runs `work` in one transaction. Repeats it if PostgreSQL aborted it because of a deadlock, so `work` must only use
   * `tx`. SQLite has one connection: a query on the handle itself inside `work` would wait for ever.
   */
  async inTransaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.retryOnDeadlock(async () => {
      let failure: unknown;
      const afterCommit: (() => void)[] = [];
      const transaction = this.transaction().execute(async (tx) => {
        this.afterCommits.set(tx, afterCommit);
        return work(tx).catch((error: unknown) => {
          failure = error;
          throw error;
        });
      });
      // If the disk is full, SQLite has already rolled back and this fails; the first error is the one to report.
      const result = await transaction.catch((error: unknown) => {
        throw failure ?? error;
      });
      for (const hook of afterCommit) hook();
      return result;
    });
  }

  /** Runs `work`, a statement or a transaction, and repeats it if PostgreSQL aborted it because of a deadlock. */
  async retryOnDeadlock<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (attempt >= DEADLOCK_TRIES || !isDeadlock(error)) throw error;
        await delay(Math.random() * attempt * DEADLOCK_PAUSE_MS);
      }
    }
  }

  /** Runs `work` after the commit, for changes in memory that depend on it. It must not throw. */
  afterCommit(tx: Tx, hook: () => void): void {
    this.afterCommits.get(tx)?.push(hook);
  }

  /** Notifies every instance when the transaction commits. With SQLite there is no other instance. */
  async notify(tx: Tx, channel: string, payload: string): Promise<void> {
    if (this.engine === 'postgres') await sql`select pg_notify(${channel}, ${payload})`.execute(tx);
  }

  /** Runs work that may take longer than a request. */
  async withoutLimits<T>(work: (db: Database) => Promise<T>): Promise<T> {
    if (!this.server) return work(this);
    const unlimited = this.server.openUnlimited();
    try {
      return await work(unlimited);
    } finally {
      await unlimited.destroy();
    }
  }

  /**
   * Waits until no other transaction holds the lock of that name, and holds it until this one ends. With SQLite,
   * transactions run one after another anyway.
   */
  async lock(tx: Tx, name: string): Promise<void> {
    if (this.engine === 'postgres') await sql`select pg_advisory_xact_lock(hashtext(${name}))`.execute(tx);
  }

  /** Listens to `notify`, on PostgreSQL. */
  listen(channel: string, handlers: ListenerHandlers): Listener | undefined {
    return this.server && new Listener(this.server.url, channel, this.notifyAtOnce, handlers);
  }

  /**
   * Checks once, at the start, that the server is usable.
   * @throws DatabaseUrlError that says what to change
   */
  async checkServer(): Promise<void> {
    if (!this.server) return;
    const { rows } = await sql<{ server_encoding: string }>`show server_encoding`.execute(this);
    const encoding = rows[0]?.server_encoding;
    if (encoding !== 'UTF8')
      throw new DatabaseUrlError(
        `the database has the encoding ${encoding}; create one with the encoding UTF8`,
      );
    try {
      await checkNotifications(this.server.url, this.notifyAtOnce);
    } catch (error) {
      if (!(error instanceof NotificationsLostError)) throw error;
      throw new DatabaseUrlError(
        'notifications do not arrive, as behind a connection pooler in transaction mode; use session pooling ' +
          '(PgBouncer: pool_mode = session) or connect to the server itself',
      );
    }
  }

  /**
   * Runs `work` in a transaction, unless another instance is running work under the same name.
   * @returns undefined in that case
   */
  async withAdvisoryLock<T>(name: string, work: (tx: Tx) => Promise<T>): Promise<T | undefined> {
    return this.inTransaction(async (tx) => {
      if (this.engine === 'postgres') {
        const { rows } = await sql<{ mine: boolean }>`
          select pg_try_advisory_xact_lock(hashtext(${name})) as mine`.execute(tx);
        if (!rows[0]?.mine) return undefined;
      }
      return work(tx);
    });
  }

  /**
   * Checks that the database answers and is writable, so that it has the newest data.
   * @throws ReadOnlyDatabaseError, or the error of the driver
   */
  async checkWritable(): Promise<void> {
    if (this.engine === 'sqlite') return this.ping();
    await assertWritable({ query: async (text) => this.executeQuery(CompiledQuery.raw(text)) });
  }

  /** Reads many rows without one long statement. On PostgreSQL only from a writable server. */
  readonly readPages: ReadPages = async (read) => {
    if (this.engine === 'sqlite') {
      read.onPage((await this.executeQuery(read.queryFrom(undefined))).rows);
      return { position: undefined, isWhole: true };
    }
    return this.connection().execute(async (connection) => {
      const execute: Execute = async (text, parameters = []) =>
        (await connection.executeQuery(CompiledQuery.raw(text, [...parameters]))).rows;
      await assertWritable({ query: async (text) => ({ rows: await execute(text) }) });
      return readByCursor(execute, read);
    });
  };

  /** @throws the error of the driver if the database does not answer */
  async ping(): Promise<void> {
    await sql`select 1`.execute(this);
  }

  /**
   * By how many milliseconds the given clock is ahead of the database server's, as well as one exchange can tell.
   * SQLite has no clock of its own.
   */
  async clockSkew(now: () => number): Promise<number> {
    if (this.engine === 'sqlite') return (this.statistics.clockSkew = 0);
    const sent = now();
    const { rows } = await sql<{ now: number }>`
      select (extract(epoch from clock_timestamp()) * 1000)::bigint as now`.execute(this);
    const midway = (sent + now()) / 2;
    this.statistics.clockSkew = Math.round(midway - (rows[0]?.now ?? 0));
    return this.statistics.clockSkew;
  }
}
