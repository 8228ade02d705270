import { Injectable } from '@nestjs/common';
import { type AuditEvent, AuditLog } from '../../audit/audit-log.js';
import { Database, type Tx } from '../../database/index.js';
import { SessionRevoker } from '../../sessions/session-revoker.js';
import { type RevokeCause } from '../../sessions/sessions.table.js';
import { Clock } from '../../time/clock.js';
import { type User, type UserChange, UserStore } from '../../users/user-store.js';
import { ApiError } from '../errors/api-error.js';
import { type Acting } from './accounts.js';
import { LastAdmin, takesAdmin } from './last-admin.js';

export interface AccountChange {
  change: UserChange;
  events: readonly Pick<AuditEvent, 'event' | 'cause'>[];
  /** Why all sessions of the user are revoked with it; absent if they stay active. */
  revokes?: RevokeCause;
  /** What commits together with it. */
  also?: (tx: Tx) => Promise<void>;
}

/** A try fails if another change commits between reading and changing. */
const MAX_TRIES = 5;

/**
 * Changes of an account. Each is one transaction with its audit events, and moves the credential version, so that a login in
 * progress does not commit. A change that takes a right away revokes all sessions of the user: no token
 * outlives the right that it states.
 */
@Injectable()
export class AccountChanges {
  constructor(
    private readonly db: Database,
    private readonly users: UserStore,
    private readonly revoker: SessionRevoker,
    private readonly lastAdmin: LastAdmin,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /**
   * @param find reads the user, again with each try; throws if the account does not exist
   * @param decide returns undefined if there is nothing to change
   * @returns the user as changed
   * @throws ApiError `last_admin`, `changed_meanwhile`
   */
  async apply(
    find: () => Promise<User>,
    by: Acting,
    decide: (user: User) => AccountChange | undefined,
  ): Promise<User> {
    for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
      const user = await find();
      const decided = decide(user);
      if (!decided || (await this.commit(user, decided, by))) return { ...user, ...decided?.change };
    }
    throw changedMeanwhile();
  }

  /** Locks the user's row first and the sessions second, as everywhere. @returns false if the user has changed meanwhile */
  private async commit(
    user: User,
    { change, events, revokes, also }: AccountChange,
    by: Acting,
  ): Promise<boolean> {
    return this.db.inTransaction(async (tx) => {
      if (takesAdmin(user, change)) await this.lastAdmin.check(tx, user.id);
      if (!(await this.users.update(tx, user, change))) return false;
      const at = this.clock.now();
      if (revokes) await this.revoker.revokeAll(tx, user.id, revokes, at);
      const who = { actorId: by.actorId, subjectId: user.id, sessionId: by.sessionId };
      for (const event of events) await this.audit.record({ ...event, at, ...who }, by.caller, tx);
      await also?.(tx);
      return true;
    });
  }
}

export function changedMeanwhile(): ApiError {
  return new ApiError(409, 'changed_meanwhile', 'The account was changed at the same time; try again');
}
