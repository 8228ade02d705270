import { Injectable } from '@nestjs/common';
import { parseDuration } from '../../time/duration.js';
import { type AccessClaims, type RefreshClaims } from '../../tokens/token-claims.js';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { type Authentication, TokenAuthenticator } from './token-authenticator.js';

/**
 * The guards' checks for what has no route: gateways, jobs, custom guards. Each method takes the token itself and
 * throws what the guard of the same name would answer: a `TokenError` with its `code`.
 */
@Injectable()
export class Authenticator {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly checks: TokenAuthenticator,
  ) {}

  /** As `@Access()`. @throws TokenError */
  async access(
    token: string,
    options?: { skipRevocationCheck?: boolean },
  ): Promise<Authentication<AccessClaims>> {
    return this.checks.access(this.verifier.verifySignature(token), options);
  }

  /** As `@FreshAccess()`; `maxAge` as there. `once` needs a route. @throws TokenError, RangeError */
  async freshAccess(
    token: string,
    { maxAge }: { maxAge?: string } = {},
  ): Promise<Authentication<AccessClaims>> {
    const limit = maxAge === undefined ? {} : { maxAge: parseDuration(maxAge) };
    if (limit.maxAge === 0) throw new RangeError('maxAge must be longer than 0s');
    return this.checks.freshAccess(this.verifier.verifySignature(token), limit);
  }

  /** As `@Refresh()`: it does not rotate. @throws TokenError */
  async refresh(token: string): Promise<Authentication<RefreshClaims>> {
    return this.checks.refresh(this.verifier.verifySignature(token));
  }

  /** As `@AccessOrRefresh()`. @throws TokenError */
  async accessOrRefresh(token: string): Promise<Authentication> {
    return this.verifier.keyFor(token).kind === 'access' ? this.access(token) : this.refresh(token);
  }
}
