import { declarePolicy } from '../policy/auth-policy.js';

/** A refresh token of the live generation. The route reads it; only `/auth/refresh` and its kin rotate it. */
export const Refresh = () => declarePolicy({ level: 'refresh', rotates: false });

/** A verified, unexpired refresh token of any generation: the handler decides on the session row. Not for features. */
export const RotatesRefresh = () => declarePolicy({ level: 'refresh', rotates: true });

/** Either kind of token. */
export const AccessOrRefresh = () => declarePolicy({ level: 'access-or-refresh', evenIfEnded: false });

/** Either kind of token, be it expired or of a session that has ended: one must always be able to log out. */
export const EndsSession = () => declarePolicy({ level: 'access-or-refresh', evenIfEnded: true });
