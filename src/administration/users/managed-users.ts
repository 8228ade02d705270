import { Injectable } from '@nestjs/common';
import { Accounts, type Acting, ApiError, Clock, type User, UserStore } from '../../auth/index.js';
import { type AccountChange, AccountChanges, FactorRegistry } from '../../auth/internals.js';
import { Database } from '../../database/index.js';
import { NO_PASSWORD } from '../../passwords/stored-hash.js';
import { PasswordMails } from './password-mails.js';
import { type CreateUserDto, type ListUsersQuery, type UpdateUserDto } from './users.dto.js';

declare module '../../auth/index.js' {
  interface ErrorCodes {
    email_taken: 409;
  }
}

/** What administrators do about other users, by id. */
@Injectable()
export class ManagedUsers {
  constructor(
    private readonly users: UserStore,
    private readonly accounts: Accounts,
    private readonly changes: AccountChanges,
    private readonly factors: FactorRegistry,
    private readonly mails: PasswordMails,
    private readonly db: Database,
    private readonly clock: Clock,
  ) {}

  /** Returns a page of users, ordered by username, and the cursor of the next one. */
  async list(given: ListUsersQuery): Promise<{ users: User[]; nextCursor: string | null }> {
    const { query: text, role, disabled, limit, cursor: after } = given;
    const filter = { text, role, disabled: disabled === undefined ? undefined : disabled === 'true' };
    const users = await this.users.list({ ...filter, after, limit: limit + 1 });
    const page = users.slice(0, limit);
    return { users: page, nextCursor: users.length > limit ? (page.at(-1)?.username ?? null) : null };
  }

  /** @throws ApiError `not_found` */
  async get(id: string): Promise<User> {
    const user = await this.users.findById(id);
    if (!user) throw new ApiError(404, 'not_found', 'No such user');
    return user;
  }

  /**
   * Creates an account without a password, and sends the mail to set one. The address counts as proved: the administrator
   * vouches for it, and only its owner gets in.
   * @throws ApiError `no_mail`, `username_taken`, `email_taken`
   */
  async create({ username, email, roles = [] }: CreateUserDto, by: Acting): Promise<User> {
    this.mails.requireOn();
    if (await this.users.findByUsername(email)) throw emailTaken();
    const account = { username: username ?? email, email, passwordHash: NO_PASSWORD, roles };
    return this.db.inTransaction(async (tx) => {
      const user = await this.accounts.insert(tx, account, by);
      await this.mails.add(tx, user.id);
      return user;
    });
  }

  /**
   * Makes the password void, revokes all sessions and sends the mail to set a new password.
   * @throws ApiError `not_found`, `no_mail`, `changed_meanwhile`
   */
  async resetPassword(id: string, by: Acting): Promise<void> {
    await this.changes.apply(
      () => this.get(id),
      by,
      (user) => {
        this.mails.requireReachable(user);
        return {
          change: { passwordHash: NO_PASSWORD },
          events: [{ event: 'authn_password_change', cause: 'password_reset' }],
          revokes: 'password_reset',
          also: (tx) => this.mails.add(tx, user.id),
        };
      },
    );
  }

  /** @throws ApiError `not_found`, `last_admin`, `changed_meanwhile` */
  async update(id: string, wanted: UpdateUserDto, by: Acting): Promise<User> {
    return this.changes.apply(
      () => this.get(id),
      by,
      (user) => changeOf(user, wanted, this.clock.now()),
    );
  }

  /**
   * Removes all second factors and recovery codes, for a user who has lost them. Sessions stay active.
   * @throws ApiError `not_found`, also for a user who has none, `changed_meanwhile`
   */
  async resetFactors(id: string, by: Acting): Promise<void> {
    await this.changes.apply(
      () => this.get(id),
      by,
      () => ({
        change: {},
        events: [{ event: 'authn_factor_removed', cause: 'reset_by_admin' }],
        also: async (tx) => {
          if (await this.factors.removeAll(tx, id)) return;
          throw new ApiError(404, 'not_found', 'The user has no second factor');
        },
      }),
    );
  }

  /** @throws ApiError `not_found`, `last_admin` */
  async delete(id: string, by: Acting): Promise<void> {
    await this.accounts.deleteOf(id, by);
  }
}

function emailTaken(): ApiError {
  return new ApiError(409, 'email_taken', 'Another account has this e-mail address');
}

function changeOf(user: User, { disabled, roles }: UpdateUserDto, now: number): AccountChange | undefined {
  const change: AccountChange['change'] = {};
  const events: AccountChange['events'][number][] = [];
  const granted = roles?.filter((role) => !user.roles.includes(role)) ?? [];
  const revoked = roles ? user.roles.filter((role) => !roles.includes(role)) : [];
  if (roles && granted.length + revoked.length > 0) {
    change.roles = roles;
    const words = [
      ...(granted.length > 0 ? [`granted ${granted.join(' ')}`] : []),
      ...(revoked.length > 0 ? [`revoked ${revoked.join(' ')}`] : []),
    ];
    events.push({ event: 'authz_change', cause: words.join(', ') });
  }
  const disables = disabled === true && user.disabledAt === null;
  if (disables) {
    change.disabledAt = now;
    events.push({ event: 'authn_login_lock', cause: 'account_disabled' });
  }
  if (disabled === false && user.disabledAt !== null) {
    change.disabledAt = null;
    events.push({ event: 'user_updated', cause: 'account_enabled' });
  }
  if (events.length === 0) return undefined;
  if (disables) return { change, events, revokes: 'account_disabled' };
  return { change, events, ...(revoked.length > 0 ? { revokes: 'role_revoked' } : {}) };
}
