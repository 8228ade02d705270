import { Logger } from '@nestjs/common';
import {
  type PostgresCursor,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresQueryResult,
} from 'kysely';
import type pg from 'pg';
import { columnTypes } from './column-types.js';
import { codeOf, DatabaseUnavailableError, DatabaseUrlError, isError } from './database-errors.js';
import { type DatabaseStatistics } from './database-statistics.js';
import { assertWritable } from './writable.js';
import { endsConnection, isNotNow } from './postgres-errors.js';

const CONNECT_TIMEOUT_MS = 5_000;
const IDLE_TIMEOUT_MS = 30_000;
const IDLE_IN_TRANSACTION_MS = 10_000;
/** How much longer the driver waits than the server's limit on a statement; only the driver notices a silent server. */
const SILENCE_MS = 1_000;

export interface PoolOptions {
  readonly max: number;
  /** Milliseconds that a statement may take; 0 for no limit. */
  readonly statementTimeout: number;
}

/**
 * A bounded pool whose connections reach a writable primary. If one connection is lost, it closes all idle ones,
 * because the server behind them has most likely been replaced.
 */
export class ServerPool implements PostgresPool {
  private readonly pool: pg.Pool;
  private readonly states = new WeakMap<pg.PoolClient, ConnectionState>();
  /** Connections of an earlier generation are not used again. */
  private generation = 0;

  constructor(
    driver: typeof pg,
    url: string,
    private readonly options: PoolOptions,
    private readonly statistics: DatabaseStatistics,
  ) {
    const { max, statementTimeout } = options;
    // Sends only the name when connecting: a pooler such as PgBouncer refuses other parameters.
    this.pool = new driver.Pool({
      connectionString: url,
      application_name: 'freshgate',
      max,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
      ...(statementTimeout > 0 && { query_timeout: statementTimeout + SILENCE_MS }),
      types: columnTypes(driver),
    });
    statistics.observePool(() => {
      const { totalCount: open, idleCount: idle, waitingCount: waiting } = this.pool;
      return { max, open, idle, waiting };
    });
    const logger = new Logger('Database');
    // An unhandled error event would end the process. The pool repeats those of idle connections.
    this.pool.on('error', () => {});
    this.pool.on('connect', (client) => {
      const state = { generation: this.generation, isLost: false, isReady: false };
      this.states.set(client, state);
      client.on('error', (error) => {
        state.isLost = true;
        logger.warn(`a connection was lost: ${error.message}`);
      });
      client.on('end', () => (state.isLost = true));
    });
  }

  /** @throws DatabaseUnavailableError if no connection to a writable server can be made */
  async connect(): Promise<PostgresPoolClient> {
    for (;;) {
      const connection = await this.take();
      if (connection.isCurrent) return connection;
      connection.release();
    }
  }

  async end(): Promise<void> {
    await this.pool.end();
  }

  /** Called for a lost connection: begins a new generation, unless the connection is of an earlier one. */
  giveUp({ generation }: ConnectionState): void {
    if (generation === this.generation) this.generation++;
  }

  isCurrent({ generation, isLost }: ConnectionState): boolean {
    return generation === this.generation && !isLost;
  }

  count(error: unknown): void {
    this.statistics.countError(codeOf(error) || 'other');
  }

  private async take(): Promise<ServerConnection> {
    let connection: ServerConnection | undefined;
    try {
      const client = await this.pool.connect();
      const state = this.states.get(client) ?? { generation: -1, isLost: true, isReady: false };
      connection = new ServerConnection(this, client, state);
      if (!state.isReady) {
        await this.setUp(client);
        state.isReady = true;
      }
      return connection;
    } catch (error) {
      connection?.release(true);
      this.count(error);
      throw error instanceof DatabaseUrlError ? error : new DatabaseUnavailableError(error as Error);
    }
  }

  /** Our rules assume READ COMMITTED, so the server's default must not apply. */
  private async setUp(client: pg.PoolClient): Promise<void> {
    await client.query(`
      set application_name = 'freshgate';
      set statement_timeout = ${this.options.statementTimeout};
      set idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS};
      set session characteristics as transaction isolation level read committed`);
    await assertWritable(client);
  }
}

interface ConnectionState {
  readonly generation: number;
  isLost: boolean;
  isReady: boolean;
}

/** One connection while it is in use. Recognises here, where it is certain, errors that mean "not available now". */
class ServerConnection implements PostgresPoolClient {
  constructor(
    private readonly pool: ServerPool,
    private readonly client: pg.PoolClient,
    private readonly state: ConnectionState,
  ) {}

  get isCurrent(): boolean {
    return this.pool.isCurrent(this.state);
  }

  query<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  query<R>(
    sql: string | PostgresCursor<R>,
    parameters: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof sql !== 'string') throw new TypeError('cursors are not supported');
    // Not `async`: that would cost two more promises for every query.
    return this.client.query(sql, [...parameters]).catch((error: unknown) => this.fail(error)) as Promise<
      PostgresQueryResult<R>
    >;
  }

  release(destroy = false): void {
    this.client.release(destroy || !this.isCurrent);
  }

  private fail(error: unknown): never {
    this.pool.count(error);
    if (endsConnection(error)) this.state.isLost = true;
    if (this.state.isLost) this.pool.giveUp(this.state);
    throw isError(error) && (this.state.isLost || isNotNow(error))
      ? new DatabaseUnavailableError(error)
      : error;
  }
}
