import { declarePolicy } from '../guard/auth-policy.js';
import { type LocatedPolicy } from '../request/auth-policy.js';

/** A refresh token of the live generation. The route reads it; only `/auth/refresh` and its kin rotate it. */
export const Refresh = (options: LocatedPolicy = {}) =>
  declarePolicy({ level: 'refresh', rotates: false, ...options });

/** A verified, unexpired refresh token of any generation: the handler decides on the session row. Not for features. */
export const RotatesRefresh = () => declarePolicy({ level: 'refresh', rotates: true });

/** Either kind of token. */
export const AccessOrRefresh = (options: LocatedPolicy = {}) =>
  declarePolicy({ level: 'access-or-refresh', allowRevoked: false, ...options });

/** Either kind of token, also expired or of a revoked session: logout must always be possible. */
export const LogsOut = () => declarePolicy({ level: 'access-or-refresh', allowRevoked: true });
