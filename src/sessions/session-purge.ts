import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type Expression, type ExpressionBuilder, type SqlBool } from 'kysely';
import { Purger, type PurgeTask, type Tables } from '../database/index.js';
import { RevokedSessions } from './revoked-sessions.js';

/** Removes sessions that are revoked or expired and have no live access token. */
@Injectable()
export class SessionPurge implements OnModuleInit {
  constructor(
    private readonly purger: Purger,
    private readonly revoked: RevokedSessions,
  ) {}

  onModuleInit(): void {
    this.purger.add({
      ...removing('revoked sessions', (eb, cutoff) => eb('revoked_at', '<', cutoff)),
      forget: (cutoff) => this.revoked.forget(cutoff),
    });
    // By `expires_at`, which no rotation changes: an index on the idle expiry would be written by every refresh.
    this.purger.add(removing('expired sessions', (eb, cutoff) => eb('expires_at', '<', cutoff)));
    this.purger.add({
      what: 'used tokens',
      removeBatch: async (tx, cutoff, limit) => {
        const dead = tx
          .selectFrom('spent_tokens')
          .select('jti')
          .where('expires_at', '<', cutoff)
          .limit(limit);
        const { numDeletedRows } = await tx
          .deleteFrom('spent_tokens')
          .where('jti', 'in', dead)
          .executeTakeFirst();
        return Number(numDeletedRows);
      },
    });
  }
}

function removing(
  what: string,
  isDead: (eb: ExpressionBuilder<Tables, 'sessions'>, cutoff: number) => Expression<SqlBool>,
): PurgeTask {
  return {
    what,
    removeBatch: async (tx, cutoff, limit) => {
      const dead = tx
        .selectFrom('sessions')
        .select('id')
        .where((eb) => isDead(eb, cutoff))
        .where('access_until', '<', cutoff)
        .limit(limit);
      const { numDeletedRows } = await tx.deleteFrom('sessions').where('id', 'in', dead).executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
