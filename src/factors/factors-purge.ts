import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Purger } from '../database/index.js';

/** Removes enrolments that were never confirmed, and counters whose windows are over. */
@Injectable()
export class FactorsPurge implements OnModuleInit {
  constructor(private readonly purger: Purger) {}

  onModuleInit(): void {
    this.purger.add({
      what: 'unconfirmed authenticators',
      table: 'otp_factors',
      key: 'id',
      selectDead: (tx, cutoff) =>
        tx
          .selectFrom('otp_factors')
          .select('id')
          .where('confirmed_at', 'is', null)
          .where('created_at', '<', cutoff),
    });
    this.purger.add({
      what: 'counters of codes',
      table: 'factor_attempts',
      key: 'user_id',
      selectDead: (tx, cutoff) =>
        tx.selectFrom('factor_attempts').select('user_id').where('long_ends_at', '<', cutoff),
    });
  }
}
