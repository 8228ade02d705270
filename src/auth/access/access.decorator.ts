import { type Acr, requireAcr } from '../../tokens/proof.js';
import { declarePolicy } from '../guard/auth-policy.js';
import { type LocatedPolicy } from '../request/auth-policy.js';

export interface OptionalAccessOptions extends LocatedPolicy {
  /** Accepts a token of a revoked session until the token expires, for routes that must not check revocation. */
  skipRevocationCheck?: boolean;
}

export interface AccessOptions extends OptionalAccessOptions {
  /** Requires a token of this level or a stronger one, however old its proof is: `'mfa'`. */
  acr?: Acr;
}

/**
 * Requires a valid access token. The default: needed only to override the class's declaration, or for its options.
 * @throws RangeError at load time for an unknown `acr`
 */
export function Access({ acr, ...options }: AccessOptions = {}): ClassDecorator & MethodDecorator {
  return declarePolicy({
    level: 'access',
    ...(acr === undefined ? {} : { acr: requireAcr(acr) }),
    ...options,
  });
}

/** Lets a request without a token in: `@CurrentUser()` is null. A token that is sent must be valid; else 401. */
export const OptionalAccess = (options: OptionalAccessOptions = {}) =>
  declarePolicy({ level: 'optional-access', ...options });
