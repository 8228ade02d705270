import { Injectable } from '@nestjs/common';
import { Database, Purge, type Tx } from '../../database/index.js';

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
    const over = tx.selectFrom('rate_limits').select('key').where('expire', '<', now).limit(most);
    const { numDeletedRows } = await tx
      .deleteFrom('rate_limits')
      .where('key', 'in', over)
      // Asked again of the row as it is when it is locked: its next window may just have begun.
      .where('expire', '<', now)
      .executeTakeFirst();
    return Number(numDeletedRows);
  }
}
