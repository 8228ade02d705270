import { Injectable } from '@nestjs/common';
import { AuditLog, type Caller } from '../../audit/audit-log.js';
import { Database } from '../../database/index.js';
import { SessionEnds } from '../../sessions/session-ends.js';
import { Clock } from '../../tokens/clock.js';
import { TokenError } from '../../tokens/token.errors.js';
import { UserStore } from '../../users/user-store.js';
import { type AccountDto, toAccountDto } from '../dto/account.dto.js';
import { UserLoader } from '../hooks.js';
import { type Principal } from '../principal.js';

/** The accounts behind the principals, for features. */
@Injectable()
export class Accounts {
  constructor(
    private readonly db: Database,
    private readonly users: UserStore,
    private readonly ends: SessionEnds,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /** @throws TokenError `token_revoked` when the account is gone: its tokens die with it */
  async get(userId: string): Promise<AccountDto> {
    const user = await this.users.findById(userId);
    if (!user) throw new TokenError('token_revoked', `account ${userId} has been deleted`);
    return toAccountDto(user);
  }

  async findByUsername(username: string): Promise<AccountDto | undefined> {
    const user = await this.users.findByUsername(username);
    return user && toAccountDto(user);
  }

  /** Names by id; deleted accounts are absent. */
  async usernames(ids: string[]): Promise<Map<string, string>> {
    return this.users.usernames(ids);
  }

  /** Removes the account with all that references it, and ends its sessions, in one transaction. */
  async delete({ userId, sessionId }: Principal, caller: Caller): Promise<void> {
    await this.db.inTransaction(async (tx) => {
      const at = this.clock.now();
      await this.users.delete(tx, userId);
      await this.ends.endAll(tx, userId, 'account_deleted', at);
      const who = { actorId: userId, subjectId: userId, sessionId };
      await this.audit.record({ event: 'user_deleted', at, ...who }, caller, tx);
    });
  }
}

/** What `@CurrentUser(LoadUser)` gives where the team says nothing else. */
@Injectable()
export class AccountLoader extends UserLoader<AccountDto> {
  constructor(private readonly accounts: Accounts) {
    super();
  }

  load({ userId }: Principal): Promise<AccountDto> {
    return this.accounts.get(userId);
  }
}
