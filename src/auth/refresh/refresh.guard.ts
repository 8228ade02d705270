import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Jwt } from 'jsonwebtoken';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { strategyOptions, TokenGuard, TokenStrategy } from '../guard/passport-bridge.js';
import { TokenAuthenticator } from '../guard/token-authenticator.js';
import { type AuthRequest } from '../request/auth-request.js';
import { type Principal, type TokenClaims } from '../request/principal.js';

/** Accepts a refresh token. If the route does not rotate it, it must be of the live generation of a live session. */
@Injectable()
export class RefreshStrategy extends PassportStrategy(TokenStrategy, 'freshgate-refresh') {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly authenticator: TokenAuthenticator,
  ) {
    super(strategyOptions(verifier));
  }

  async validate(request: AuthRequest, jwt: Jwt): Promise<[Principal, TokenClaims]> {
    const verified = this.verifier.examine(jwt);
    const policy = request.authPolicy;
    const { principal, claims } =
      policy?.level === 'access-or-refresh' && policy.allowRevoked
        ? await this.authenticator.allowRevoked('refresh', verified)
        : await this.authenticator.refresh(verified, policy?.level === 'refresh' ? policy : {}, request);
    return [principal, claims];
  }
}

@Injectable()
export class RefreshGuard extends TokenGuard {
  constructor(strategy: RefreshStrategy) {
    super(strategy);
  }
}
