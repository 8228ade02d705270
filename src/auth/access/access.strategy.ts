import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Jwt } from 'jsonwebtoken';
import { type AccessClaims } from '../../tokens/token-claims.js';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { type AuthRequest } from '../auth-request.js';
import { EndedSessionCheck } from '../ended-session-check.js';
import { strategyOptions, TokenStrategy } from '../policy/token.strategy.js';
import { type Principal, toPrincipal } from '../principal.js';

/** An access token, fresh or not, of a session that has not ended. No I/O. */
@Injectable()
export class AccessStrategy extends PassportStrategy(TokenStrategy, 'freshgate-access') {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly sessions: EndedSessionCheck,
  ) {
    super(strategyOptions(verifier));
  }

  validate(request: AuthRequest, verified: Jwt): [Principal, AccessClaims] {
    const policy = request.authPolicy;
    const evenIfEnded = policy?.level === 'access-or-refresh' && policy.evenIfEnded;
    const claims = this.verifier.read('access', verified, { evenExpired: evenIfEnded });
    if (!evenIfEnded) this.sessions.require(claims.sid);
    return [toPrincipal(claims), claims];
  }
}
