import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Jwt } from 'jsonwebtoken';
import { TokenVerifier, type VerifiedToken } from '../../tokens/token-verifier.js';
import { VerifiedTokens } from '../../tokens/verified-tokens.js';
import { type AuthRequest } from '../request/auth-request.js';
import { strategyOptions, TokenStrategy } from '../guard/token.strategy.js';
import { type Principal, type TokenClaims } from '../request/principal.js';
import { type MaybePromise } from '../request/maybe-promise.js';
import { type Authentication, TokenAuthenticator } from '../guard/token-authenticator.js';

/** An access token, fresh or not, of a session that has not ended. No I/O. */
@Injectable()
export class AccessStrategy extends PassportStrategy(TokenStrategy, 'freshgate-access') {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly checks: TokenAuthenticator,
    private readonly known: VerifiedTokens,
  ) {
    super(strategyOptions(verifier));
  }

  async validate(request: AuthRequest, jwt: Jwt): Promise<[Principal, TokenClaims]> {
    const verified = this.verifier.examine(jwt);
    const { principal, claims } = await this.accept(request, verified);
    // Never what logout takes: expired tokens, which anybody may have found, would push out those that live.
    if (request.presented && !takesEnded(request)) this.known.add(request.presented.token, verified);
    return [principal, claims];
  }

  /** What is asked at every request, of a token whose signature has been verified now or before. */
  accept(request: AuthRequest, verified: VerifiedToken): MaybePromise<Authentication> {
    const policy = request.authPolicy;
    if (takesEnded(request)) return this.checks.allowRevoked('access', verified);
    const options = policy?.level === 'access' || policy?.level === 'optional-access' ? policy : {};
    return this.checks.access(verified, options, request);
  }
}

function takesEnded({ authPolicy }: AuthRequest): boolean {
  return authPolicy?.level === 'access-or-refresh' && authPolicy.evenIfEnded;
}
