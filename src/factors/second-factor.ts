import { Injectable, type OnModuleInit } from '@nestjs/common';
import {
  type Acr,
  ApiError,
  AuditLog,
  type Caller,
  Clock,
  type Proof,
  type ProofRule,
  ProofRules,
  type User,
} from '../auth/index.js';
import {
  CHALLENGE_SECONDS,
  type Factor,
  FactorRegistry,
  type ProvedFactor,
  type SessionLives,
} from '../auth/internals.js';
import { type Tx } from '../database/index.js';
import { reaches } from '../tokens/proof.js';
import { CodeAttempts } from './code-attempts.js';
import { CodesDto } from './factors.dto.js';
import { LoginChallenges } from './login-challenges.js';
import { OtpFactors } from './otp-factors.js';
import { RecoveryCodes } from './recovery-codes.js';

declare module '../auth/index.js' {
  interface ErrorCodes {
    second_factor_required: 401;
  }
}

/** RFC 8176 has no word for recovery codes; they are one-time passwords too. */
const AMR = ['otp', 'mfa'];

/**
 * One-time codes and recovery codes as a factor, and the rule that enforces them: a user who has an authenticator gets no
 * session and no fresh token without a second factor, by any way to log in.
 */
@Injectable()
export class SecondFactor implements Factor, ProofRule, OnModuleInit {
  readonly body = CodesDto;
  readonly refusal = 'second_factor_required';

  constructor(
    private readonly otp: OtpFactors,
    private readonly recovery: RecoveryCodes,
    private readonly attempts: CodeAttempts,
    private readonly challenges: LoginChallenges,
    private readonly registry: FactorRegistry,
    private readonly rules: ProofRules,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.registry.add(this);
    this.rules.add(this);
  }

  /** @throws ApiError `second_factor_required`; for a login, with the challenge to continue it */
  async check(user: User, { acr, amr }: Proof, tx: Tx, login?: SessionLives): Promise<void> {
    if (reaches(acr, 'mfa') || (await this.levelOf(user.id, tx)) === undefined) return;
    const left = await this.recovery.count(user.id, tx);
    const hasPasskey = (await this.registry.list('passkey', user.id, tx)).length > 0;
    const factors = [
      'otp',
      ...(left > 0 ? ['recovery_code'] : []),
      // A passkey is a login or reauthentication by itself, instead of password and code.
      ...(hasPasskey ? ['passkey'] : []),
    ];
    if (login)
      this.audit.announce({ event: 'authn_factor_required', subjectId: user.id, at: this.clock.now() });
    const members = login
      ? {
          challenge: this.challenges.issue({ ...user, ...login, amr }),
          factors,
          expires_in: CHALLENGE_SECONDS,
        }
      : { factors };
    throw new ApiError(401, 'second_factor_required', 'A second factor is required', { members });
  }

  async verify(
    user: User,
    { otp, recovery_code }: CodesDto,
    caller: Caller,
  ): Promise<ProvedFactor | undefined> {
    if (typeof otp === 'string') {
      return this.compare(user, caller, async () => {
        const now = this.clock.now();
        const matched = this.otp.match(await this.otp.listConfirmed(user.id), otp, now);
        return matched && ((tx) => this.otp.use(tx, matched, now));
      });
    }
    if (typeof recovery_code !== 'string') return undefined;
    return this.compare(user, caller, async () => {
      if (!(await this.recovery.exists(user.id, recovery_code))) return undefined;
      return async (tx) => {
        const used = await this.recovery.use(tx, user.id, recovery_code);
        const event = { event: 'authn_recovery_code_used', at: this.clock.now() } as const;
        if (used) await this.audit.record({ ...event, actorId: user.id, subjectId: user.id }, caller, tx);
        return used;
      };
    });
  }

  async levelOf(userId: string, tx?: Tx): Promise<Acr | undefined> {
    return (await this.otp.listConfirmed(userId, tx)).length > 0 ? 'mfa' : undefined;
  }

  async removeAll(tx: Tx, userId: string): Promise<boolean> {
    await this.recovery.removeAll(tx, userId);
    await this.attempts.forget(tx, userId);
    return this.otp.removeAll(tx, userId);
  }

  /**
   * Counts the attempt, then compares.
   * @param match returns how to use the code up, if it is right
   * @throws ApiError `invalid_credentials`; RateLimitedError
   */
  async compare(
    user: User,
    caller: Caller,
    match: () => Promise<((tx: Tx) => Promise<boolean>) | undefined>,
  ): Promise<ProvedFactor> {
    const usedUp = await this.attempts.take(user.id);
    const use = await match();
    if (!use) {
      const failed = {
        event: 'authn_factor_fail',
        outcome: 'fail',
        subjectId: user.id,
        at: this.clock.now(),
      } as const;
      await this.audit.record({ ...failed, cause: 'wrong_code' }, caller);
      // Once for each window: the refused attempts after this one leave no row.
      if (usedUp !== undefined)
        await this.audit.record({ ...failed, event: 'authn_factor_fail_max', cause: usedUp }, caller);
      throw wrongCode();
    }
    return {
      acr: 'mfa',
      amr: AMR,
      use: async (tx) => {
        if (!(await use(tx))) throw wrongCode();
        await this.attempts.giveBack(tx, user.id);
      },
    };
  }
}

function wrongCode(): ApiError {
  return new ApiError(401, 'invalid_credentials', 'Wrong code, or a code that was used before');
}
