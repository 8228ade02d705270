import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { Clock } from '../auth/index.js';
import { Database, type Tx } from '../database/index.js';
import { RateLimitedError } from '../rate-limits/rate-limited.error.js';

/** At any time three of a million codes are right: with this limit alone, guessing would succeed within a few years. */
const SHORT = { name: 'factor', points: 5, seconds: 900 };
const LONG = { name: 'factor-long', points: 100, seconds: 30 * 86_400 };

/**
 * Limits guesses of codes: for each account, across challenges, sessions, instances and new codes. An attempt is counted
 * before it is compared, so that of any number of parallel ones no more than the limit pass. Does not use `RateLimits`,
 * whose counters are in memory with SQLite: a restart must not end a window of 30 days.
 */
@Injectable()
export class CodeAttempts {
  constructor(
    private readonly db: Database,
    private readonly clock: Clock,
  ) {}

  /**
   * Counts an attempt, in one statement.
   * @returns the name of the limit that this attempt used up
   * @throws RateLimitedError, and then counts nothing: a refused attempt must not prolong the refusal
   */
  async take(userId: string): Promise<string | undefined> {
    const now = this.clock.now();
    const ends = { short: now + SHORT.seconds * 1000, long: now + LONG.seconds * 1000 };
    // A window that ends later than a new one would is over too: the clock was set back.
    const shortIsOver = sql<boolean>`(factor_attempts.short_ends_at <= ${now} or factor_attempts.short_ends_at > ${ends.short})`;
    const longIsOver = sql<boolean>`(factor_attempts.long_ends_at <= ${now} or factor_attempts.long_ends_at > ${ends.long})`;
    const counted = await this.db
      .insertInto('factor_attempts')
      .values({
        user_id: userId,
        short_count: 1,
        short_ends_at: ends.short,
        long_count: 1,
        long_ends_at: ends.long,
      })
      .onConflict((conflict) =>
        conflict
          .column('user_id')
          .doUpdateSet({
            short_count: sql`case when ${shortIsOver} then 1 else factor_attempts.short_count + 1 end`,
            short_ends_at: sql`case when ${shortIsOver} then excluded.short_ends_at else factor_attempts.short_ends_at end`,
            long_count: sql`case when ${longIsOver} then 1 else factor_attempts.long_count + 1 end`,
            long_ends_at: sql`case when ${longIsOver} then excluded.long_ends_at else factor_attempts.long_ends_at end`,
          })
          .where(sql<boolean>`(${shortIsOver} or factor_attempts.short_count < ${SHORT.points})`)
          .where(sql<boolean>`(${longIsOver} or factor_attempts.long_count < ${LONG.points})`),
      )
      .returning(['short_count', 'long_count'])
      .executeTakeFirst();
    if (!counted) throw await this.refusal(userId, now);
    if (counted.long_count === LONG.points) return LONG.name;
    return counted.short_count === SHORT.points ? SHORT.name : undefined;
  }

  /** Gives back an attempt that was no guess. Other attempts stay counted: a success of the owner must not help a stranger. */
  async giveBack(tx: Tx, userId: string): Promise<void> {
    await tx
      .updateTable('factor_attempts')
      .set({
        short_count: sql`case when short_count > 0 then short_count - 1 else 0 end`,
        long_count: sql`case when long_count > 0 then long_count - 1 else 0 end`,
      })
      .where('user_id', '=', userId)
      .execute();
  }

  async forget(tx: Tx, userId: string): Promise<void> {
    await tx.deleteFrom('factor_attempts').where('user_id', '=', userId).execute();
  }

  private async refusal(userId: string, now: number): Promise<RateLimitedError> {
    const row = await this.db
      .selectFrom('factor_attempts')
      .selectAll()
      .where('user_id', '=', userId)
      .executeTakeFirst();
    const isLong = row !== undefined && row.long_count >= LONG.points && row.long_ends_at > now;
    const endsAt = (isLong ? row?.long_ends_at : row?.short_ends_at) ?? now;
    return new RateLimitedError(isLong ? LONG : SHORT, Math.max(0, endsAt - now));
  }
}
