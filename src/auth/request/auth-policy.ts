import { type Acr } from '../../tokens/proof.js';
import { type TokenKind } from '../../tokens/token-claims.js';
import { type TokenLocation } from './presented-token.js';

/** Where a route looks for its token. */
export interface LocatedPolicy {
  /** In this order, instead of the application's. */
  locations?: readonly TokenLocation[];
}

/** What a route requires. */
export type AuthPolicy =
  | { level: 'public' }
  | (LocatedPolicy & {
      level: 'access' | 'optional-access';
      /** Accepts a token of a revoked session until the token expires. */
      skipRevocationCheck?: boolean;
      /** The token must say this level, or a stronger one. */
      acr?: Acr;
    })
  | (LocatedPolicy & {
      level: 'fresh-access';
      acr?: Acr;
      /** Milliseconds; without it the application's `FRESH_MAX_AGE`. */
      maxAge?: number;
      /** The first success uses the token up. */
      once: boolean;
    })
  | (LocatedPolicy & {
      level: 'refresh';
      /** The handler itself decides on the session row, in its transaction: the guard reads no row. */
      rotates: boolean;
    })
  | (LocatedPolicy & {
      level: 'access-or-refresh';
      /** Also an expired token, or one of a revoked session: for logout alone. */
      allowRevoked: boolean;
    });

/** The kinds of token that each level accepts, most likely first. */
export const KINDS_OF: Record<Exclude<AuthPolicy['level'], 'public'>, readonly TokenKind[]> = {
  access: ['access'],
  'optional-access': ['access'],
  'fresh-access': ['access'],
  refresh: ['refresh'],
  'access-or-refresh': ['access', 'refresh'],
};

/** How a policy differs from the usual check of an access token. */
export function checksOf(policy: AuthPolicy | undefined): { skipRevocationCheck?: boolean; acr?: Acr } {
  return policy?.level === 'access' || policy?.level === 'optional-access' ? policy : {};
}

/** A route without a declaration needs an access token: a forgotten decorator never opens a route. */
export const DEFAULT_POLICY: AuthPolicy = { level: 'access' };
