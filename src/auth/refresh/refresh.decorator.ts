import { declarePolicy } from '../guard/auth-policy.js';
import { type LocatedPolicy } from '../request/auth-policy.js';

/** Requires a refresh token of the live generation. Does not rotate it. */
export const Refresh = (options: LocatedPolicy = {}) =>
  declarePolicy({ level: 'refresh', rotates: false, ...options });

/** Requires an unexpired refresh token of any generation; the handler decides by the session row. Not for features. */
export const RotatesRefresh = () => declarePolicy({ level: 'refresh', rotates: true });

/** Requires an access token or a refresh token. */
export const AccessOrRefresh = (options: LocatedPolicy = {}) =>
  declarePolicy({ level: 'access-or-refresh', allowRevoked: false, ...options });

/** Requires an access token or a refresh token, even if expired or revoked: logout must always be possible. */
export const LogsOut = () => declarePolicy({ level: 'access-or-refresh', allowRevoked: true });
