import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type Caller } from '../../audit/audit-log.js';
import { type RefreshClaims } from '../../tokens/token-claims.js';
import { type Principal } from '../principal.js';
import { requestOf } from '../request/auth-request.js';
import { callerOf } from '../request/caller.decorator.js';
import { idempotencyKeyOf } from '../request/idempotency-key.decorator.js';

/** A refresh token that was shown and accepted, and what came with it. */
export interface RefreshAttempt {
  who: Principal;
  token: RefreshClaims;
  idempotencyKey: string | null;
  caller: Caller;
}

/**
 * On routes that `@RotatesRefresh()`. One argument and not four, as each goes through every pipe of the application.
 * @throws ApiError `validation_failed`
 */
export const ShownRefresh = createParamDecorator(
  (_: undefined, context: ExecutionContext): RefreshAttempt => {
    const request = requestOf(context);
    return {
      who: request.user as Principal,
      token: request.authInfo as RefreshClaims,
      idempotencyKey: idempotencyKeyOf(request),
      caller: callerOf(request),
    };
  },
);
