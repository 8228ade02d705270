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

/** What one can do about one's sessions, and an administrator about everybody's. After any of these has answered, no token of the ended sessions works. */
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

  /** Ends the session of the token; ending it again is no error. */
  async logout({ userId, sessionId }: Principal, caller: Caller): Promise<void> {
    await this.db.inTransaction(async (tx) => {
      const at = this.clock.now();
      if (!(await this.revoker.revoke(tx, sessionId, 'logout', at))) return;
      const who = { actorId: userId, subjectId: userId, sessionId };
      await this.audit.record({ event: 'session_ended', cause: 'logout', at, ...who }, caller, tx);
    });
  }

  /** Ends every session of the user, this one too. */
  async logoutAll({ userId, sessionId }: Principal, caller: Caller): Promise<void> {
    await this.db.inTransaction(async (tx) => {
      const at = this.clock.now();
      await this.revoker.revokeAll(tx, userId, 'logout_all', at);
      const who = { actorId: userId, subjectId: userId, sessionId };
      await this.audit.record({ event: 'session_ended', cause: 'logout_all', at, ...who }, caller, tx);
    });
  }

  /** @throws ApiError `not_found` for another user's session, an unknown one, and one that has ended */
  async revoke({ userId }: Principal, sessionId: string, caller: Caller): Promise<void> {
    await this.db.inTransaction(async (tx) => {
      const at = this.clock.now();
      // What is no UUID is not asked for: PostgreSQL refuses a text with a NUL.
      const ended =
        isUUID(sessionId) && (await this.revoker.revoke(tx, sessionId, 'ended_by_user', at, userId));
      if (!ended) {
        throw new ApiError(404, 'not_found', 'There is no such session');
      }
      const who = { actorId: userId, subjectId: userId, sessionId };
      await this.audit.record({ event: 'session_ended', cause: 'ended_by_user', at, ...who }, caller, tx);
    });
  }

  /** @throws ApiError `not_found` */
  async listOf(userId: string): Promise<Session[]> {
    const { id } = await this.requireUser(userId);
    return this.sessions.listLive(id, this.clock.now());
  }

  /** Ends every session of somebody, for an administrator. @throws ApiError `not_found` */
  async revokeAllOf(userId: string, admin: Principal, caller: Caller): Promise<void> {
    await this.db.inTransaction(async (tx) => {
      const { id } = await this.requireUser(userId, tx);
      const at = this.clock.now();
      await this.revoker.revokeAll(tx, id, 'ended_by_admin', at);
      // Without a session: the administrator's own is not the one that ended.
      const who = { actorId: admin.userId, subjectId: id };
      await this.audit.record({ event: 'session_ended', cause: 'ended_by_admin', at, ...who }, caller, tx);
    });
  }

  private async requireUser(id: string, tx?: Tx): Promise<User> {
    const user = await this.users.findById(id, tx);
    if (!user) throw new ApiError(404, 'not_found', 'There is no such user');
    return user;
  }
}
