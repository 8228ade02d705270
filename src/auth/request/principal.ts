import { type AccessClaims, type RefreshClaims } from '../../tokens/token-claims.js';

/** Who makes the request, as handlers see it: never the raw token. */
export interface Principal {
  userId: string;
  sessionId: string;
  /** The token's `jti`. */
  tokenId: string;
  /** Whether the token came from proving the password; how old that proof is, `authTime` says. */
  fresh: boolean;
  /** NumericDate of the password proof; null where a refresh token was shown, which does not tell. */
  authTime: number | null;
  /** As of when the token was issued; none where a refresh token was shown. */
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
