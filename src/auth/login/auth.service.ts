import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { AuditLog, type Caller } from '../../audit/audit-log.js';
import { Database, type Tx } from '../../database/index.js';
import { type Verdict } from '../../sessions/rotation.js';
import { SessionRevoker } from '../../sessions/session-revoker.js';
import { type Rotation, type RotationRequest, Sessions } from '../../sessions/sessions.repository.js';
import { Clock } from '../../time/clock.js';
import { type RefreshClaims } from '../../tokens/token-claims.js';
import { TokenError } from '../../tokens/token.errors.js';
import { PasswordHasher } from '../../passwords/password-hasher.js';
import { PasswordPolicy } from '../../passwords/password-policy.js';
import { requireAcceptable } from '../accounts/new-password.js';
import { type User, UserStore } from '../../users/user-store.js';
import { Accounts } from '../accounts/accounts.js';
import { ApiError } from '../errors/api-error.js';
import { Logins } from './logins.js';
import { RateLimits } from '../../rate-limits/rate-limits.js';
import { Devices } from './devices.js';
import { invalidCredentials, PasswordVerifier } from './password-verifier.js';
import { AuthOptions } from '../options/auth-options.js';
import { type Principal } from '../request/principal.js';
import { type RefreshRequest } from '../refresh/refresh-request.js';
import { RotationStatement } from '../refresh/rotation-statement.js';
import { type IssuedPair, TokenPairs } from './token-pairs.js';

/** Verdicts on a refresh token that buys nothing, whatever the password. */
const DEAD: ReadonlySet<Verdict> = new Set(['superseded', 'reuse', 'rolled_back', 'revoked']);

/** RFC 8176: a password. */
const AMR = ['pwd'];

/** What one can do about one's own login; combines users, sessions and tokens, which know nothing of each other. */
@Injectable()
export class AuthService {
  constructor(
    private readonly db: Database,
    private readonly accounts: Accounts,
    private readonly users: UserStore,
    private readonly hasher: PasswordHasher,
    private readonly policy: PasswordPolicy,
    private readonly proofs: PasswordVerifier,
    private readonly limits: RateLimits,
    private readonly devices: Devices,
    private readonly sessions: Sessions,
    private readonly atOnce: RotationStatement,
    private readonly ends: SessionRevoker,
    private readonly audit: AuditLog,
    private readonly logins: Logins,
    private readonly pairs: TokenPairs,
    private readonly clock: Clock,
    private readonly options: AuthOptions,
  ) {}

  async register(username: string, password: string, caller: Caller): Promise<User> {
    if (this.options.registration === 'closed') {
      throw new ApiError(403, 'registration_closed', 'Registration is closed');
    }
    await this.limits.register(caller);
    return this.accounts.create({ username, password, roles: [] }, { caller });
  }

  /**
   * A new session, and a fresh token pair for it. Every failure looks and takes the same.
   * @param devices what the client shows of earlier logins
   */
  async login(
    username: string,
    password: string,
    devices: readonly string[],
    caller: Caller,
  ): Promise<IssuedPair> {
    const user = await this.proofs.atLogin(username, password, devices, caller);
    const contents = await this.pairs.contents(user);
    const session = await this.logins.openUnlessChanged(user, caller, { amr: AMR });
    if (!session) throw changedMeanwhile();
    const pair = this.pairs.issue(session, contents, { fresh: true });
    return { ...pair, device: this.devices.issue(user.id) };
  }

  /** The next refresh token of the session, with an access token that is not fresh. */
  async refresh(attempt: RefreshRequest): Promise<IssuedPair> {
    const { who, token, caller } = attempt;
    const request = this.rotationRequest(attempt);
    const renewed = { event: 'session_renewed', ...this.rotationOf(who, 'rotated') } as const;
    const rotation =
      (await this.atOnce.run(request, renewed, caller)) ??
      (await this.db.inTransaction(async (tx) => {
        const result = await this.sessions.rotate(tx, request);
        await this.recordRotation(tx, 'session_renewed', result.outcome, who, caller);
        return 'session' in result
          ? { ...result, user: await this.userNow(tx, result.session.user_id) }
          : result;
      }));
    if (!('session' in rotation)) throw refusal(rotation.outcome, token);
    // The user is known in the transaction only. Where a hook fails, the client's retry gets the same generation.
    return this.pairs.issue(rotation.session, await this.pairs.contents(rotation.user), { fresh: false });
  }

  /** A refresh that proves the password again, and so gives a fresh access token. */
  async reauthenticate(attempt: RefreshRequest, password: string): Promise<IssuedPair> {
    const { who, token, caller } = attempt;
    const seen = await this.db.inTransaction(async (tx) => {
      const verdict = await this.sessions.inspect(tx, this.rotationRequest(attempt));
      if (DEAD.has(verdict)) await this.recordRotation(tx, 'session_renewed', verdict, who, caller);
      return verdict;
    });
    // Before the password is looked at: a dead token is no oracle for it.
    if (DEAD.has(seen)) throw refusal(seen, token);

    const user = await this.proofs.inSession(who, password, 'authn_reauthentication_fail', caller);
    const contents = await this.pairs.contents(user);
    const request = { ...this.rotationRequest(attempt), passwordProved: true };
    const rotation = await this.db.inTransaction(async (tx) => {
      if (!(await this.users.lockIfUnchanged(tx, user))) throw changedMeanwhile();
      const result = await this.sessions.rotate(tx, request);
      await this.recordRotation(tx, 'authn_reauthentication_success', result.outcome, who, caller);
      return result;
    });
    if (!('session' in rotation)) throw refusal(rotation.outcome, token);
    return this.pairs.issue(rotation.session, contents, { fresh: true });
  }

  /** Ends every other session, and gives this one a fresh token pair. */
  async changePassword(
    who: Principal,
    currentPassword: string,
    newPassword: string,
    caller: Caller,
  ): Promise<IssuedPair> {
    const { userId, sessionId } = who;
    const user = await this.proofs.inSession(who, currentPassword, 'authn_password_change_fail', caller);
    await requireAcceptable(this.policy, 'new_password', newPassword, user.username);
    const passwordHash = await this.hasher.hash(newPassword);
    const contents = await this.pairs.contents(user);
    const session = await this.db.inTransaction(async (tx) => {
      if (!(await this.users.update(tx, user, { passwordHash })))
        throw invalidCredentials('changed meanwhile');
      const at = this.clock.now();
      await this.ends.revokeAll(tx, userId, 'password_changed', at, sessionId);
      const renewed = await this.sessions.renew(tx, sessionId, at);
      // Thrown inside: a session that was ended meanwhile changes no password.
      if (!renewed) throw new TokenError('token_revoked', `session ${sessionId} ended during the change`);
      const whose = { actorId: userId, subjectId: userId, sessionId, at };
      await this.audit.record({ event: 'authn_password_change', ...whose }, caller, tx);
      return renewed;
    });
    return this.pairs.issue(session, contents, { fresh: true });
  }

  /** What became of a refresh token, as far as anything changed: who presents a dead one leaves no trace to fill a disk. */
  private async recordRotation(
    tx: Tx,
    success: 'session_renewed' | 'authn_reauthentication_success',
    outcome: Rotation['outcome'] | Verdict,
    principal: Principal,
    caller: Caller,
  ): Promise<void> {
    const who = this.rotationOf(principal, outcome);
    if (outcome === 'rotated' || outcome === 'replayed' || outcome === 'concurrent') {
      await this.audit.record({ event: success, ...who }, caller, tx);
    } else if (outcome === 'reuse') {
      await this.audit.record({ event: 'authn_token_reuse', outcome: 'fail', ...who }, caller, tx);
    } else if (outcome === 'rolled_back') {
      await this.audit.record({ event: 'session_ended', outcome: 'fail', ...who }, caller, tx);
    } else {
      this.audit.tell({ event: 'session_renewed', outcome: 'fail', ...who }, tx);
    }
  }

  private rotationOf({ userId, sessionId }: Principal, cause: string) {
    return { actorId: userId, subjectId: userId, sessionId, at: this.clock.now(), cause };
  }

  private rotationRequest({ token, idempotencyKey }: RefreshRequest): RotationRequest {
    return {
      sessionId: token.sid,
      generation: token.gen,
      keyHash:
        idempotencyKey === null ? null : createHash('sha256').update(idempotencyKey).digest('base64url'),
      now: this.clock.now(),
    };
  }

  /**
   * The user, in the transaction of the rotation: whoever takes a role away then ends the session, so either this
   * rotation comes first and its tokens die, or it comes too late.
   * @throws TokenError `token_revoked` where another than we has removed or disabled the user and left the session
   */
  private async userNow(tx: Tx, userId: string): Promise<User> {
    const user = await this.users.findById(userId, tx);
    if (user?.disabledAt === null) return user;
    throw new TokenError('token_revoked', `account ${userId} is ${user ? 'disabled' : 'gone'}`);
  }
}

/** A password takes time to verify; what it allows holds only if it is still the password. */
function changedMeanwhile(): ApiError {
  return invalidCredentials('the user was changed meanwhile');
}

function refusal(verdict: Verdict, token: RefreshClaims): ApiError | TokenError {
  const reason = `${verdict}: session ${token.sid}, presented generation ${token.gen}`;
  if (verdict === 'reuse') return new TokenError('refresh_token_reused', reason);
  if (verdict !== 'key_reused') return new TokenError('token_revoked', reason);
  const message =
    'This Idempotency-Key made the refresh token that it is sent with; use a new key for each token';
  return new ApiError(400, 'idempotency_key_reused', message, { reason });
}
