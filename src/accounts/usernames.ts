import { Injectable } from '@nestjs/common';
import { ApiError, AuditLog, type Caller, Clock, type Principal, TokenError } from '../auth/index.js';
import { type User, UserStore } from '../auth/index.js';
import { Database, isUniqueViolation } from '../database/index.js';

const MAX_TRIES = 5;

/** Changes usernames. */
@Injectable()
export class Usernames {
  constructor(
    private readonly db: Database,
    private readonly users: UserStore,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /** @throws ApiError `username_taken`, `changed_meanwhile` */
  async rename({ userId, sessionId }: Principal, username: string, caller: Caller): Promise<User> {
    for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
      const user = await this.users.findById(userId);
      if (!user) throw new TokenError('token_revoked', `account ${userId} has been deleted`);
      if (user.username === username) return user;
      try {
        const done = await this.db.inTransaction(async (tx) => {
          if (!(await this.users.update(tx, user, { username }))) return false;
          const event = { event: 'user_updated', cause: 'renamed', at: this.clock.now() } as const;
          await this.audit.record({ ...event, actorId: userId, subjectId: userId, sessionId }, caller, tx);
          return true;
        });
        if (done) return { ...user, username };
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        throw new ApiError(409, 'username_taken', `The username ${username} is taken`);
      }
    }
    throw new ApiError(409, 'changed_meanwhile', 'The account was changed at the same time; try again');
  }
}
