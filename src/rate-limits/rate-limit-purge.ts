import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database, Purger } from '../database/index.js';

/** Removes counters whose window is over, in PostgreSQL. */
@Injectable()
export class RateLimitPurge implements OnModuleInit {
  constructor(
    private readonly db: Database,
    private readonly purger: Purger,
  ) {}

  onModuleInit(): void {
    if (this.db.engine !== 'postgres') return;
    this.purger.add({
      what: 'expired rate-limit counters',
      table: 'rate_limits',
      key: 'key',
      // Skips rows that an attempt has locked: it locks several, in another order than this one.
      selectDead: (tx, cutoff) =>
        tx.selectFrom('rate_limits').select('key').where('expire', '<', cutoff).forUpdate().skipLocked(),
    });
  }
}
