import { Injectable, Logger } from '@nestjs/common';
import { type AuditEvent, AuditLog, type Caller } from '../../audit/audit-log.js';
import { Database } from '../../database/index.js';
import { Clock } from '../../time/clock.js';
import { HashingOverloadedError } from '../../passwords/hashing-queue.js';
import { PasswordHasher } from '../../passwords/password-hasher.js';
import { type User, UserStore } from '../../users/user-store.js';
import { ApiError } from '../errors/api-error.js';
import { type Principal } from '../request/principal.js';
import { RateLimits, type Guess } from '../../rate-limits/rate-limits.js';
import { Devices } from './devices.js';

type Failure = Pick<AuditEvent, 'event' | 'sessionId'>;

/** Compares passwords, as often as the limits allow. */
@Injectable()
export class PasswordVerifier {
  private readonly logger = new Logger('PasswordProofs');

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
   * Of somebody who is nobody yet. Names that nobody has are counted like all others, or the limit would tell them.
   * @param devices what the client shows of earlier logins
   * @throws ApiError `invalid_credentials`, `rate_limited`
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

  /** Of the user of a session, which is known by that. @throws ApiError `invalid_credentials`, `rate_limited` */
  async inSession(
    { userId, sessionId }: Pick<Principal, 'userId' | 'sessionId'>,
    password: string,
    event: 'authn_reauthentication_fail' | 'authn_password_change_fail',
    caller: Caller,
  ): Promise<User> {
    const guess = { account: userId, known: `session ${sessionId}` };
    return this.prove(await this.users.findById(userId), password, guess, { event, sessionId }, caller);
  }

  /** Every failure looks and takes the same, whatever the cause: nobody learns who exists, and who is disabled. */
  private async prove(
    user: User | undefined,
    password: string,
    guess: Guess,
    failure: Failure,
    caller: Caller,
  ): Promise<User> {
    const attempt = await this.limits.guess(guess, caller);
    const proved = await this.hasher.verify(user?.passwordHash, password).catch(async (error: unknown) => {
      // Nothing was compared: a guess that did not take place counts for nobody.
      if (error instanceof HashingOverloadedError) await attempt.giveBack();
      throw error;
    });
    if (user && proved && user.disabledAt === null) {
      await attempt.succeeded();
      await this.upgrade(user, password);
      return user;
    }
    const cause = !user ? 'no_such_user' : proved ? 'account_disabled' : 'wrong_password';
    const failed = { ...failure, outcome: 'fail', at: this.clock.now(), subjectId: user?.id } as const;
    await this.audit.record({ ...failed, cause }, caller);
    // By the attempt that uses the limit up, and by none that is refused after it: those cannot fill a disk.
    for (const limit of attempt.usedUp()) {
      const max = { ...failed, event: 'authn_login_fail_max', cause: limit } as const;
      // An address that has tried many accounts says nothing of the last of them.
      await this.audit.record(limit.startsWith('address') ? { ...max, subjectId: undefined } : max, caller);
    }
    throw invalidCredentials(cause);
  }

  /** Only now is the password at hand. Where it cannot be done, the next login does it: nobody is kept out by it. */
  private async upgrade(user: User, password: string): Promise<void> {
    if (!this.hasher.isOutdated(user.passwordHash)) return;
    try {
      const passwordHash = await this.hasher.hash(password);
      await this.db.inTransaction((tx) => this.users.upgradeHash(tx, user, passwordHash));
    } catch (error) {
      this.logger.warn(`a password's hash was not upgraded: ${(error as Error).message}`);
    }
  }
}

export function invalidCredentials(reason: string): ApiError {
  return new ApiError(401, 'invalid_credentials', 'Bad username or password', { reason });
}
