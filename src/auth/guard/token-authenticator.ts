import { Injectable } from '@nestjs/common';
import { Clock } from '../../time/clock.js';
import { isFresh } from '../../tokens/freshness.js';
import { type AccessClaims, type ClaimsOf, type RefreshClaims } from '../../tokens/token-claims.js';
import { TokenError } from '../../tokens/token.errors.js';
import { TokenVerifier, type VerifiedToken } from '../../tokens/token-verifier.js';
import { type AuthRequest } from '../request/auth-request.js';
import { EndedSessionCheck } from './ended-session-check.js';
import { RevocationCheck, SubjectMapper, TokenRule } from '../hooks.js';
import { LiveSessions } from './live-sessions.js';
import { after, type MaybePromise } from '../request/maybe-promise.js';
import { AuthOptions } from '../options/auth-options.js';
import { type Principal, type TokenClaims, toPrincipal } from '../request/principal.js';

/** Who shows a token, and what it says: the outcome of its checks. */
export interface Authentication<C extends TokenClaims = TokenClaims> {
  principal: Principal;
  claims: C;
}

/**
 * What is asked of a token whose signature holds, in one order for every route and caller: its claims and expiry,
 * its kind, its freshness, whether it has been revoked, and what the team asks besides. The request, where there is
 * one, is for the team's check alone.
 */
@Injectable()
export class TokenAuthenticator {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly ended: EndedSessionCheck,
    private readonly live: LiveSessions,
    private readonly revocations: RevocationCheck,
    private readonly check: TokenRule,
    private readonly subjects: SubjectMapper,
    private readonly clock: Clock,
    private readonly options: AuthOptions,
  ) {}

  /** An access token, fresh or not, of a session that has not ended. No I/O of ours. */
  access(
    verified: VerifiedToken,
    { skipRevocationCheck = false }: { skipRevocationCheck?: boolean } = {},
    request?: AuthRequest,
  ): MaybePromise<Authentication<AccessClaims>> {
    const claims = this.verifier.read('access', verified);
    if (skipRevocationCheck) return this.accept(claims, request);
    this.ended.require(verified);
    return after(this.requireNotRevoked(claims), () => this.accept(claims, request));
  }

  /** An access token whose password proof is recent enough, of a session whose row says it lives. */
  async freshAccess(
    verified: VerifiedToken,
    { maxAge = this.options.freshMaxAge }: { maxAge?: number } = {},
    request?: AuthRequest,
  ): Promise<Authentication<AccessClaims>> {
    const claims = this.verifier.read('access', verified);
    if (!isFresh(claims, maxAge, this.clock.now())) {
      const reason = `fresh ${claims.fresh}, auth_time ${claims.auth_time}`;
      throw new TokenError('fresh_token_required', reason, maxAge);
    }
    // Never a cache here: a fresh check answered by one lets a revoked session change passwords.
    await this.live.require(claims.sid);
    await this.requireNotRevoked(claims);
    return this.accept(claims, request);
  }

  /** A refresh token; unless its route rotates it, of the live generation of a living session. */
  async refresh(
    verified: VerifiedToken,
    { rotates = false }: { rotates?: boolean } = {},
    request?: AuthRequest,
  ): Promise<Authentication<RefreshClaims>> {
    const claims = this.verifier.read('refresh', verified);
    if (!rotates) {
      const { generation } = await this.live.require(claims.sid);
      if (claims.gen !== generation) {
        throw new TokenError('token_revoked', `generation ${claims.gen}, the live one is ${generation}`);
      }
    }
    await this.requireNotRevoked(claims);
    return this.accept(claims, request);
  }

  /** Any token of ours, expired or revoked: enough to end its session, one must always be able to log out. */
  allowRevoked(kind: keyof ClaimsOf, verified: VerifiedToken): MaybePromise<Authentication> {
    const claims = this.verifier.read(kind, verified, { evenExpired: true });
    return this.identify(claims);
  }

  private requireNotRevoked(claims: TokenClaims): MaybePromise<void> {
    return after(this.revocations.isRevoked(claims), (revoked) => {
      if (revoked) throw new TokenError('token_revoked', 'by the RevocationCheck of the application');
    });
  }

  private accept<C extends TokenClaims>(claims: C, request?: AuthRequest): MaybePromise<Authentication<C>> {
    return after(this.check.accepts(claims, request), (accepted) => {
      if (!accepted) throw new TokenError('token_invalid', 'refused by the TokenCheck of the application');
      return this.identify(claims);
    });
  }

  private identify<C extends TokenClaims>(claims: C): MaybePromise<Authentication<C>> {
    const foreignIssuer = this.verifier.isForeign(claims) ? claims.iss : null;
    return after(this.subjects.toUserId(claims, foreignIssuer), (userId) => ({
      principal: toPrincipal(claims, userId),
      claims,
    }));
  }
}
