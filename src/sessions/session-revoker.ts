import { Injectable } from '@nestjs/common';
import { type Expression, sql } from 'kysely';
import { type Executor, Statement, type Tx } from '../database/index.js';
import { RevocationFeed } from './revocation-feed.js';
import { type RevokeCause } from './sessions.table.js';

const MOST_LIVE_SESSIONS = 100;
/** With how many one more may be one too many: some below the most, for logins of the same moment do not see each other. */
const MANY_LIVE_SESSIONS = 80;

/** Ends sessions: on the row, in the memory of this instance once it is committed, and in that of every other. */
@Injectable()
export class SessionRevoker {
  private readonly selectingSurplus = new Statement<{ userId: string; now: number }, { id: string }>(
    (db, param) =>
      liveSessions(db, param('userId'), param('now'))
        .select('id')
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        // SQLite takes an OFFSET only after a LIMIT.
        .limit(MOST_LIVE_SESSIONS)
        .offset(MOST_LIVE_SESSIONS),
  );

  constructor(private readonly feed: RevocationFeed) {}

  /** Ends one session; with a user, only if it is theirs and has not expired. @returns false when it had ended before, or is not */
  async revoke(tx: Tx, id: string, cause: RevokeCause, now: number, userId?: string): Promise<boolean> {
    const ended = await this.revokeWhere(tx, cause, now)
      .where('id', '=', id)
      .$if(userId !== undefined, (query) =>
        query.where('user_id', '=', userId ?? '').where('idle_expires_at', '>', now),
      )
      .execute();
    await this.feed.publish(tx, ended);
    return ended.length === 1;
  }

  /** Ends the sessions of a user, all or all but one. @returns their ids */
  async revokeAll(
    tx: Tx,
    userId: string,
    cause: RevokeCause,
    now: number,
    except?: string,
  ): Promise<string[]> {
    const ended = await this.revokeWhere(tx, cause, now)
      .where('user_id', '=', userId)
      .$if(except !== undefined, (query) => query.where('id', '!=', except ?? ''))
      .execute();
    await this.feed.publish(tx, ended);
    return ended.map(({ id }) => id);
  }

  /** Ends the oldest sessions of a user beyond the most that may live at once. @returns their ids */
  async revokeOldest(tx: Tx, userId: string, now: number): Promise<string[]> {
    const surplus = await this.selectingSurplus.execute(tx, { userId, now });
    if (surplus.length === 0) return [];
    const ids = surplus.map(({ id }) => id);
    const ended = await this.revokeWhere(tx, 'too_many_sessions', now).where('id', 'in', ids).execute();
    await this.feed.publish(tx, ended);
    return ended.map(({ id }) => id);
  }

  private revokeWhere(tx: Tx, cause: RevokeCause, now: number) {
    return tx
      .updateTable('sessions')
      .set({ revoked_at: now, revoke_cause: cause })
      .where('revoked_at', 'is', null)
      .returning(['id', 'access_until']);
  }
}

/** Whether a user is near the most sessions that may live at once. */
export function hasMany(db: Executor, userId: Expression<string>, now: Expression<number>) {
  const last = MANY_LIVE_SESSIONS - 1;
  return sql<boolean>`exists (${liveSessions(db, userId, now).select('id').limit(1).offset(last)})`;
}

/** The sessions of a user that have neither ended nor expired. */
export function liveSessions(
  db: Executor,
  userId: string | Expression<string>,
  now: number | Expression<number>,
) {
  return db
    .selectFrom('sessions')
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .where('idle_expires_at', '>', now)
    .where('expires_at', '>', now);
}
