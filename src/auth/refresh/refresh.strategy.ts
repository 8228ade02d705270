import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Jwt } from 'jsonwebtoken';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { type AuthRequest } from '../request/auth-request.js';
import { strategyOptions, TokenStrategy } from '../guard/token.strategy.js';
import { type Principal, type TokenClaims } from '../request/principal.js';
import { TokenAuthenticator } from '../guard/token-authenticator.js';

/** A refresh token. Where the route does not rotate it, it must be of the live generation of a living session. */
@Injectable()
export class RefreshStrategy extends PassportStrategy(TokenStrategy, 'freshgate-refresh') {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly checks: TokenAuthenticator,
  ) {
    super(strategyOptions(verifier));
  }

  async validate(request: AuthRequest, jwt: Jwt): Promise<[Principal, TokenClaims]> {
    const verified = this.verifier.examine(jwt);
    const policy = request.authPolicy;
    const { principal, claims } =
      policy?.level === 'access-or-refresh' && policy.evenIfEnded
        ? await this.checks.allowRevoked('refresh', verified)
        : await this.checks.refresh(verified, policy?.level === 'refresh' ? policy : {}, request);
    return [principal, claims];
  }
}
