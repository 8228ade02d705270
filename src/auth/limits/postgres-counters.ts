import { CompiledQuery } from 'kysely';
import { RateLimiterPostgres } from 'rate-limiter-flexible';
import { type Database, keepPlan } from '../../database/index.js';
import { type Count, type CounterStore } from './counters.js';
import { type Limit } from './limit.js';

/**
 * Counts in the table `rate_limits`, for all instances together. Windows are measured by the system's time, the library
 * knows no other clock; the readiness check keeps that of instances together.
 */
export class PostgresCounters implements CounterStore {
  private readonly counters: RateLimiterPostgres;

  constructor(
    name: string,
    limit: Limit,
    private readonly db: Database,
  ) {
    this.counters = new RateLimiterPostgres({
      keyPrefix: name,
      points: limit.points,
      duration: limit.seconds,
      storeClient: clientOf(db),
      storeType: 'client',
      tableName: 'rate_limits',
      // By a migration of ours: no DDL while requests run. Expired rows are removed by `RateLimitPurge`.
      tableCreated: true,
      clearExpiredByTimeout: false,
    });
  }

  async take(key: string): Promise<Count> {
    const { consumedPoints, msBeforeNext } = await this.counters.penalty(key);
    return { taken: consumedPoints, msLeft: msBeforeNext };
  }

  /** Not the library's: it counts below zero where the window is over, and leaves a row for all who were refused. */
  async giveBack(key: string): Promise<void> {
    const id = this.counters.getKey(key);
    const left = await this.db
      .updateTable('rate_limits')
      .set((eb) => ({ points: eb('points', '-', 1) }))
      .where('key', '=', id)
      .where('points', '>', 0)
      .where('expire', '>', Date.now())
      .returning('points')
      .executeTakeFirst();
    if (left?.points !== 0) return;
    // Unless another has counted meanwhile.
    await this.db.deleteFrom('rate_limits').where('key', '=', id).where('points', '=', 0).execute();
  }

  async forget(key: string): Promise<void> {
    await this.counters.delete(key);
  }
}

/** What the library takes for a connection of `pg`: our handle, with its pool, its time-outs and its errors. */
function clientOf(db: Database): object {
  return {
    async query({ text, values = [] }: { text: string; values?: unknown[] }) {
      const { rows, numAffectedRows } = await db.executeQuery(keepPlan(CompiledQuery.raw(text, values)));
      return { rows, rowCount: Number(numAffectedRows ?? rows.length) };
    },
  };
}
