export type TokenErrorCode =
  | 'token_missing'
  | 'token_invalid'
  | 'token_expired'
  | 'token_wrong_type'
  | 'token_revoked'
  | 'refresh_token_reused'
  | 'fresh_token_required';

/**
 * Why a token was refused. `code` is what the client learns; `reason` is for the log only, because telling a
 * stranger which check failed helps nobody but an attacker.
 */
export class TokenError extends Error {
  override readonly name = 'TokenError';

  constructor(
    readonly code: TokenErrorCode,
    readonly reason: string,
    /** Milliseconds; with `fresh_token_required`, how old the password proof may be (RFC 9470 §3). */
    readonly maxAge?: number,
  ) {
    super(`${code}: ${reason}`);
  }
}
