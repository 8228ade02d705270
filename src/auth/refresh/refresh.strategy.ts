import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Jwt } from 'jsonwebtoken';
import { type RefreshClaims } from '../../tokens/token-claims.js';
import { TokenError } from '../../tokens/token.errors.js';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { type AuthRequest } from '../auth-request.js';
import { LiveSessions } from '../live-sessions.js';
import { strategyOptions, TokenStrategy } from '../policy/token.strategy.js';
import { type Principal, toPrincipal } from '../principal.js';

/** A refresh token. Where the route does not rotate it, it must be of the live generation of a living session. */
@Injectable()
export class RefreshStrategy extends PassportStrategy(TokenStrategy, 'freshgate-refresh') {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly sessions: LiveSessions,
  ) {
    super(strategyOptions(verifier));
  }

  async validate(request: AuthRequest, verified: Jwt): Promise<[Principal, RefreshClaims]> {
    const policy = request.authPolicy;
    const evenIfEnded = policy?.level === 'access-or-refresh' && policy.evenIfEnded;
    const rotates = policy?.level === 'refresh' && policy.rotates;
    const claims = this.verifier.read('refresh', verified, { evenExpired: evenIfEnded });
    if (!evenIfEnded && !rotates) await this.requireLiveGeneration(claims);
    return [toPrincipal(claims), claims];
  }

  private async requireLiveGeneration(claims: RefreshClaims): Promise<void> {
    const { generation } = await this.sessions.require(claims.sid);
    if (claims.gen !== generation) {
      throw new TokenError('token_revoked', `generation ${claims.gen}, the live one is ${generation}`);
    }
  }
}
