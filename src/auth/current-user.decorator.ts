import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { requestOf } from './auth-request.js';
import { type Principal, type TokenClaims } from './principal.js';

/** The {@link Principal}; null on a route that let an anonymous request pass. */
export const CurrentUser = createParamDecorator(
  (_: undefined, context: ExecutionContext): Principal | null => requestOf(context).user ?? null,
);

/** The verified claims of the token that was shown. */
export const CurrentToken = createParamDecorator(
  (_: undefined, context: ExecutionContext): TokenClaims | null => requestOf(context).authInfo ?? null,
);
