import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type Caller } from '../../audit/audit-log.js';
import { type RefreshClaims } from '../../tokens/token-claims.js';
import { type Principal } from '../request/principal.js';
import { requestOf } from '../request/auth-request.js';
import { callerOf } from '../request/caller.decorator.js';
import { idempotencyKeyOf } from './idempotency-key.decorator.js';

/** An accepted refresh token with the rest of its request. */
export interface RefreshRequest {
  who: Principal;
  token: RefreshClaims;
  idempotencyKey: string | null;
  caller: Caller;
}

/**
 * For routes with `@RotatesRefresh()`. One argument instead of four, because each argument passes every global pipe.
 * @throws ApiError `validation_failed`
 */
export const PresentedRefresh = createParamDecorator(
  (_: undefined, context: ExecutionContext): RefreshRequest => {
    const request = requestOf(context);
    return {
      who: request.user as Principal,
      token: request.authInfo as RefreshClaims,
      idempotencyKey: idempotencyKeyOf(request),
      caller: callerOf(request),
    };
  },
);
