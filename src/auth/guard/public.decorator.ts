import { declarePolicy } from './auth-policy.js';

/** Anybody may call; a token that is sent is not even looked at. */
export const Public = () => declarePolicy({ level: 'public' });
