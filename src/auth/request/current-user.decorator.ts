import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { requestOf } from './auth-request.js';
import { type TokenLocation } from './presented-token.js';
import { type Principal, type TokenClaims } from './principal.js';

/** The {@link Principal}; null for an anonymous request. With `LoadUser`, the user behind it. */
export const CurrentUser = createParamDecorator(
  (_: unknown, context: ExecutionContext): Principal | null => requestOf(context).user ?? null,
);

/**
 * The verified claims of the accepted token, with `'header'` its JOSE header, with `'location'` where it was found. Null
 * for an anonymous request.
 */
export const CurrentToken = createParamDecorator(
  (
    part: 'claims' | 'header' | 'location' = 'claims',
    context: ExecutionContext,
  ): TokenClaims | Record<string, unknown> | TokenLocation | null => {
    const { authInfo, presented } = requestOf(context);
    if (!authInfo || !presented) return null;
    if (part === 'claims') return authInfo;
    if (part === 'location') return presented.location;
    const [header = ''] = presented.token.split('.');
    return JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>;
  },
);
