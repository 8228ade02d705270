import { Injectable, Logger } from '@nestjs/common';
import { type AuditEvent, AuditLog, type Caller } from '../../audit/audit-log.js';
import { Database } from '../../database/index.js';
import { networkOf } from '../../http/client-address.js';
import { Clock } from '../../time/clock.js';
import { type HashingClient, HashingOverloadedError } from '../../passwords/hashing-line.js';
import { PasswordHasher } from '../../passwords/password-hasher.js';
import { type User, UserStore } from '../../users/user-store.js';
import { ApiError } from '../errors/api-error.js';
import { type Principal } from '../request/principal.js';
import { RateLimits, type Guess } from '../../rate-limits/rate-limits.js';
import { Devices } from './devices.js';

type Failure = Pick<AuditEvent, 'event' | 'sessionId'>;

/** Verifies passwords within the rate limits. */
@Injectable()
export class PasswordVerifier {
  private readonly logger = new Logger('PasswordVerifier');

  constructor(
    private readonly db: Database,
    private readonly users: UserStore,
    private readonly hasher: PasswordHasher,
    private readonly devices: Devices,
    private readonly limits: RateLimits,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /**
   * Verifies a login. Unknown usernames are counted like all others, so that the limit does not tell them apart.
   * @param devices the device tokens that the client presents
   * @throws ApiError `invalid_credentials`; RateLimitedError; HashingOverloadedError
   */
  async atLogin(
    username: string,
    password: string,
    devices: readonly string[],
    caller: Caller,
  ): Promise<User> {
    const user = await this.users.findByUsername(username);
    const account = user?.id ?? `no user ${username}`;
    const guess = { account, known: this.devices.find(account, devices) };
    return this.prove(user, password, guess, { event: 'authn_login_fail' }, caller);
  }

  /** Verifies it in a live session. @throws ApiError `invalid_credentials`; RateLimitedError; HashingOverloadedError */
  async inSession(
    { userId, sessionId }: Pick<Principal, 'userId' | 'sessionId'>,
    password: string,
    event: 'authn_reauthentication_fail' | 'authn_password_change_fail',
    caller: Caller,
  ): Promise<User> {
    const guess = { account: userId, known: `session ${sessionId}` };
    return this.prove(await this.users.findById(userId), password, guess, { event, sessionId }, caller);
  }

  /** Every failure has the same answer and takes the same time: it does not tell which accounts exist or are disabled. */
  private async prove(
    user: User | undefined,
    password: string,
    guess: Guess,
    failure: Failure,
    caller: Caller,
  ): Promise<User> {
    const client = hashingClient(caller, guess.account, guess.known !== undefined);
    // Before anything is counted: in a flood, counters would cost more than the refusal.
    this.hasher.requireRoom(client);
    const attempt = await this.limits.guess(guess, caller);
    const proved = await this.hasher
      .verify(user?.passwordHash, password, client)
      .catch(async (error: unknown) => {
        // Nothing was compared, so nothing is counted.
        if (error instanceof HashingOverloadedError) await attempt.giveBack();
        throw error;
      });
    if (user && proved && user.disabledAt === null) {
      await attempt.succeeded();
      await this.upgrade(user, password, hashingClient(caller, user.id, true));
      return user;
    }
    const cause = !user ? 'no_such_user' : proved ? 'account_disabled' : 'wrong_password';
    const failed = { ...failure, outcome: 'fail', at: this.clock.now(), subjectId: user?.id } as const;
    await this.audit.record({ ...failed, cause }, caller);
    // Recorded once for each window: the refused attempts after this one leave no row, so they cannot fill the disk.
    for (const limit of attempt.usedUp()) {
      const max = { ...failed, event: 'authn_login_fail_max', cause: limit } as const;
      // The limit of an address says nothing about the last account that it tried.
      await this.audit.record(limit.startsWith('address') ? { ...max, subjectId: undefined } : max, caller);
    }
    throw invalidCredentials(cause);
  }

  /** Replaces an outdated hash, which needs the password. If that fails, the login goes on and the next one tries again. */
  private async upgrade(user: User, password: string, client: HashingClient): Promise<void> {
    if (!this.hasher.isOutdated(user.passwordHash)) return;
    try {
      const passwordHash = await this.hasher.hash(password, client);
      await this.db.inTransaction((tx) => this.users.upgradeHash(tx, user, passwordHash));
    } catch (error) {
      this.logger.warn(`a password's hash was not upgraded: ${(error as Error).message}`);
    }
  }
}

/** The client whose share of a full hashing queue a password counts towards. */
export function hashingClient({ ip, hasLeft }: Caller, account: string, known: boolean): HashingClient {
  return { account, network: networkOf(ip), known, hasLeft };
}

export function invalidCredentials(reason: string): ApiError {
  return new ApiError(401, 'invalid_credentials', 'Bad username or password', { reason });
}
