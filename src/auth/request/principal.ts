import { type AccessClaims, type RefreshClaims } from '../../tokens/token-claims.js';

/** The authenticated user of a request. Handlers never see the raw token. */
export interface Principal {
  userId: string;
  sessionId: string;
  /** The token's `jti`. */
  tokenId: string;
  /** Whether the token was issued for a proof of the password; `authTime` is the time of that proof. */
  fresh: boolean;
  /** NumericDate of the password proof; null with a refresh token, which does not contain it. */
  authTime: number | null;
  /** As of when the token was issued; empty with a refresh token. */
  roles: readonly string[];
}

const NO_ROLES: readonly string[] = Object.freeze([]);

export type TokenClaims = AccessClaims | RefreshClaims;

export function toPrincipal(claims: TokenClaims, userId: string): Principal {
  return {
    userId,
    sessionId: claims.sid,
    tokenId: claims.jti,
    fresh: claims.type === 'access' && claims.fresh,
    authTime: claims.type === 'access' ? claims.auth_time : null,
    roles: (claims.type === 'access' ? claims.roles : undefined) ?? NO_ROLES,
  };
}
