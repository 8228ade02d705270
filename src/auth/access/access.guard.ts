import { type ExecutionContext, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Jwt } from 'jsonwebtoken';
import { TokenVerifier, type VerifiedToken } from '../../tokens/token-verifier.js';
import { VerifiedTokens } from '../../tokens/verified-tokens.js';
import { strategyOptions, TokenGuard, TokenStrategy } from '../guard/passport-bridge.js';
import { type Authentication, TokenAuthenticator } from '../guard/token-authenticator.js';
import { checksOf } from '../request/auth-policy.js';
import { type AuthRequest, requestOf } from '../request/auth-request.js';
import { type Principal, type TokenClaims } from '../request/principal.js';

/** Accepts an access token, fresh or not, of a session that is not revoked. No I/O. */
@Injectable()
export class AccessStrategy extends PassportStrategy(TokenStrategy, 'freshgate-access') {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly authenticator: TokenAuthenticator,
    private readonly verifiedTokens: VerifiedTokens,
  ) {
    super(strategyOptions(verifier));
  }

  async validate(request: AuthRequest, jwt: Jwt): Promise<[Principal, TokenClaims]> {
    const verified = this.verifier.examine(jwt);
    const { principal, claims } = await this.accept(request, verified);
    // Not for logout: the expired tokens that it accepts would displace live ones.
    if (request.presented && !allowsRevoked(request))
      this.verifiedTokens.add(request.presented.token, verified);
    return [principal, claims];
  }

  /** Runs the checks of every request, for a token whose signature was verified now or before. */
  accept(request: AuthRequest, verified: VerifiedToken): Promise<Authentication> {
    const policy = request.authPolicy;
    if (allowsRevoked(request)) return this.authenticator.allowRevoked('access', verified);
    return this.authenticator.access(verified, checksOf(policy), request);
  }
}

@Injectable()
export class AccessGuard extends TokenGuard {
  constructor(
    private readonly strategy: AccessStrategy,
    private readonly verifiedTokens: VerifiedTokens,
  ) {
    super(strategy);
  }

  /** A token that was verified before skips Passport and the signature, and passes through the same checks. */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = requestOf(context);
    const verified = request.presented && this.verifiedTokens.find(request.presented.token);
    if (!verified) return super.canActivate(context);
    const { principal, claims } = await this.strategy.accept(request, verified);
    request.user = principal;
    request.authInfo = claims;
    return true;
  }
}

function allowsRevoked({ authPolicy }: AuthRequest): boolean {
  return authPolicy?.level === 'access-or-refresh' && authPolicy.allowRevoked;
}
