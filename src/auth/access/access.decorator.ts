import { declarePolicy, type LocatedPolicy } from '../guard/auth-policy.js';

export interface AccessOptions extends LocatedPolicy {
  /** Takes a token also after its session has ended, until it expires: for what must not even look that up. */
  skipRevocationCheck?: boolean;
}

/** Any valid access token. The default: needed only to override what the class declares, or to say more. */
export const Access = (options: AccessOptions = {}) => declarePolicy({ level: 'access', ...options });

/** No token: anonymous, `@CurrentUser()` is null. A token that is sent must be good; a bad one is still 401. */
export const OptionalAccess = (options: AccessOptions = {}) =>
  declarePolicy({ level: 'optional-access', ...options });
