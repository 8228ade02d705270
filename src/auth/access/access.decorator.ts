import { declarePolicy } from '../policy/auth-policy.js';

/** Any valid access token. The default: needed only to override what the class declares. */
export const Access = () => declarePolicy({ level: 'access' });

/** No token: anonymous, `@CurrentUser()` is null. A token that is sent must be good; a bad one is still 401. */
export const OptionalAccess = () => declarePolicy({ level: 'optional-access' });
