/** All that features may import of the auth room. */
export { Access, type AccessOptions, OptionalAccess } from './access/access.decorator.js';
export { AccountAdmin, type AccountSummary } from './accounts/account-admin.js';
export { Accounts, type Acting } from './accounts/accounts.js';
export { AuthModule, type AuthModuleExtras } from './auth.module.js';
export { Authenticator } from './checks/authenticator.js';
export { ClearsTokens, DeliversTokens } from './cookies/delivers-tokens.decorator.js';
export { CurrentToken, CurrentUser } from './request/current-user.decorator.js';
export { AccountDto } from './dto/account.dto.js';
export { ApiError, type FieldError, validationFailed } from './errors/api-error.js';
export { FreshAccess, type FreshAccessOptions } from './fresh-access/fresh-access.decorator.js';
export {
  type ErrorAnswer,
  ErrorBody,
  RevocationCheck,
  Subjects,
  TokenCheck,
  TokenExtras,
  UserLoader,
} from './hooks.js';
export { IdempotencyKey } from './request/idempotency-key.decorator.js';
export { describeProtection } from './policy/openapi-protection.js';
export { loadSwagger } from '../openapi/decorators.js';
export { listRoutes, type Route } from './policy/routes.js';
export { LoadUser } from './request/load-user.pipe.js';
export { type AccessTokenOptions, type LoginOptions, Logins } from './issuing/logins.js';
export { AuthOptions, TOKEN_LOCATIONS, type TokenLocation } from './options/auth-options.js';
export { type AuthModuleOptions, AuthOptionsError } from './options/resolve-options.js';
export { lowerCased, LowerCased } from './request/lower-cased.decorator.js';
export { Public } from './policy/public.decorator.js';
export { Roles } from './policy/roles.decorator.js';
export { type Principal, type TokenClaims } from './principal.js';
export { AccessOrRefresh, Refresh } from './refresh/refresh.decorator.js';
export { type Authentication } from './checks/token-checks.js';
export { type IssuedPair } from './issuing/token-pairs.js';
export { type DecodedToken, type Inspection, Tokens } from './checks/tokens.js';
export { SessionsService } from './sessions.service.js';
export { createValidationPipe } from './request/validation.pipe.js';
export { RequestCaller } from './request/caller.decorator.js';
export { type AuditEvent, AuditLog, type Caller } from '../audit/audit-log.js';
export { EndedSessions } from '../sessions/ended-sessions.js';
export { RevocationFeed } from '../sessions/revocation-feed.js';
export { Clock } from '../tokens/clock.js';
export { TokenError, type TokenErrorCode } from '../tokens/token.errors.js';
export { HashingQueue } from '../users/hashing-queue.js';
export { type NewUser, type SeenUser, type User, type UserChange, UserStore } from '../users/user-store.js';
