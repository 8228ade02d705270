import { Injectable } from '@nestjs/common';
import { Accounts, ApiError, type Caller, type Principal, type User } from '../auth/index.js';
import { AccountChanges } from '../auth/internals.js';
import { isUniqueViolation } from '../database/index.js';

/** Changes usernames. */
@Injectable()
export class Usernames {
  constructor(
    private readonly accounts: Accounts,
    private readonly changes: AccountChanges,
  ) {}

  /** @throws ApiError `username_taken`, `changed_meanwhile` */
  async rename({ userId, sessionId }: Principal, username: string, caller: Caller): Promise<User> {
    try {
      return await this.changes.apply(
        () => this.accounts.userOf(userId),
        { actorId: userId, sessionId, caller },
        (user) =>
          user.username === username
            ? undefined
            : { change: { username }, events: [{ event: 'user_updated', cause: 'renamed' }] },
      );
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new ApiError(409, 'username_taken', `The username ${username} is taken`);
    }
  }
}
