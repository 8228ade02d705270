import { Injectable } from '@nestjs/common';
import { Database, Purge, type Tx } from '../database/index.js';

/** Removes the counters whose window is over. Those in memory go by themselves. */
@Injectable()
export class RateLimitPurge extends Purge {
  constructor(db: Database) {
    super(db, 'expired counters');
  }

  override onApplicationBootstrap(): void {
    if (this.db.engine === 'postgres') super.onApplicationBootstrap();
  }

  protected async removeBatch(tx: Tx, most: number): Promise<number> {
    // The system's time, which the windows were measured by.
    const now = Date.now();
    // Past those that an attempt has locked: it locks several, in an order that is not this one.
    const over = tx
      .selectFrom('rate_limits')
      .select('key')
      .where('expire', '<', now)
      .limit(most)
      .forUpdate()
      .skipLocked();
    const { numDeletedRows } = await tx.deleteFrom('rate_limits').where('key', 'in', over).executeTakeFirst();
    return Number(numDeletedRows);
  }
}
