/** The public API of `auth`: what features and applications that use the library import. */
export {
  Access,
  type AccessOptions,
  OptionalAccess,
  type OptionalAccessOptions,
} from './access/access.decorator.js';
export { AccountAdmin, type AccountSummary } from './accounts/account-admin.js';
export { Accounts, type Acting } from './accounts/accounts.js';
export { AuthModule, type AuthModuleExtras } from './auth.module.js';
export { Authenticator, type DecodedToken, type Inspection } from './guard/authenticator.js';
export { ClearsTokens, DeliversTokens } from './cookies/delivers-tokens.decorator.js';
export { CurrentToken, CurrentUser } from './request/current-user.decorator.js';
export { AccountDto } from './dto/account.dto.js';
export { ApiError, type FieldError, validationFailed } from './errors/api-error.js';
export { ApiErrors, type ErrorsByStatus } from './errors/api-errors.decorator.js';
export { ERROR_CODES, type ErrorCode, type ErrorCodes } from './errors/error-codes.js';
export { type ErrorAnswer } from './errors/error-answer.js';
export { ErrorDto } from './errors/error.dto.js';
export { ErrorFilter } from './error.filter.js';
export { FreshAccess, type FreshAccessOptions } from './fresh-access/fresh-access.decorator.js';
export {
  ErrorRenderer,
  RevocationCheck,
  SubjectMapper,
  TokenRule,
  TokenExtras,
  UserLoader,
} from './hooks.js';
export { IdempotencyKey } from './refresh/idempotency-key.decorator.js';
export { LoadUser } from './accounts/load-user.pipe.js';
export { type AccessTokenOptions, type LoginOptions, Logins } from './login/logins.js';
export { type ProofRule, ProofRules } from './login/proof-rules.js';
export { AuthOptions } from './options/auth-options.js';
export { TOKEN_LOCATIONS, type TokenLocation } from './request/presented-token.js';
export { type AuthModuleOptions, AuthOptionsError } from './options/resolve-options.js';
export { lowerCased, LowerCased } from './dto/lower-cased.decorator.js';
export { Public } from './guard/public.decorator.js';
export { SessionSignal } from './streams/session-signal.js';
export { Roles } from './roles/roles.decorator.js';
export { type Principal, type TokenClaims } from './request/principal.js';
export { AccessOrRefresh, Refresh } from './refresh/refresh.decorator.js';
export { type Authentication } from './guard/token-authenticator.js';
export { type IssuedPair } from './dto/token-pair.dto.js';
export { SessionsService } from './sessions/sessions.service.js';
export { Unvalidated } from './dto/unvalidated.js';
export { createValidationPipe } from './dto/validation.pipe.js';
export { NotCached } from './request/not-cached.decorator.js';
export { RequestCaller } from './request/caller.decorator.js';
export { type AuditEvent, AuditLog, type Caller } from '../audit/audit-log.js';
export { Clock } from '../time/clock.js';
export { type Acr, ACRS, type Proof } from '../tokens/proof.js';
export { type RequiredProof, TokenError, type TokenErrorCode } from '../tokens/token.errors.js';
export {
  type NewUser,
  type SeenUser,
  type User,
  type UserChange,
  type UserQuery,
  UserStore,
} from '../users/user-store.js';
