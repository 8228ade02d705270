import { CompiledQuery } from 'kysely';
import { createHash } from 'node:crypto';
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterPostgres } from 'rate-limiter-flexible';
import { type Database } from '../../database/index.js';
import { type Limit } from './limit.js';

/** What one more has made of a counter. */
export interface Count {
  /** With this one. */
  taken: number;
  /** Milliseconds until the window ends. */
  msLeft: number;
}

/**
 * Counters of one limit, by key: in PostgreSQL where instances share it, else in memory. Windows are measured by the
 * system's time, the library knows no other clock; the readiness check keeps that of instances together.
 */
export class Counters {
  private readonly counters: RateLimiterAbstract;

  constructor(
    readonly name: string,
    readonly limit: Limit,
    db: Database,
  ) {
    const options = { keyPrefix: name, points: limit.points, duration: limit.seconds };
    this.counters =
      db.engine === 'postgres'
        ? new RateLimiterPostgres({
            ...options,
            storeClient: clientOf(db),
            storeType: 'client',
            tableName: 'rate_limits',
            // By a migration of ours: no DDL while requests run. Expired rows are removed by `RateLimitPurge`.
            tableCreated: true,
            clearExpiredByTimeout: false,
          })
        : new RateLimiterMemory(options);
  }

  /** Counts one, in one step that no parallel request can come between. @throws when the store cannot answer */
  async take(key: string): Promise<Count> {
    const { consumedPoints, msBeforeNext } = await this.counters.penalty(hashed(key));
    return { taken: consumedPoints, msLeft: msBeforeNext };
  }

  async giveBack(key: string): Promise<void> {
    const { consumedPoints } = await this.counters.reward(hashed(key));
    // The window, and what was taken in it, is over: left below zero, the counter would allow one more in the next.
    if (consumedPoints < 0) await this.counters.penalty(hashed(key));
  }

  async forget(key: string): Promise<void> {
    await this.counters.delete(hashed(key));
  }
}

/** Bounds a key's length, and keeps what strangers write out of tables and dumps. */
function hashed(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}

/** What the library takes for a connection of `pg`: our handle, with its pool, its time-outs and its errors. */
function clientOf(db: Database): object {
  return {
    async query({ text, values = [] }: { text: string; values?: unknown[] }) {
      const { rows, numAffectedRows } = await db.executeQuery(CompiledQuery.raw(text, values));
      return { rows, rowCount: Number(numAffectedRows ?? rows.length) };
    },
  };
}
