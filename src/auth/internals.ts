/** What our own health, metrics, OpenAPI, test kit and commands need of `auth` besides its public API. Not for features. */
export { type AccountChange, AccountChanges, changedMeanwhile } from './accounts/account-changes.js';
export { AuthPolicyGuard } from './auth-policy.guard.js';
export { OPERATOR } from './accounts/account-admin.js';
export { ADMIN_ROLE } from './accounts/last-admin.js';
export { TOKEN_COOKIES } from './cookies/delivers-tokens.decorator.js';
export { DEVICE_HEADER, TokenPairDto } from './dto/token-pair.dto.js';
export { errorCodesOf, errorResponse, type ErrorResponse } from './errors/api-errors.decorator.js';
export { tokenChallenge } from './errors/challenge.js';
export {
  FactorRegistry,
  type Factor,
  type FactorSummary,
  toFactorSummary,
  type PasswordReplacement,
  type PresentedFactors,
  type ProvedFactor,
} from './accounts/factor-registry.js';
export { PresentedDevices } from './login/presented-devices.js';
export { FACTORS, type TakenFactors } from './login/presented-factors.js';
export { LoginService } from './login/login.service.js';
export { AccountDto, toAccountDto } from './dto/account.dto.js';
export { NewPasswordField, RegisterDto, UsernameField } from './dto/credentials.dto.js';
export { HashingCapacityGuard } from './login/hashing-capacity.guard.js';
export { RefusalHeadersInterceptor } from './guard/refusal-headers.interceptor.js';
export { Registration } from './login/registration.js';
export { KeyedHashes } from './cookies/keyed-hashes.js';
export { RateLimits } from '../rate-limits/rate-limits.js';
export { type RateLimitReservation } from '../rate-limits/rate-limit-reservation.js';
export { type SessionLives } from '../sessions/sessions.repository.js';
export { SessionRevoker } from '../sessions/session-revoker.js';
export { CHALLENGE_SECONDS, ChallengeTokens } from '../tokens/challenge-tokens.js';
export { KeyRing } from '../keys/key-ring.js';
export { listCalls, type ListedCall } from './guard/calls.js';
export { listRoutes, type Route } from './guard/routes.js';
export { type Handler, handlersOf, methodOf } from './guard/handlers.js';
export { inheritsPolicy, type RoutePolicy, routePolicyOf } from './guard/route-policies.js';
export { type AuthRequest, type Call, requestOf, responseOf, SharedChecks } from './request/auth-request.js';
export { type PresentedToken } from './request/presented-token.js';
export {
  AdaptsTransport,
  type HandlerKind,
  type Refusal,
  type TransportAdapter,
} from './transports/transport-adapter.js';
export { Transports } from './transports/transports.js';
export { findContradictions } from './options/resolve-options.js';
export { type AuthPolicy, checksOf, DEFAULT_POLICY, KINDS_OF } from './request/auth-policy.js';
export { HashingQueue } from '../passwords/hashing-queue.js';
export { RevocationFeed } from '../sessions/revocation-feed.js';
export { CsrfCheck } from './cookies/csrf-check.js';
export { TokenReader } from './guard/token-reader.js';
export { TokenWatch } from './guard/token-watch.js';
export { RevokedSessions } from '../sessions/revoked-sessions.js';
