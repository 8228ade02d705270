import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Jwt } from 'jsonwebtoken';
import { TokenVerifier, type VerifiedToken } from '../../tokens/token-verifier.js';
import { VerifiedTokens } from '../../tokens/verified-tokens.js';
import { type AuthRequest } from '../request/auth-request.js';
import { strategyOptions, TokenStrategy } from '../policy/token.strategy.js';
import { type Principal, type TokenClaims } from '../principal.js';
import { TokenChecks } from '../checks/token-checks.js';

/** An access token, fresh or not, of a session that has not ended. No I/O. */
@Injectable()
export class AccessStrategy extends PassportStrategy(TokenStrategy, 'freshgate-access') {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly checks: TokenChecks,
    private readonly known: VerifiedTokens,
  ) {
    super(strategyOptions(verifier));
  }

  async validate(request: AuthRequest, jwt: Jwt): Promise<[Principal, TokenClaims]> {
    const verified = this.verifier.examine(jwt);
    const accepted = await this.accept(request, verified);
    // Never what logout takes: expired tokens, which anybody may have found, would push out those that live.
    if (request.presented && !takesEnded(request)) this.known.add(request.presented.token, verified);
    return accepted;
  }

  /** What is asked at every request, of a token whose signature has been verified now or before. */
  async accept(request: AuthRequest, verified: VerifiedToken): Promise<[Principal, TokenClaims]> {
    const policy = request.authPolicy;
    const { principal, claims } = takesEnded(request)
      ? await this.checks.evenIfEnded('access', verified)
      : await this.checks.access(
          verified,
          policy?.level === 'access' || policy?.level === 'optional-access' ? policy : {},
          request,
        );
    return [principal, claims];
  }
}

function takesEnded({ authPolicy }: AuthRequest): boolean {
  return authPolicy?.level === 'access-or-refresh' && authPolicy.evenIfEnded;
}
