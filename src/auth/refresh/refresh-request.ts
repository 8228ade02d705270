import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type Caller } from '../../audit/audit-log.js';
import { type RefreshClaims } from '../../tokens/token-claims.js';
import { type Principal } from '../request/principal.js';
import { requestOf } from '../request/auth-request.js';
import { callerOf } from '../request/caller.decorator.js';
import { idempotencyKeyOf } from './idempotency-key.decorator.js';

/** A refresh token that was shown and accepted, and what came with it. */
export interface RefreshRequest {
  who: Principal;
  token: RefreshClaims;
  idempotencyKey: string | null;
  caller: Caller;
}

/**
 * On routes that `@RotatesRefresh()`. One argument and not four, as each goes through every pipe of the application.
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
