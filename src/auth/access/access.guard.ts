import { type ExecutionContext, Injectable } from '@nestjs/common';
import { VerifiedTokens } from '../../tokens/verified-tokens.js';
import { after, type MaybePromise } from '../request/maybe-promise.js';
import { TokenGuard } from '../guard/token.guard.js';
import { requestOf } from '../request/auth-request.js';
import { AccessStrategy } from './access.strategy.js';

@Injectable()
export class AccessGuard extends TokenGuard {
  constructor(
    private readonly strategy: AccessStrategy,
    private readonly verified: VerifiedTokens,
  ) {
    super(strategy);
  }

  /** A token that was verified before goes around Passport and its signature, and through the same checks. */
  override canActivate(context: ExecutionContext): MaybePromise<boolean> {
    const request = requestOf(context);
    const known = request.presented && this.verified.find(request.presented.token);
    if (!known) return super.canActivate(context);
    return after(this.strategy.accept(request, known), ({ principal, claims }) => {
      request.user = principal;
      request.authInfo = claims;
      return true;
    });
  }
}
