import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Jwt } from 'jsonwebtoken';
import { type AccessClaims } from '../../tokens/token-claims.js';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { strategyOptions, TokenGuard, TokenStrategy } from '../guard/passport-bridge.js';
import { TokenAuthenticator } from '../guard/token-authenticator.js';
import { AuthOptions } from '../options/auth-options.js';
import { type AuthRequest } from '../request/auth-request.js';
import { type Principal } from '../request/principal.js';

/** Accepts an access token whose proof is recent and strong enough for the route. Reads the session row. */
@Injectable()
export class FreshAccessStrategy extends PassportStrategy(TokenStrategy, 'freshgate-fresh-access') {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly authenticator: TokenAuthenticator,
    private readonly options: AuthOptions,
  ) {
    super(strategyOptions(verifier));
  }

  async validate(request: AuthRequest, jwt: Jwt): Promise<[Principal, AccessClaims]> {
    const verified = this.verifier.examine(jwt);
    const policy = request.authPolicy;
    const { maxAge = this.options.freshMaxAge, acr } = policy?.level === 'fresh-access' ? policy : {};
    const required = { maxAge, acr };
    request.requiredProof = required;
    const { principal, claims } = await this.authenticator.freshAccess(verified, required, request);
    return [principal, claims];
  }
}

@Injectable()
export class FreshAccessGuard extends TokenGuard {
  constructor(strategy: FreshAccessStrategy) {
    super(strategy);
  }
}
