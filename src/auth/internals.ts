/** What our own health, metrics, OpenAPI, test kit and commands need of `auth` besides its public API. Not for features. */
export { type AccountChange, AccountChanges } from './accounts/account-changes.js';
export { ADMIN_ROLE } from './accounts/last-admin.js';
export { TOKEN_COOKIES } from './cookies/delivers-tokens.decorator.js';
export { DEVICE_HEADER, type TokenPairDto } from './dto/token-pair.dto.js';
export { errorCodesOf, errorResponse, type ErrorResponse } from './errors/api-errors.decorator.js';
export { tokenChallenge } from './errors/challenge.js';
export {
  FactorRegistry,
  type Factor,
  type PresentedFactors,
  type ProvedFactor,
} from './login/factor-registry.js';
export { FACTORS } from './login/presented-factors.js';
export { LoginService } from './login/login.service.js';
export { listRoutes, type Route } from './guard/routes.js';
export { findContradictions } from './options/resolve-options.js';
export { type AuthPolicy, DEFAULT_POLICY, KINDS_OF } from './request/auth-policy.js';
export { HashingQueue } from '../passwords/hashing-queue.js';
export { RevocationFeed } from '../sessions/revocation-feed.js';
export { RevokedSessions } from '../sessions/revoked-sessions.js';
