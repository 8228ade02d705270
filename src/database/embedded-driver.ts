import { type CompiledQuery, type DatabaseConnection, type Driver, type QueryResult } from 'kysely';
import { type EmbeddedHandle } from './embedded-handle.js';
import { KeptStatements } from './kept-statements.js';

/** Statements that write, whose COMMIT need not be theirs: all but what is written by hand, which a transaction may not take. */
const WRITES: ReadonlySet<string> = new Set(['InsertQueryNode', 'UpdateQueryNode', 'DeleteQueryNode']);

/**
 * The one connection of an embedded database, in turns. The transactions of one turn of the event loop are savepoints
 * of a single one: they share its COMMIT. Those that come while it waits for the disk share the next, and the event loop
 * goes on. None is told that it has committed before that.
 */
export class EmbeddedDriver implements Driver {
  private readonly statements: KeptStatements;
  private readonly waiting: (() => void)[] = [];
  /** Whether it is somebody's turn, or a COMMIT's. */
  private taken = false;
  private open: SharedTransaction | undefined;
  private committing: Promise<void> | undefined;

  constructor(private readonly handle: EmbeddedHandle) {
    this.statements = new KeptStatements(handle);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<Turn> {
    if (this.taken) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.taken = true;
    return new Turn((query, shared) => this.execute(query, shared));
  }

  async beginTransaction(turn: Turn): Promise<void> {
    const shared = (this.open ??= this.begin());
    this.handle.exec('savepoint turn');
    turn.shared = shared;
  }

  /** Lets the next one have its turn, and waits for the COMMIT of all. */
  async commitTransaction(turn: Turn): Promise<void> {
    const { shared } = turn;
    if (shared === this.open) this.handle.exec('release turn');
    this.end(turn);
    await shared?.committed;
  }

  /** Also called where the COMMIT has failed: then nothing is left to be undone. */
  async rollbackTransaction(turn: Turn): Promise<void> {
    if (turn.ended) return;
    if (turn.shared === this.open) this.handle.exec('rollback to turn; release turn');
    this.end(turn);
  }

  async releaseConnection(turn: Turn): Promise<void> {
    this.end(turn);
  }

  /**
   * The file then holds everything, and is nobody's: closing alone would leave both to the moment at which the last
   * statement is collected, and until then the file could not be opened again. WAL without shared memory is a lock.
   */
  async destroy(): Promise<void> {
    try {
      await this.committing;
      await this.commit();
      this.handle.exec(`
        PRAGMA wal_checkpoint(TRUNCATE);
        PRAGMA journal_mode = DELETE;
        PRAGMA locking_mode = NORMAL;
        SELECT 1 FROM sqlite_schema`);
    } finally {
      this.handle.close();
    }
  }

  private async execute<R>(
    query: CompiledQuery,
    shared: SharedTransaction | undefined,
  ): Promise<QueryResult<R>> {
    if (shared) return this.executeIn(shared, query);
    if (WRITES.has(query.query.kind)) {
      const own = (this.open ??= this.begin());
      const result = this.executeIn<R>(own, query);
      await this.commit();
      await own.committed;
      return result;
    }
    // It sees only what is committed.
    if (this.open) await this.commit();
    return this.statements.execute<R>(query);
  }

  private executeIn<R>(shared: SharedTransaction, query: CompiledQuery): QueryResult<R> {
    // Rolled back amid its work; what it went on to write would be in no transaction at all.
    if (shared !== this.open) throw shared.failure;
    try {
      return this.statements.execute<R>(query);
    } catch (error) {
      // SQLite rolls back all of it by itself when, for one, the disk is full.
      if (!this.handle.inTransaction) this.fail(shared, error);
      throw error;
    }
  }

  private begin(): SharedTransaction {
    this.handle.exec('begin');
    const shared = new SharedTransaction();
    // Once what has arrived with this request has had its turn: a wait for nobody, as nothing else is waited for.
    setImmediate(() => {
      shared.due = true;
      if (shared !== this.open || this.taken) return;
      this.taken = true;
      this.passOn();
    });
    return shared;
  }

  private end(turn: Turn): void {
    if (turn.ended) return;
    turn.ended = true;
    this.passOn();
  }

  /** To a COMMIT that is due, and to who waits. */
  private passOn(): void {
    if (this.open?.due) void this.commit().then(() => this.passOn());
    else {
      const next = this.waiting.shift();
      if (next) next();
      else this.taken = false;
    }
  }

  /** By who has the connection. Never fails: it is those who take part that hear of it. */
  private commit(): Promise<void> {
    const shared = this.open;
    this.open = undefined;
    this.committing = shared && this.commitFor(shared);
    return this.committing ?? Promise.resolve();
  }

  private async commitFor(shared: SharedTransaction): Promise<void> {
    try {
      await this.handle.commit();
      shared.succeed();
    } catch (error) {
      shared.fail(error);
      if (this.handle.inTransaction) this.handle.exec('rollback');
    }
  }

  private fail(shared: SharedTransaction, error: unknown): void {
    this.open = undefined;
    shared.fail(error);
  }
}

/** The connection, as long as it is one caller's. */
class Turn implements DatabaseConnection {
  shared: SharedTransaction | undefined;
  ended = false;

  constructor(
    private readonly execute: <R>(
      query: CompiledQuery,
      shared: SharedTransaction | undefined,
    ) => Promise<QueryResult<R>>,
  ) {}

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return this.execute<R>(query, this.shared);
  }

  /** All at once: everybody else would wait for a reader who takes their time. */
  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.execute<R>(query, this.shared);
  }
}

class SharedTransaction {
  /** Told to everybody who takes part. */
  readonly committed: Promise<void>;
  failure: unknown;
  /** Takes no more of them in, once the one that has its turn has ended. */
  due = false;
  succeed: () => void = () => {};
  private reject: (error: unknown) => void = () => {};

  constructor() {
    this.committed = new Promise((resolve, reject) => {
      this.succeed = resolve;
      this.reject = reject;
    });
    // Where all of them were rolled back, nobody listens.
    this.committed.catch(() => {});
  }

  fail(error: unknown): void {
    this.failure = error;
    this.reject(error);
  }
}
