import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Jwt } from 'jsonwebtoken';
import { type AccessClaims } from '../../tokens/token-claims.js';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { type AuthRequest } from '../auth-request.js';
import { LiveSessions } from '../live-sessions.js';
import { strategyOptions, TokenStrategy } from '../policy/token.strategy.js';
import { type Principal, toPrincipal } from '../principal.js';

/** An access token, fresh or not, of a session that lives. */
@Injectable()
export class AccessStrategy extends PassportStrategy(TokenStrategy, 'freshgate-access') {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly sessions: LiveSessions,
  ) {
    super(strategyOptions(verifier));
  }

  async validate(request: AuthRequest, verified: Jwt): Promise<[Principal, AccessClaims]> {
    const policy = request.authPolicy;
    const evenIfEnded = policy?.level === 'access-or-refresh' && policy.evenIfEnded;
    const claims = this.verifier.read('access', verified, { evenExpired: evenIfEnded });
    if (!evenIfEnded) await this.sessions.require(claims.sid);
    return [toPrincipal(claims), claims];
  }
}
