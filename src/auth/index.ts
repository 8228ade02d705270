/** All that features may import of the auth room. */
export { Access, OptionalAccess } from './access/access.decorator.js';
export { Accounts } from './accounts.js';
export { AuthModule } from './auth.module.js';
export { type AuthOptions } from './auth-options.js';
export { CurrentToken, CurrentUser } from './current-user.decorator.js';
export { AccountDto } from './dto/account.dto.js';
export { ApiError, type FieldError, validationFailed } from './errors/api-error.js';
export { FreshAccess, type FreshAccessOptions } from './fresh-access/fresh-access.decorator.js';
export { IdempotencyKey } from './idempotency-key.decorator.js';
export { describeProtection } from './policy/openapi-protection.js';
export { listRoutes, type Route } from './policy/routes.js';
export { LowerCased } from './lower-cased.decorator.js';
export { Public } from './policy/public.decorator.js';
export { type Principal, type TokenClaims } from './principal.js';
export { AccessOrRefresh, Refresh } from './refresh/refresh.decorator.js';
export { createValidationPipe } from './validation.pipe.js';
export { Clock } from '../tokens/clock.js';
