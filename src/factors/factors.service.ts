import { Injectable } from '@nestjs/common';
import {
  Accounts,
  ApiError,
  type AuditEvent,
  AuditLog,
  AuthOptions,
  type Caller,
  Clock,
  type Principal,
  type User,
  UserStore,
  validationFailed,
} from '../auth/index.js';
import { changedMeanwhile, FactorRegistry, toFactorSummary } from '../auth/internals.js';
import { Database, type Tx } from '../database/index.js';
import { ENROLMENT_MS, MAX_AUTHENTICATORS, OtpFactors } from './otp-factors.js';
import { OtpSecrets } from './otp-secrets.js';
import { RecoveryCodes } from './recovery-codes.js';
import { SecondFactor } from './second-factor.js';
import { type EnrolledOtpDto, type FactorsDto } from './factors.dto.js';
import { otpauthUri } from './totp.js';

/**
 * Changes a user's own factors. Each change needs a token of the strongest level that the user has, moves the credential
 * version, so that logins in progress end, and revokes no session.
 */
@Injectable()
export class FactorsService {
  constructor(
    private readonly db: Database,
    private readonly accounts: Accounts,
    private readonly users: UserStore,
    private readonly otp: OtpFactors,
    private readonly secrets: OtpSecrets,
    private readonly recovery: RecoveryCodes,
    private readonly factor: SecondFactor,
    private readonly registry: FactorRegistry,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
    private readonly options: AuthOptions,
  ) {}

  async list(userId: string): Promise<FactorsDto> {
    return {
      otp: (await this.otp.listConfirmed(userId)).map(toFactorSummary),
      passkeys: await this.registry.list('passkey', userId),
      recovery_codes_left: await this.recovery.count(userId),
    };
  }

  /** @throws TokenError `fresh_token_required`; ApiError `validation_failed` for too many authenticators */
  async enrol(who: Principal, name: string): Promise<EnrolledOtpDto> {
    const user = await this.accounts.activeUserOf(who.userId);
    return this.db.inTransaction(async (tx) => {
      if (!(await this.users.lockIfUnchanged(tx, user))) throw changedMeanwhile();
      await this.registry.requireStrongest(who, tx);
      if ((await this.otp.listConfirmed(user.id, tx)).length >= MAX_AUTHENTICATORS) {
        const message = `cannot be added: the account has ${MAX_AUTHENTICATORS} authenticators, the maximum`;
        throw validationFailed([{ field: 'otp', messages: [message] }]);
      }
      const row = await this.otp.begin(tx, user, name, this.clock.now());
      const secret = this.secrets.of(row);
      if (!secret) throw new Error('the key of a new authenticator is missing');
      const otpauth_uri = otpauthUri(secret, this.options.tokens.issuer, user.username);
      return { id: row.id, otpauth_uri, expires_in: ENROLMENT_MS / 1000 };
    });
  }

  /**
   * @returns ten new recovery codes; earlier ones are void
   * @throws ApiError `not_found` if there is no enrolment to confirm, `invalid_credentials`; RateLimitedError
   */
  async confirm(who: Principal, id: string, code: string, caller: Caller): Promise<string[]> {
    const user = await this.accounts.activeUserOf(who.userId);
    const now = this.clock.now();
    const pending = await this.otp.findPending(user, id, now);
    if (!pending) throw new ApiError(404, 'not_found', 'No such enrolment, or it is over; start again');
    const proved = await this.factor.compare(user, caller, async () => {
      const matched = this.otp.match([pending], code, now);
      return matched && ((tx) => this.otp.confirm(tx, matched, now));
    });
    return this.change(who, user, caller, { event: 'authn_factor_added', cause: 'otp' }, async (tx) => {
      await proved.use(tx);
      return this.recovery.renew(tx, user.id);
    });
  }

  /** With the last authenticator the recovery codes go too. @throws TokenError `fresh_token_required`; ApiError `not_found` */
  async remove(who: Principal, id: string, caller: Caller): Promise<void> {
    const user = await this.accounts.activeUserOf(who.userId);
    await this.change(who, user, caller, { event: 'authn_factor_removed', cause: 'otp' }, async (tx) => {
      await this.registry.requireStrongest(who, tx);
      if (!(await this.otp.remove(tx, user.id, id)))
        throw new ApiError(404, 'not_found', 'No such authenticator');
      if ((await this.otp.listConfirmed(user.id, tx)).length === 0)
        await this.recovery.removeAll(tx, user.id);
    });
  }

  /** @throws TokenError `fresh_token_required`; ApiError `not_found` for a user without an authenticator */
  async renewRecoveryCodes(who: Principal, caller: Caller): Promise<string[]> {
    const user = await this.accounts.activeUserOf(who.userId);
    return this.change(who, user, caller, { event: 'authn_recovery_codes_renewed' }, async (tx) => {
      await this.registry.requireStrongest(who, tx);
      if ((await this.otp.listConfirmed(user.id, tx)).length === 0)
        throw new ApiError(404, 'not_found', 'Recovery codes belong to an authenticator; add one first');
      return this.recovery.renew(tx, user.id);
    });
  }

  /** In one transaction: first moves the credential version on the user's row, as everywhere, then changes and records. */
  private async change<T>(
    { userId, sessionId }: Principal,
    user: User,
    caller: Caller,
    event: Pick<AuditEvent, 'event' | 'cause'>,
    work: (tx: Tx) => Promise<T>,
  ): Promise<T> {
    return this.db.inTransaction(async (tx) => {
      if (!(await this.users.update(tx, user, {}))) throw changedMeanwhile();
      const result = await work(tx);
      const who = { actorId: userId, subjectId: userId, sessionId, at: this.clock.now() };
      await this.audit.record({ ...event, ...who }, caller, tx);
      return result;
    });
  }
}
