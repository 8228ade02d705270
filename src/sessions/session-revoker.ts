import { Injectable } from '@nestjs/common';
import { type Executor, type Tx } from '../database/index.js';
import { RevocationFeed } from './revocation-feed.js';
import { type RevokeCause } from './sessions.table.js';

const MAX_LIVE_SESSIONS = 100;

/** Revokes sessions: on the row, and after the commit in the memory of every instance. */
@Injectable()
export class SessionRevoker {
  constructor(private readonly feed: RevocationFeed) {}

  /**
   * Revokes one session; with a user, only if it is theirs and has not expired.
   * @returns false if it was revoked before, or is unknown
   */
  async revoke(tx: Tx, id: string, cause: RevokeCause, now: number, userId?: string): Promise<boolean> {
    const revoked = await this.revokeWhere(tx, cause, now)
      .where('id', '=', id)
      .$if(userId !== undefined, (query) =>
        query.where('user_id', '=', userId ?? '').where('idle_expires_at', '>', now),
      )
      .execute();
    await this.feed.publish(tx, revoked);
    return revoked.length === 1;
  }

  /** Revokes all sessions of a user. @returns their ids */
  async revokeAll(tx: Tx, userId: string, cause: RevokeCause, now: number): Promise<string[]> {
    const revoked = await this.revokeWhere(tx, cause, now).where('user_id', '=', userId).execute();
    await this.feed.publish(tx, revoked);
    return revoked.map(({ id }) => id);
  }

  /** Revokes the oldest sessions of a user beyond the 100 that may live at once. @returns their ids */
  async revokeOldest(tx: Tx, userId: string, now: number): Promise<string[]> {
    const surplus = await liveSessions(tx, userId, now)
      .select('id')
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      // SQLite takes an OFFSET only after a LIMIT.
      .limit(MAX_LIVE_SESSIONS)
      .offset(MAX_LIVE_SESSIONS)
      .execute();
    if (surplus.length === 0) return [];
    const ids = surplus.map(({ id }) => id);
    const revoked = await this.revokeWhere(tx, 'too_many_sessions', now).where('id', 'in', ids).execute();
    await this.feed.publish(tx, revoked);
    return revoked.map(({ id }) => id);
  }

  private revokeWhere(tx: Tx, cause: RevokeCause, now: number) {
    return tx
      .updateTable('sessions')
      .set({ revoked_at: now, revoke_cause: cause })
      .where('revoked_at', 'is', null)
      .returning(['id', 'access_until', 'revoke_cause']);
  }
}

/** The sessions of a user that are neither revoked nor expired. */
export function liveSessions(db: Executor, userId: string, now: number) {
  return db
    .selectFrom('sessions')
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .where('idle_expires_at', '>', now)
    .where('expires_at', '>', now);
}
