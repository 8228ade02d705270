import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Jwt } from 'jsonwebtoken';
import { type AccessClaims } from '../../tokens/token-claims.js';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { type AuthRequest } from '../request/auth-request.js';
import { AuthOptions } from '../options/auth-options.js';
import { strategyOptions, TokenStrategy } from '../guard/token.strategy.js';
import { type Principal } from '../request/principal.js';
import { TokenAuthenticator } from '../guard/token-authenticator.js';

/** An access token whose password proof is recent enough for the route, of a session whose row says it lives. */
@Injectable()
export class FreshAccessStrategy extends PassportStrategy(TokenStrategy, 'freshgate-fresh-access') {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly checks: TokenAuthenticator,
    private readonly options: AuthOptions,
  ) {
    super(strategyOptions(verifier));
  }

  async validate(request: AuthRequest, jwt: Jwt): Promise<[Principal, AccessClaims]> {
    const verified = this.verifier.examine(jwt);
    const declared = request.authPolicy?.level === 'fresh-access' ? request.authPolicy.maxAge : undefined;
    const maxAge = declared ?? this.options.freshMaxAge;
    request.freshMaxAge = maxAge;
    const { principal, claims } = await this.checks.freshAccess(verified, { maxAge }, request);
    return [principal, claims];
  }
}
