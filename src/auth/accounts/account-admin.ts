import { Injectable } from '@nestjs/common';
import { Clock } from '../../time/clock.js';
import { PasswordHasher } from '../../passwords/password-hasher.js';
import { PasswordPolicy } from '../../passwords/password-policy.js';
import { requireAcceptable } from './new-password.js';
import { MAX_ROLES, ROLE, type User, UserStore } from '../../users/user-store.js';
import { NewPasswordDto, RegisterDto } from '../dto/credentials.dto.js';
import { ApiError, validationFailed } from '../errors/api-error.js';
import { type AccountChange, AccountChanges } from './account-changes.js';
import { FactorRegistry } from './factor-registry.js';
import { type Acting, Accounts } from './accounts.js';
import { lowerCased } from '../dto/lower-cased.decorator.js';
import { createValidationPipe } from '../dto/validation.pipe.js';

/** An operator at the shell of the server, without a user. */
export const OPERATOR: Acting = { caller: { ip: null, userAgent: 'operator', requestId: null } };

export type AccountSummary = Pick<User, 'id' | 'username' | 'roles' | 'disabledAt' | 'createdAt'>;

const PAGE_ROWS = 200;

/** What an operator can do about accounts, by username. */
@Injectable()
export class AccountAdmin {
  private readonly validation = createValidationPipe();

  constructor(
    private readonly accounts: Accounts,
    private readonly users: UserStore,
    private readonly hasher: PasswordHasher,
    private readonly policy: PasswordPolicy,
    private readonly changes: AccountChanges,
    private readonly factors: FactorRegistry,
    private readonly clock: Clock,
  ) {}

  /** Creates an account, even if registration is closed. @throws ApiError `validation_failed`, `username_taken` */
  async create(
    username: string,
    password: string,
    roles: readonly string[] = [],
    by = OPERATOR,
  ): Promise<AccountSummary> {
    const account = await this.validate(RegisterDto, { username, password });
    return summaryOf(await this.accounts.create({ ...account, roles: requireRoles(roles) }, by));
  }

  /** Grants a role, from the next refresh on. A role that the user already has is not an error. */
  async grant(username: string, role: string, by = OPERATOR): Promise<AccountSummary> {
    requireRoles([role]);
    return this.change(username, by, ({ roles }) => {
      if (roles.includes(role)) return undefined;
      return {
        change: { roles: requireRoles([...roles, role]) },
        events: [{ event: 'authz_change', cause: `granted ${role}` }],
      };
    });
  }

  /** Takes a role away. @throws ApiError `role_not_granted`, so that a misspelt role does not look like success */
  async revoke(username: string, role: string, by = OPERATOR): Promise<AccountSummary> {
    return this.change(username, by, ({ roles, username: name }) => {
      if (!roles.includes(role)) {
        const message = `${name} does not have the role ${role}; roles of the user: ${roles.join(', ') || 'none'}`;
        throw new ApiError(409, 'role_not_granted', message);
      }
      return {
        change: { roles: roles.filter((each) => each !== role) },
        events: [{ event: 'authz_change', cause: `revoked ${role}` }],
        revokes: 'role_revoked',
      };
    });
  }

  /** Disables an account: its password and its tokens are refused from then on. */
  async disable(username: string, by = OPERATOR): Promise<AccountSummary> {
    return this.change(username, by, ({ disabledAt }) => ({
      change: { disabledAt: disabledAt ?? this.clock.now() },
      events: [{ event: 'authn_login_lock', cause: 'account_disabled' }],
      revokes: 'account_disabled',
    }));
  }

  async enable(username: string, by = OPERATOR): Promise<AccountSummary> {
    return this.change(username, by, ({ disabledAt }) =>
      disabledAt === null
        ? undefined
        : { change: { disabledAt: null }, events: [{ event: 'user_updated', cause: 'account_enabled' }] },
    );
  }

  /** Sets a new password, after a loss or a theft, and revokes all sessions. */
  async resetPassword(username: string, password: string, by = OPERATOR): Promise<AccountSummary> {
    await this.validate(NewPasswordDto, { password });
    await requireAcceptable(this.policy, 'password', password, lowerCased(username));
    const passwordHash = await this.hasher.hash(password);
    return this.change(username, by, () => ({
      change: { passwordHash },
      events: [{ event: 'authn_password_change', cause: 'password_reset' }],
      revokes: 'password_reset',
    }));
  }

  /**
   * Removes all second factors and recovery codes, for a user who has lost them. Sessions live on.
   * @throws ApiError `not_found` if the user has none
   */
  async resetFactors(username: string, by = OPERATOR): Promise<AccountSummary> {
    return this.change(username, by, ({ id, username: name }) => ({
      change: {},
      also: async (tx) => {
        if (await this.factors.removeAll(tx, id)) return;
        throw new ApiError(404, 'not_found', `${name} has no second factor`);
      },
      events: [{ event: 'authn_factor_removed', cause: 'reset_by_operator' }],
    }));
  }

  /** Lists all accounts, by username. */
  async list(): Promise<AccountSummary[]> {
    const all: AccountSummary[] = [];
    for (;;) {
      const page = await this.users.list({ limit: PAGE_ROWS, after: all.at(-1)?.username });
      all.push(...page.map(summaryOf));
      if (page.length < PAGE_ROWS) return all;
    }
  }

  private async change(
    username: string,
    by: Acting,
    decide: (user: User) => AccountChange | undefined,
  ): Promise<AccountSummary> {
    const name = lowerCased(username);
    const find = async () => {
      const user = await this.users.findByUsername(name);
      if (!user) throw new ApiError(404, 'not_found', `There is no account named ${name}`);
      return user;
    };
    return summaryOf(await this.changes.apply(find, by, decide));
  }

  private async validate<T extends object>(metatype: new () => T, given: T): Promise<T> {
    return this.validation.transform(given, { type: 'body', metatype }) as Promise<T>;
  }
}

/** @throws ApiError `validation_failed` */
function requireRoles(roles: readonly string[]): string[] {
  const wrong = roles.find((role) => !ROLE.test(role));
  if (wrong !== undefined) {
    const message = `${JSON.stringify(wrong)} is not 1 to 64 of a-z, 0-9, dot, underscore, colon and hyphen`;
    throw validationFailed([{ field: 'role', messages: [message] }]);
  }
  const distinct = [...new Set(roles)];
  if (distinct.length > MAX_ROLES) {
    throw validationFailed([{ field: 'role', messages: [`must not exceed ${MAX_ROLES} per user`] }]);
  }
  return distinct;
}

function summaryOf({ id, username, roles, disabledAt, createdAt }: User): AccountSummary {
  return { id, username, roles, disabledAt, createdAt };
}
