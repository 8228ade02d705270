import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { type AuditEvent, AuditLog } from '../../audit/audit-log.js';
import { Database, type Tx } from '../../database/index.js';
import { RateLimitedError } from '../../rate-limits/rate-limited.error.js';
import { RevokedSessions } from '../../sessions/revoked-sessions.js';
import { SessionOptions } from '../../sessions/session-options.js';
import { type Rotation, type RotationRequest, Sessions } from '../../sessions/sessions.repository.js';
import { type Session } from '../../sessions/sessions.table.js';
import { Clock } from '../../time/clock.js';
import { PASSWORD_PROOF } from '../../tokens/proof.js';
import { TokenError } from '../../tokens/token.errors.js';
import { type User, UserStore } from '../../users/user-store.js';
import { ApiError, validationFailed } from '../errors/api-error.js';
import { type RefreshRequest } from '../refresh/refresh-request.js';
import {
  FactorRegistry,
  type PresentedFactors,
  type PresentedReplacement,
} from '../accounts/factor-registry.js';
import { invalidCredentials, PasswordVerifier } from './password-verifier.js';
import { type ProofAttempt, ProofRules } from './proof-rules.js';
import { TokenPairs } from './token-pairs.js';
import { type IssuedPair } from '../dto/token-pair.dto.js';

type Refused = Exclude<Rotation, { session: Session }>;

/** What a reauthentication presents: a password with the factors beside it, or what a factor takes instead. */
interface PresentedProof {
  password?: string | undefined;
  factors: PresentedFactors;
  replacement?: PresentedReplacement | undefined;
}

/** Refresh and reauthentication. `sessions/` decides about the refresh token. */
@Injectable()
export class RefreshService {
  constructor(
    private readonly db: Database,
    private readonly sessions: Sessions,
    private readonly revoked: RevokedSessions,
    private readonly users: UserStore,
    private readonly passwords: PasswordVerifier,
    private readonly factors: FactorRegistry,
    private readonly proofs: ProofRules,
    private readonly pairs: TokenPairs,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
    private readonly options: SessionOptions,
  ) {}

  /**
   * Issues the next refresh token of the session, and an access token that is not fresh.
   *
   * The user is read after the rotation, without a transaction around both. What takes a right away revokes the session in
   * the same transaction: either that came first and nothing was rotated, or it revokes the tokens issued here too.
   * A crash in between is repaired by the key or the grace.
   * @throws TokenError `token_revoked` (also if the account is gone or disabled), `refresh_token_reused`; ApiError `idempotency_key_reused`; RateLimitedError
   */
  async refresh(request: RefreshRequest): Promise<IssuedPair> {
    const rotation = await this.rotate(request);
    if (!('session' in rotation)) throw this.refusal(rotation, request);
    const user = await this.readUser(rotation.session.user_id);
    return this.pairs.issue(rotation.session, await this.pairs.contents(user), { proof: null });
  }

  /**
   * A refresh that proves the password again, and a second factor if the request has one, or what a factor takes instead:
   * issues a fresh access token.
   * @throws as `refresh`, and ApiError `validation_failed`, `invalid_credentials`
   */
  async reauthenticate(request: RefreshRequest, presented: PresentedProof): Promise<IssuedPair> {
    const { caller } = request;
    requireOneProof(presented);
    this.requireNotRevoked(request);
    const seen = await this.db.inTransaction(async (tx) => {
      // Assumes the strongest proof, because the level of this one is not known yet; `settle` decides again.
      const inspection = await this.sessions.inspect(tx, {
        ...this.toRotation(request),
        proof: { acr: 'phr' },
      });
      await this.recordRefusal(tx, inspection.verdict, request);
      return inspection;
    });
    // Before the password is compared: an invalid token must not tell whether a password is right.
    if (seen.verdict === 'rate_limited')
      throw this.refusal({ outcome: 'rate_limited', retryAfter: seen.retryAfter }, request);
    const { verdict } = seen;
    if (verdict === 'superseded' || verdict === 'reuse' || verdict === 'rolled_back' || verdict === 'revoked')
      throw this.refusal({ outcome: verdict }, request);

    const { user, attempt } = await this.verify(request, presented);
    const contents = await this.pairs.contents(user);
    const [rotation, proof] = await this.db.inTransaction(async (tx) => {
      if (!(await this.users.lockIfUnchanged(tx, user)))
        throw invalidCredentials('the user changed during the reauthentication');
      const rotating = this.toRotation(request);
      const proved = await this.proofs.prove(user, attempt, rotating.now, tx);
      const result = await this.sessions.settle(tx, { ...rotating, proof: proved });
      if ('session' in result)
        await this.audit.record(
          { ...this.eventOf(request, result.outcome), event: 'authn_reauthentication_success' },
          caller,
          tx,
        );
      else await this.recordRefusal(tx, result.outcome, request);
      return [result, proved] as const;
    });
    if (!('session' in rotation)) throw this.refusal(rotation, request);
    return this.pairs.issue(rotation.session, contents, { proof });
  }

  private async verify(
    { who, caller }: RefreshRequest,
    { password = '', factors, replacement }: PresentedProof,
  ): Promise<{ user: User; attempt: ProofAttempt }> {
    if (replacement) {
      const { user, factor } = await replacement.replacement.verify(who, replacement.body, caller);
      return { user, attempt: { method: { acr: factor.acr, amr: [] }, factor } };
    }
    const user = await this.passwords.inSession(who, password, 'authn_reauthentication_fail', caller);
    const factor = await this.factors.verify(user, factors, caller);
    return { user, attempt: { method: PASSWORD_PROOF, factor } };
  }

  private async rotate(request: RefreshRequest): Promise<Rotation> {
    this.requireNotRevoked(request);
    const rotation = this.toRotation(request);
    const session = await this.sessions.advance(rotation);
    if (session) {
      // No audit event: the session row has its last use and address.
      this.audit.announce(this.eventOf(request, 'rotated'));
      return { outcome: 'rotated', session };
    }
    return this.db.inTransaction(async (tx) => {
      const result = await this.sessions.settle(tx, rotation);
      if (result.outcome === 'rotated') this.audit.announce(this.eventOf(request, 'rotated'), tx);
      else if ('session' in result) await this.recordRepeat(tx, result.outcome, request);
      else await this.recordRefusal(tx, result.outcome, request);
      return result;
    });
  }

  /** Checks the memory too: after a failover to a lagging standby, the database may lack a revocation. */
  private requireNotRevoked(request: RefreshRequest): void {
    if (!this.revoked.has(request.token.sid)) return;
    this.audit.announce({ ...this.eventOf(request, 'revoked'), outcome: 'fail' });
    throw this.refusal({ outcome: 'revoked' }, request);
  }

  /** Recorded once per generation: repeated requests cannot fill the trail. */
  private async recordRepeat(tx: Tx, outcome: string, request: RefreshRequest): Promise<void> {
    const { token, caller } = request;
    await this.audit.record(
      this.eventOf(request, outcome),
      caller,
      tx,
      `${token.sid} ${token.gen} ${outcome}`,
    );
  }

  /** Records a refusal that revoked the session. Other refusals change nothing and are only announced. */
  private async recordRefusal(tx: Tx, outcome: string, request: RefreshRequest): Promise<void> {
    const failed = { ...this.eventOf(request, outcome), outcome: 'fail' } as const;
    if (outcome === 'reuse')
      await this.audit.record({ ...failed, event: 'authn_token_reuse' }, request.caller, tx);
    else if (outcome === 'rolled_back')
      await this.audit.record({ ...failed, event: 'session_revoked' }, request.caller, tx);
    else if (outcome === 'revoked' || outcome === 'superseded' || outcome === 'key_reused')
      this.audit.announce(failed, tx);
  }

  private eventOf({ who }: RefreshRequest, cause: string): AuditEvent {
    const { userId, sessionId } = who;
    const at = this.clock.now();
    return { event: 'session_renewed', actorId: userId, subjectId: userId, sessionId, at, cause };
  }

  private toRotation({ token, idempotencyKey, caller }: RefreshRequest): RotationRequest {
    return {
      sessionId: token.sid,
      generation: token.gen,
      keyHash:
        idempotencyKey === null ? null : createHash('sha256').update(idempotencyKey).digest('base64url'),
      now: this.clock.now(),
      device: caller,
    };
  }

  /** @throws TokenError `token_revoked` if another program disabled or deleted the user but not the session */
  private async readUser(userId: string): Promise<User> {
    const user = await this.users.findById(userId);
    if (user?.disabledAt === null) return user;
    throw new TokenError('token_revoked', `account ${userId} is ${user ? 'disabled' : 'gone'}`);
  }

  private refusal(refused: Refused, { token }: RefreshRequest): Error {
    const { outcome } = refused;
    const reason = `${outcome}: session ${token.sid}, presented generation ${token.gen}`;
    switch (outcome) {
      case 'rate_limited':
        return new RateLimitedError({ name: 'refresh', ...this.options.refreshLimit }, refused.retryAfter);
      case 'reuse':
        return new TokenError('refresh_token_reused', reason);
      case 'key_reused':
        return new ApiError(
          400,
          'idempotency_key_reused',
          'This Idempotency-Key made the refresh token that it is sent with; use a new key for each token',
          { reason },
        );
      case 'superseded':
      case 'rolled_back':
      case 'revoked':
        return new TokenError('token_revoked', reason);
    }
  }
}

/** @throws ApiError `validation_failed` */
function requireOneProof({ password, factors, replacement }: PresentedProof): void {
  const hasPassword = typeof password === 'string';
  if (replacement ? !hasPassword && factors.size === 0 : hasPassword) return;
  const message = replacement
    ? 'password and codes must not be sent together with a proof that replaces the password'
    : 'password must be a string';
  throw validationFailed([{ field: 'password', messages: [message] }]);
}
