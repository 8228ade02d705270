import { Injectable } from '@nestjs/common';
import { AuditLog, type Caller } from '../../audit/audit-log.js';
import { Database, type Tx } from '../../database/index.js';
import { SessionRevoker } from '../../sessions/session-revoker.js';
import { networkOf } from '../../http/client-address.js';
import { Clock } from '../../time/clock.js';
import { TokenError } from '../../tokens/token.errors.js';
import { PasswordHasher } from '../../passwords/password-hasher.js';
import { PasswordPolicy } from '../../passwords/password-policy.js';
import { type NewUser, type User, UserStore } from '../../users/user-store.js';
import { type AccountDto, toAccountDto } from '../dto/account.dto.js';
import { ApiError } from '../errors/api-error.js';
import { UserLoader } from '../hooks.js';
import { type Principal } from '../request/principal.js';
import { LastAdmin } from './last-admin.js';
import { requireAcceptable } from './new-password.js';

/** Who makes a change. Without `actorId`: an operator at the shell, or a registration. */
export interface Acting {
  actorId?: string;
  /** Their session, where they change their own account. */
  sessionId?: string;
  caller: Caller;
}

/** Finds, creates and deletes accounts, for features too. */
@Injectable()
export class Accounts {
  constructor(
    private readonly db: Database,
    private readonly users: UserStore,
    private readonly hasher: PasswordHasher,
    private readonly policy: PasswordPolicy,
    private readonly revoker: SessionRevoker,
    private readonly lastAdmin: LastAdmin,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /**
   * Creates the account and its audit event.
   * @throws ApiError `validation_failed` for a password that the policy refuses, `username_taken`
   */
  async create(
    { username, password, roles }: Pick<User, 'username' | 'roles'> & { password: string },
    { actorId, caller }: Acting,
  ): Promise<User> {
    const passwordHash = await this.hashNew(password, username, caller);
    return this.db.inTransaction((tx) =>
      this.insert(tx, { username, passwordHash, roles }, { actorId, caller }),
    );
  }

  /** Checks a new password and hashes it. @throws ApiError `validation_failed` if the policy refuses it */
  async hashNew(password: string, username: string, caller: Caller, field = 'password'): Promise<string> {
    await requireAcceptable(this.policy, field, password, username);
    return this.hasher.hash(password, { network: networkOf(caller.ip), hasLeft: caller.hasLeft });
  }

  /** Inserts an account whose password was hashed before, with its audit event. @throws ApiError `username_taken` */
  async insert(tx: Tx, account: Omit<NewUser, 'createdAt'>, { actorId, caller }: Acting): Promise<User> {
    const { username, roles } = account;
    const at = this.clock.now();
    const user = await this.users.create(tx, { ...account, createdAt: at });
    if (!user) throw new ApiError(409, 'username_taken', `The username ${username} is taken`);
    const cause = roles.length > 0 ? { cause: `roles ${roles.join(' ')}` } : {};
    await this.audit.record({ event: 'user_created', at, ...cause, actorId, subjectId: user.id }, caller, tx);
    return user;
  }

  /** The user behind a token. @throws TokenError `token_revoked` if the account was deleted */
  async userOf(userId: string): Promise<User> {
    const user = await this.users.findById(userId);
    if (!user) throw new TokenError('token_revoked', `account ${userId} has been deleted`);
    return user;
  }

  /** As `userOf`, and refuses a disabled account. @throws TokenError `token_revoked` */
  async activeUserOf(userId: string): Promise<User> {
    const user = await this.users.findById(userId);
    if (user?.disabledAt === null) return user;
    throw new TokenError('token_revoked', `account ${userId} is ${user ? 'disabled' : 'gone'}`);
  }

  /** @throws TokenError as `userOf` */
  async get(userId: string): Promise<AccountDto> {
    return toAccountDto(await this.userOf(userId));
  }

  async findByUsername(username: string): Promise<AccountDto | undefined> {
    const user = await this.users.findByUsername(username);
    return user && toAccountDto(user);
  }

  /** Returns usernames by id, without deleted accounts. */
  async usernames(ids: string[]): Promise<Map<string, string>> {
    return this.users.usernames(ids);
  }

  /** Deletes the account with everything that references it, and revokes its sessions. @throws ApiError `last_admin` */
  async delete({ userId, sessionId }: Principal, caller: Caller): Promise<void> {
    await this.db.inTransaction((tx) => this.deleteIn(tx, userId, { actorId: userId, sessionId, caller }));
  }

  /** Deletes the account of another user. @throws ApiError `not_found`, `last_admin` */
  async deleteOf(userId: string, by: Acting): Promise<void> {
    await this.db.inTransaction(async (tx) => {
      if (!(await this.users.findById(userId, tx))) throw new ApiError(404, 'not_found', 'No such user');
      await this.deleteIn(tx, userId, by);
    });
  }

  private async deleteIn(tx: Tx, userId: string, { actorId, sessionId, caller }: Acting): Promise<void> {
    await this.lastAdmin.check(tx, userId);
    const at = this.clock.now();
    await this.users.delete(tx, userId);
    await this.revoker.revokeAll(tx, userId, 'account_deleted', at);
    const who = { actorId, subjectId: userId, sessionId };
    await this.audit.record({ event: 'user_deleted', at, ...who }, caller, tx);
  }
}

/** The default of `@CurrentUser(LoadUser)`. */
@Injectable()
export class AccountLoader extends UserLoader<AccountDto> {
  constructor(private readonly accounts: Accounts) {
    super();
  }

  load({ userId }: Principal): Promise<AccountDto> {
    return this.accounts.get(userId);
  }
}
