import { sql } from 'kysely';
import { type Database } from '../database/index.js';
import { type Count, type Counters, isBeyond, nameOf, type RateLimitKey } from './counters.js';

/**
 * Counts in the table `rate_limits`, which all instances share: one upsert for each limit, in the order of the keys. Each
 * is a separate statement, so no attempt holds one counter locked while it waits for another. Windows use the system
 * clock; the readiness check limits how far the clocks of instances differ.
 */
export class PostgresCounters implements Counters {
  constructor(
    private readonly db: Database,
    private readonly now = () => Date.now(),
  ) {}

  async take(keys: readonly RateLimitKey[]): Promise<Count[]> {
    const counts: Count[] = [];
    for (const key of keys) {
      const count = await this.takeOne(key);
      counts.push(count);
      if (isBeyond(key.limit, count)) break;
    }
    return counts;
  }

  async release(keys: readonly RateLimitKey[], reset: readonly RateLimitKey[] = []): Promise<void> {
    for (const key of keys) {
      if (reset.includes(key))
        await this.db.deleteFrom('rate_limits').where('key', '=', nameOf(key)).execute();
      else await this.releaseOne(key);
    }
  }

  private async takeOne(key: RateLimitKey): Promise<Count> {
    const now = this.now();
    const isOver = sql<boolean>`rate_limits.expire <= ${now}`;
    const { points, expire } = await this.db
      .insertInto('rate_limits')
      .values({ key: nameOf(key), points: 1, expire: now + key.limit.seconds * 1000 })
      .onConflict((conflict) =>
        conflict.column('key').doUpdateSet({
          points: sql`case when ${isOver} then 1 else rate_limits.points + 1 end`,
          expire: sql`case when ${isOver} then excluded.expire else rate_limits.expire end`,
        }),
      )
      .returning(['points', 'expire'])
      .executeTakeFirstOrThrow();
    return { taken: points, msLeft: (expire ?? now) - now };
  }

  /** A counter that reaches zero is deleted: a refused attempt leaves nothing behind. */
  private async releaseOne(key: RateLimitKey): Promise<void> {
    const released = await this.db
      .updateTable('rate_limits')
      .set((eb) => ({ points: eb('points', '-', 1) }))
      .where('key', '=', nameOf(key))
      .where('expire', '>', this.now())
      // Two attempts may be given back at once: below zero, the row would stay and allow one attempt too many.
      .where('points', '>', 0)
      .returning('points')
      .executeTakeFirst();
    if (released?.points !== 0) return;
    await this.db.deleteFrom('rate_limits').where('key', '=', nameOf(key)).where('points', '=', 0).execute();
  }
}
