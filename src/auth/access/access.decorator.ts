import { declarePolicy } from '../guard/auth-policy.js';
import { type LocatedPolicy } from '../request/auth-policy.js';

export interface AccessOptions extends LocatedPolicy {
  /** Accepts a token of a revoked session until the token expires, for routes that must not check revocation. */
  skipRevocationCheck?: boolean;
}

/** Requires any valid access token. The default: needed only to override the class's declaration, or for its options. */
export const Access = (options: AccessOptions = {}) => declarePolicy({ level: 'access', ...options });

/** Lets a request without a token in: `@CurrentUser()` is null. A token that is sent must be valid; else 401. */
export const OptionalAccess = (options: AccessOptions = {}) =>
  declarePolicy({ level: 'optional-access', ...options });
