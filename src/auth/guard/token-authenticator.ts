import { Injectable } from '@nestjs/common';
import { RevocationFeed } from '../../sessions/revocation-feed.js';
import { RevokedSessions } from '../../sessions/revoked-sessions.js';
import { Sessions } from '../../sessions/sessions.repository.js';
import { type Session } from '../../sessions/sessions.table.js';
import { Clock } from '../../time/clock.js';
import { isFresh } from '../../tokens/freshness.js';
import { type AccessClaims, type ClaimsOf, type RefreshClaims } from '../../tokens/token-claims.js';
import { reaches } from '../../tokens/proof.js';
import { type RequiredProof, TokenError } from '../../tokens/token.errors.js';
import { TokenVerifier, type VerifiedToken } from '../../tokens/token-verifier.js';
import { ApiError } from '../errors/api-error.js';
import { RevocationCheck, SubjectMapper, TokenRule } from '../hooks.js';
import { AuthOptions } from '../options/auth-options.js';
import { type AuthRequest, type SharedChecks } from '../request/auth-request.js';
import { type Principal, type TokenClaims, toPrincipal } from '../request/principal.js';

/** The outcome of a token's checks: who presents it, and its claims. */
export interface Authentication<C extends TokenClaims = TokenClaims> {
  principal: Principal;
  claims: C;
}

/**
 * The checks of a token whose signature is verified, in one order for every route and caller: claims and expiry,
 * kind, freshness, revocation, and the team's own rule. The request, where there is one, is for that rule alone.
 */
@Injectable()
export class TokenAuthenticator {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly revokedSessions: RevokedSessions,
    private readonly feed: RevocationFeed,
    private readonly sessions: Sessions,
    private readonly revocations: RevocationCheck,
    private readonly rule: TokenRule,
    private readonly subjects: SubjectMapper,
    private readonly clock: Clock,
    private readonly options: AuthOptions,
  ) {}

  /** Checks an access token, fresh or not, of a session that is not revoked. Without I/O, except in hooks. */
  async access(
    verified: VerifiedToken,
    { skipRevocationCheck = false, acr }: Pick<RequiredProof, 'acr'> & { skipRevocationCheck?: boolean } = {},
    request?: AuthRequest,
  ): Promise<Authentication<AccessClaims>> {
    const claims = this.verifier.read('access', verified);
    requireLevel(claims, { acr });
    if (!skipRevocationCheck) this.requireNotRevokedInMemory(claims);
    return this.accept(claims, request, { skipRevocationCheck });
  }

  /** Checks an access token whose proof is recent and strong enough. Reads the session row. */
  async freshAccess(
    verified: VerifiedToken,
    { maxAge = this.options.freshMaxAge, acr }: RequiredProof = {},
    request?: AuthRequest,
  ): Promise<Authentication<AccessClaims>> {
    const claims = this.verifier.read('access', verified);
    if (!isFresh(claims, maxAge, this.clock.now())) {
      const reason = `fresh ${claims.fresh}, auth_time ${claims.auth_time}`;
      throw new TokenError('fresh_token_required', reason, { maxAge, acr });
    }
    requireLevel(claims, { maxAge, acr });
    // Never from a cache: an old entry would let a revoked session change passwords.
    await this.requireLiveSession(claims.sid, request);
    return this.accept(claims, request);
  }

  /** Checks a refresh token; unless its route rotates it, it must be of the live generation of a live session. */
  async refresh(
    verified: VerifiedToken,
    { rotates = false }: { rotates?: boolean } = {},
    request?: AuthRequest,
  ): Promise<Authentication<RefreshClaims>> {
    const claims = this.verifier.read('refresh', verified);
    if (!rotates) {
      const { generation } = await this.requireLiveSession(claims.sid, request);
      if (claims.gen !== generation) {
        throw new TokenError('token_revoked', `generation ${claims.gen}, the live one is ${generation}`);
      }
    }
    return this.accept(claims, request);
  }

  /** Checks a token of ours that may be expired or revoked: logout must always be possible. */
  async allowRevoked(kind: keyof ClaimsOf, verified: VerifiedToken): Promise<Authentication> {
    return this.identify(this.verifier.read(kind, verified, { allowExpired: true }));
  }

  /** @throws TokenError `token_revoked`; ApiError `revocation_feed_lost` if the memory may lack revocations */
  private requireNotRevokedInMemory({ sid }: TokenClaims): void {
    if (this.revokedSessions.has(sid)) throw new TokenError('token_revoked', `session ${sid} is revoked`);
    const staleness = this.feed.staleness();
    if (staleness > this.options.sessions.revocationMaxStaleness) throw revocationFeedLost(staleness);
  }

  /** Reads the session's row, once for calls that share their checks. @throws TokenError `token_revoked` */
  private async requireLiveSession(sessionId: string, request?: AuthRequest): Promise<Session> {
    // Memory too: a standby that lagged and was promoted has lost revocations that this instance still knows.
    const isRevoked = this.revokedSessions.has(sessionId);
    const session = isRevoked ? undefined : await this.findLive(sessionId, request?.shared);
    if (!session) throw new TokenError('token_revoked', `session ${sessionId} is revoked or unknown`);
    return session;
  }

  private findLive(sessionId: string, shared?: SharedChecks): Promise<Session | undefined> {
    const read = shared?.liveSessions.get(sessionId) ?? this.sessions.findLive(sessionId, this.clock.now());
    shared?.liveSessions.set(sessionId, read);
    return read;
  }

  /** Runs the team's own checks. In one function, because each further promise costs a guarded GET one percent. */
  private async accept<C extends TokenClaims>(
    claims: C,
    request?: AuthRequest,
    { skipRevocationCheck = false } = {},
  ): Promise<Authentication<C>> {
    if (!skipRevocationCheck && (await this.revocations.isRevoked(claims)))
      throw new TokenError('token_revoked', 'by the RevocationCheck of the application');
    if (!(await this.rule.accepts(claims, request)))
      throw new TokenError('token_invalid', 'refused by the TokenRule of the application');
    return this.identify(claims);
  }

  private async identify<C extends TokenClaims>(claims: C): Promise<Authentication<C>> {
    const foreignIssuer = this.verifier.isForeign(claims) ? claims.iss : null;
    return { principal: toPrincipal(claims, await this.subjects.toUserId(claims, foreignIssuer)), claims };
  }
}

/** @param staleness milliseconds */
export function revocationFeedLost(staleness: number): ApiError {
  const message = 'Cannot tell whether the session is revoked; try again shortly';
  return new ApiError(503, 'revocation_feed_lost', message, {
    reason: `no news of revoked sessions for ${Math.round(staleness)} ms`,
  });
}

/** @throws TokenError `fresh_token_required`, with all that the route requires: one step-up must suffice */
function requireLevel(claims: AccessClaims, required: RequiredProof): void {
  if (required.acr === undefined || reaches(claims.acr, required.acr)) return;
  throw new TokenError('fresh_token_required', `acr ${claims.acr}`, required);
}
