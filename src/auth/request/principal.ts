import { type Acr } from '../../tokens/proof.js';
import { type AccessClaims, type RefreshClaims } from '../../tokens/token-claims.js';

/** The authenticated user of a request. Handlers never see the raw token. */
export interface Principal {
  userId: string;
  sessionId: string;
  /** The token's `jti`. */
  tokenId: string;
  /** Whether the token was issued for a proof; `authTime`, `acr` and `amr` describe that proof. */
  fresh: boolean;
  /** NumericDate of the proof; null with a refresh token, which does not contain it. */
  authTime: number | null;
  /** The level of the proof: `pwd`, `mfa` or `phr`; null with a refresh token. */
  acr: Acr | null;
  /** RFC 8176: its methods; empty with a refresh token. */
  amr: readonly string[];
  /** As of when the token was issued; empty with a refresh token. */
  roles: readonly string[];
}

const NONE: readonly string[] = Object.freeze([]);

export type TokenClaims = AccessClaims | RefreshClaims;

export function toPrincipal(claims: TokenClaims, userId: string): Principal {
  return {
    userId,
    sessionId: claims.sid,
    tokenId: claims.jti,
    fresh: claims.type === 'access' && claims.fresh,
    authTime: claims.type === 'access' ? claims.auth_time : null,
    acr: claims.type === 'access' ? claims.acr : null,
    amr: claims.type === 'access' ? claims.amr : NONE,
    roles: (claims.type === 'access' ? claims.roles : undefined) ?? NONE,
  };
}
