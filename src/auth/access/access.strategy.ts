import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Jwt } from 'jsonwebtoken';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { type AuthRequest } from '../request/auth-request.js';
import { strategyOptions, TokenStrategy } from '../policy/token.strategy.js';
import { type Principal, type TokenClaims } from '../principal.js';
import { TokenChecks } from '../checks/token-checks.js';

/** An access token, fresh or not, of a session that has not ended. No I/O. */
@Injectable()
export class AccessStrategy extends PassportStrategy(TokenStrategy, 'freshgate-access') {
  constructor(
    verifier: TokenVerifier,
    private readonly checks: TokenChecks,
  ) {
    super(strategyOptions(verifier));
  }

  async validate(request: AuthRequest, verified: Jwt): Promise<[Principal, TokenClaims]> {
    const policy = request.authPolicy;
    const { principal, claims } =
      policy?.level === 'access-or-refresh' && policy.evenIfEnded
        ? await this.checks.evenIfEnded('access', verified)
        : await this.checks.access(
            verified,
            policy?.level === 'access' || policy?.level === 'optional-access' ? policy : {},
            request,
          );
    return [principal, claims];
  }
}
