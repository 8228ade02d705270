import { HttpException } from '@nestjs/common';
import { type Acr } from './proof.js';

export type TokenErrorCode =
  | 'token_missing'
  | 'token_invalid'
  | 'token_expired'
  | 'token_wrong_type'
  | 'token_revoked'
  | 'refresh_token_reused'
  | 'fresh_token_required';

/** The message to the client for a refused token; the exact reason stays in the log. */
export const TOKEN_MESSAGES: Record<TokenErrorCode, string> = {
  token_missing: 'Missing bearer token',
  token_invalid: 'Token is invalid',
  token_expired: 'Token has expired',
  token_wrong_type: 'Token is of the wrong type for this route',
  token_revoked: 'Token has been revoked',
  refresh_token_reused: 'Refresh token was used before; the session is revoked',
  fresh_token_required: 'Fresh token required',
};

/** The requirements of a route on a proof (RFC 9470 §3). */
export interface RequiredProof {
  /** Milliseconds: how old it may be. */
  readonly maxAge?: number | undefined;
  /** Its level, or a stronger one. */
  readonly acr?: Acr | undefined;
}

/**
 * A refused token. `code` and the response are for the client; `reason` is for the log only, because telling a stranger
 * which check failed helps an attacker. An `HttpException`, so that an application's own filter answers it with 401.
 */
export class TokenError extends HttpException {
  override readonly name = 'TokenError';

  constructor(
    readonly code: TokenErrorCode,
    readonly reason: string,
    /** With `fresh_token_required`. */
    readonly required: RequiredProof = {},
  ) {
    const message = TOKEN_MESSAGES[code];
    super({ statusCode: 401, error: 'Unauthorized', message, errorCode: code }, 401, { errorCode: code });
  }
}
