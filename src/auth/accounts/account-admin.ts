import { Injectable } from '@nestjs/common';
import { type AuditEvent, AuditLog } from '../../audit/audit-log.js';
import { Database } from '../../database/index.js';
import { SessionRevoker } from '../../sessions/session-revoker.js';
import { type RevokeCause } from '../../sessions/sessions.table.js';
import { Clock } from '../../time/clock.js';
import { PasswordHasher } from '../../passwords/password-hasher.js';
import { PasswordPolicy } from '../../passwords/password-policy.js';
import { requireAcceptable } from './new-password.js';
import { MAX_ROLES, ROLE, type User, type UserChange, UserStore } from '../../users/user-store.js';
import { NewPasswordDto, RegisterDto } from '../dto/credentials.dto.js';
import { ApiError, validationFailed } from '../errors/api-error.js';
import { type Acting, Accounts } from './accounts.js';
import { lowerCased } from '../dto/lower-cased.decorator.js';
import { createValidationPipe } from '../dto/validation.pipe.js';

const OPERATOR: Acting = { caller: { ip: null, userAgent: 'operator', requestId: null } };

export type AccountSummary = Pick<User, 'id' | 'username' | 'roles' | 'disabledAt' | 'createdAt'>;

interface Change {
  change: UserChange;
  event: Pick<AuditEvent, 'event' | 'cause'>;
  /** Why all sessions of the user are revoked with it; absent if they live on. */
  revokes?: RevokeCause;
}

const PAGE_ROWS = 200;
/** Between reading and changing, another change may come first. */
const MAX_TRIES = 5;

/**
 * What an operator can do about accounts. Each change is one transaction with its audit event, and moves the credential
 * version, so that a login in progress does not commit. A change that takes a right away revokes all sessions of the
 * user: no token outlives the right that it states.
 */
@Injectable()
export class AccountAdmin {
  private readonly validation = createValidationPipe();

  constructor(
    private readonly db: Database,
    private readonly accounts: Accounts,
    private readonly users: UserStore,
    private readonly hasher: PasswordHasher,
    private readonly policy: PasswordPolicy,
    private readonly revoker: SessionRevoker,
    private readonly audit: AuditLog,
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
        event: { event: 'authz_change', cause: `granted ${role}` },
      };
    });
  }

  /** Takes a role away. @throws ApiError `role_not_granted`, so that a misspelt role does not look like success */
  async revoke(username: string, role: string, by = OPERATOR): Promise<AccountSummary> {
    return this.change(username, by, ({ roles, username: name }) => {
      if (!roles.includes(role)) {
        const message = `${name} does not have the role ${role}, but ${roles.join(', ') || 'none'}`;
        throw new ApiError(409, 'role_not_granted', message);
      }
      return {
        change: { roles: roles.filter((each) => each !== role) },
        event: { event: 'authz_change', cause: `revoked ${role}` },
        revokes: 'role_revoked',
      };
    });
  }

  /** Disables an account: its password and its tokens are refused from then on. */
  async disable(username: string, by = OPERATOR): Promise<AccountSummary> {
    return this.change(username, by, ({ disabledAt }) => ({
      change: { disabledAt: disabledAt ?? this.clock.now() },
      event: { event: 'authn_login_lock', cause: 'account_disabled' },
      revokes: 'account_disabled',
    }));
  }

  async enable(username: string, by = OPERATOR): Promise<AccountSummary> {
    return this.change(username, by, ({ disabledAt }) =>
      disabledAt === null
        ? undefined
        : { change: { disabledAt: null }, event: { event: 'user_updated', cause: 'account_enabled' } },
    );
  }

  /** Sets a new password, after a loss or a theft, and revokes all sessions. */
  async resetPassword(username: string, password: string, by = OPERATOR): Promise<AccountSummary> {
    await this.validate(NewPasswordDto, { password });
    await requireAcceptable(this.policy, 'password', password, lowerCased(username));
    const passwordHash = await this.hasher.hash(password);
    return this.change(username, by, () => ({
      change: { passwordHash },
      event: { event: 'authn_password_change', cause: 'password_reset' },
      revokes: 'password_reset',
    }));
  }

  /** Lists all accounts, by username. */
  async list(): Promise<AccountSummary[]> {
    const all: AccountSummary[] = [];
    for (;;) {
      const page = await this.users.list(PAGE_ROWS, all.at(-1)?.username);
      all.push(...page.map(summaryOf));
      if (page.length < PAGE_ROWS) return all;
    }
  }

  private async change(
    username: string,
    by: Acting,
    decide: (user: User) => Change | undefined,
  ): Promise<AccountSummary> {
    const name = lowerCased(username);
    for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
      const user = await this.users.findByUsername(name);
      if (!user) throw new ApiError(404, 'not_found', `There is no account named ${name}`);
      const decided = decide(user);
      if (!decided || (await this.apply(user, decided, by)))
        return summaryOf({ ...user, ...decided?.change });
    }
    throw new ApiError(409, 'changed_meanwhile', `${name} was changed at the same time; try again`);
  }

  /** Locks the user's row first and the sessions second, as everywhere. @returns false if the user has changed meanwhile */
  private async apply(user: User, { change, event, revokes }: Change, by: Acting): Promise<boolean> {
    return this.db.inTransaction(async (tx) => {
      if (!(await this.users.update(tx, user, change))) return false;
      const at = this.clock.now();
      if (revokes) await this.revoker.revokeAll(tx, user.id, revokes, at);
      const who = { actorId: by.actorId, subjectId: user.id };
      await this.audit.record({ ...event, at, ...who }, by.caller, tx);
      return true;
    });
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
    throw validationFailed([{ field: 'role', messages: [`must be one of at most ${MAX_ROLES} of a user`] }]);
  }
  return distinct;
}

function summaryOf({ id, username, roles, disabledAt, createdAt }: User): AccountSummary {
  return { id, username, roles, disabledAt, createdAt };
}
