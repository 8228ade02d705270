import { Injectable } from '@nestjs/common';
import { Accounts, type Acting, ApiError, Clock, type User, UserStore } from '../../auth/index.js';
import { type AccountChange, AccountChanges } from '../../auth/internals.js';
import { type ListUsersQuery, type UpdateUserDto } from './users.dto.js';

/** What administrators do about other users, by id. */
@Injectable()
export class ManagedUsers {
  constructor(
    private readonly users: UserStore,
    private readonly accounts: Accounts,
    private readonly changes: AccountChanges,
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

  /** @throws ApiError `not_found`, `last_admin`, `changed_meanwhile` */
  async update(id: string, wanted: UpdateUserDto, by: Acting): Promise<User> {
    return this.changes.apply(
      () => this.get(id),
      by,
      (user) => changeOf(user, wanted, this.clock.now()),
    );
  }

  /** @throws ApiError `not_found`, `last_admin` */
  async delete(id: string, by: Acting): Promise<void> {
    await this.accounts.deleteOf(id, by);
  }
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
