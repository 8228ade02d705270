import { Injectable } from '@nestjs/common';
import { isUUID } from 'class-validator';
import { AuditLog, type Caller } from '../../audit/audit-log.js';
import { Database, type Tx } from '../../database/index.js';
import { SessionRevoker } from '../../sessions/session-revoker.js';
import { Sessions } from '../../sessions/sessions.repository.js';
import { type Session } from '../../sessions/sessions.table.js';
import { Clock } from '../../time/clock.js';
import { type User, UserStore } from '../../users/user-store.js';
import { ApiError } from '../errors/api-error.js';
import { type Principal } from '../request/principal.js';

/** Lists and revokes sessions: one's own, or as an administrator. After a call returns, no token of a revoked session works. */
@Injectable()
export class SessionsService {
  constructor(
    private readonly db: Database,
    private readonly users: UserStore,
    private readonly sessions: Sessions,
    private readonly revoker: SessionRevoker,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  async list({ userId }: Principal): Promise<Session[]> {
    return this.sessions.listLive(userId, this.clock.now());
  }

  /** Revokes the session of the token. Doing it again is not an error. */
  async logout({ userId, sessionId }: Principal, caller: Caller): Promise<void> {
    await this.db.inTransaction(async (tx) => {
      const at = this.clock.now();
      if (!(await this.revoker.revoke(tx, sessionId, 'logout', at))) return;
      const who = { actorId: userId, subjectId: userId, sessionId };
      await this.audit.record({ event: 'session_revoked', cause: 'logout', at, ...who }, caller, tx);
    });
  }

  /** Revokes every session of the user, this one too. */
  async logoutAll({ userId, sessionId }: Principal, caller: Caller): Promise<void> {
    await this.db.inTransaction(async (tx) => {
      const at = this.clock.now();
      await this.revoker.revokeAll(tx, userId, 'logout_all', at);
      const who = { actorId: userId, subjectId: userId, sessionId };
      await this.audit.record({ event: 'session_revoked', cause: 'logout_all', at, ...who }, caller, tx);
    });
  }

  /** @throws ApiError `not_found` for another user's session, an unknown one, and one that is revoked */
  async revoke({ userId }: Principal, sessionId: string, caller: Caller): Promise<void> {
    await this.db.inTransaction(async (tx) => {
      const at = this.clock.now();
      // Only a UUID is looked up: PostgreSQL refuses a text with a NUL.
      const revoked =
        isUUID(sessionId) && (await this.revoker.revoke(tx, sessionId, 'revoked_by_user', at, userId));
      if (!revoked) {
        throw new ApiError(404, 'not_found', 'No such session');
      }
      const who = { actorId: userId, subjectId: userId, sessionId };
      await this.audit.record({ event: 'session_revoked', cause: 'revoked_by_user', at, ...who }, caller, tx);
    });
  }

  /** @throws ApiError `not_found` */
  async listOf(userId: string): Promise<Session[]> {
    const { id } = await this.requireUser(userId);
    return this.sessions.listLive(id, this.clock.now());
  }

  /** Revokes every session of a user, for an administrator. @throws ApiError `not_found` */
  async revokeAllOf(userId: string, admin: Principal, caller: Caller): Promise<void> {
    await this.db.inTransaction(async (tx) => {
      const { id } = await this.requireUser(userId, tx);
      const at = this.clock.now();
      await this.revoker.revokeAll(tx, id, 'revoked_by_admin', at);
      // Without a session id: the administrator's own session is not revoked.
      const who = { actorId: admin.userId, subjectId: id };
      await this.audit.record(
        { event: 'session_revoked', cause: 'revoked_by_admin', at, ...who },
        caller,
        tx,
      );
    });
  }

  private async requireUser(id: string, tx?: Tx): Promise<User> {
    const user = await this.users.findById(id, tx);
    if (!user) throw new ApiError(404, 'not_found', 'No such user');
    return user;
  }
}
