import { declarePolicy } from './auth-policy.js';

/** Opens the route to every request; a token that is sent is ignored. */
export const Public = () => declarePolicy({ level: 'public' });
