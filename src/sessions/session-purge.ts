import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Purger, type Tx } from '../database/index.js';
import { RevokedSessions } from './revoked-sessions.js';

/** Removes sessions that are revoked or expired and have no live access token, and used tokens that have expired. */
@Injectable()
export class SessionPurge implements OnModuleInit {
  constructor(
    private readonly purger: Purger,
    private readonly revoked: RevokedSessions,
  ) {}

  onModuleInit(): void {
    this.purger.add({
      what: 'revoked sessions',
      table: 'sessions',
      key: 'id',
      selectDead: (tx, cutoff) => withoutLiveAccess(tx, cutoff).where('revoked_at', '<', cutoff),
      forget: (cutoff) => this.revoked.forget(cutoff),
    });
    this.purger.add({
      what: 'expired sessions',
      table: 'sessions',
      key: 'id',
      // By `expires_at`, which no rotation changes: an index on the idle expiry would be written by every refresh.
      selectDead: (tx, cutoff) => withoutLiveAccess(tx, cutoff).where('expires_at', '<', cutoff),
    });
    this.purger.add({
      what: 'used tokens',
      table: 'spent_tokens',
      key: 'jti',
      selectDead: (tx, cutoff) =>
        tx.selectFrom('spent_tokens').select('jti').where('expires_at', '<', cutoff),
    });
  }
}

function withoutLiveAccess(tx: Tx, cutoff: number) {
  return tx.selectFrom('sessions').select('id').where('access_until', '<', cutoff);
}
