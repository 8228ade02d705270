import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Jwt } from 'jsonwebtoken';
import { Clock } from '../../tokens/clock.js';
import { isFresh } from '../../tokens/freshness.js';
import { type AccessClaims } from '../../tokens/token-claims.js';
import { TokenError } from '../../tokens/token.errors.js';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { AuthOptions } from '../auth-options.js';
import { type AuthRequest } from '../auth-request.js';
import { LiveSessions } from '../live-sessions.js';
import { strategyOptions, TokenStrategy } from '../policy/token.strategy.js';
import { type Principal, toPrincipal } from '../principal.js';

/** An access token whose password proof is recent enough for the route, of a session whose row says it lives. */
@Injectable()
export class FreshAccessStrategy extends PassportStrategy(TokenStrategy, 'freshgate-fresh-access') {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly sessions: LiveSessions,
    private readonly clock: Clock,
    private readonly options: AuthOptions,
  ) {
    super(strategyOptions(verifier));
  }

  async validate(request: AuthRequest, verified: Jwt): Promise<[Principal, AccessClaims]> {
    const claims = this.verifier.read('access', verified);
    const declared = request.authPolicy?.level === 'fresh-access' ? request.authPolicy.maxAge : undefined;
    const maxAge = declared ?? this.options.freshMaxAge;
    request.freshMaxAge = maxAge;
    if (!isFresh(claims, maxAge, this.clock.now())) {
      throw new TokenError(
        'fresh_token_required',
        `fresh ${claims.fresh}, auth_time ${claims.auth_time}`,
        maxAge,
      );
    }
    // Never a cache here: a fresh check answered by one lets a revoked session change passwords.
    await this.sessions.require(claims.sid);
    return [toPrincipal(claims), claims];
  }
}
