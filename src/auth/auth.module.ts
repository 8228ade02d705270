import {
  ConfigurableModuleBuilder,
  type DynamicModule,
  Module,
  type NestModule,
  type Provider,
} from '@nestjs/common';
import { ApplicationConfig, DiscoveryModule } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { Database, DatabaseModule, MigrationSet, Purger } from '../database/index.js';
import { AuditLog } from '../audit/audit-log.js';
import { AuditOptions } from '../audit/audit-options.js';
import { AuditPurge } from '../audit/audit-purge.js';
import { auditMigrations } from '../audit/audit.table.js';
import { RevokedSessions } from '../sessions/revoked-sessions.js';
import { RevocationFeed } from '../sessions/revocation-feed.js';
import { SessionRevoker } from '../sessions/session-revoker.js';
import { SessionOptions } from '../sessions/session-options.js';
import { SessionPurge } from '../sessions/session-purge.js';
import { Sessions } from '../sessions/sessions.repository.js';
import { sessionsMigrations } from '../sessions/sessions.table.js';
import { UsedTokens } from '../sessions/used-tokens.js';
import { Clock, SystemClock } from '../time/clock.js';
import { KeyFileWatcher } from '../keys/key-file-watcher.js';
import { KeyRing } from '../keys/key-ring.js';
import { TokenIssuer } from '../tokens/token-issuer.js';
import { TokenOptions } from '../tokens/token-options.js';
import { TokenVerifier } from '../tokens/token-verifier.js';
import { VerifiedTokens } from '../tokens/verified-tokens.js';
import { HashingQueue } from '../passwords/hashing-queue.js';
import { HashParameters, PasswordHasher } from '../passwords/password-hasher.js';
import { PasswordPolicy } from '../passwords/password-policy.js';
import { UserStore } from '../users/user-store.js';
import { Users } from '../users/users.repository.js';
import { AccessGuard, AccessStrategy } from './access/access.guard.js';
import { AccountAdmin } from './accounts/account-admin.js';
import { AccountChanges } from './accounts/account-changes.js';
import { LastAdmin } from './accounts/last-admin.js';
import { AccountLoader, Accounts } from './accounts/accounts.js';
import { AdminController } from './sessions/admin.controller.js';
import { AuthController } from './login/auth.controller.js';
import { GUARD_EXPORTS, GUARD_PROVIDERS } from './guard/guard-providers.js';
import { LOGIN_PROVIDERS } from './login/login-providers.js';
import { LoginService } from './login/login.service.js';
import { FactorRegistry } from './accounts/factor-registry.js';
import { RegisterController } from './login/register.controller.js';
import { Registration } from './login/registration.js';
import { ProofRules } from './login/proof-rules.js';
import { parseLimit } from '../rate-limits/limit.js';
import { RateLimitOptions } from '../rate-limits/rate-limit-options.js';
import { CsrfCheck } from './cookies/csrf-check.js';
import { CsrfTokens } from './cookies/csrf-tokens.js';
import { TokenCookies } from './cookies/token-cookies.js';
import { ErrorFilter } from './error.filter.js';
import { OnceInterceptor } from './fresh-access/once.interceptor.js';
import { FreshAccessGuard, FreshAccessStrategy } from './fresh-access/fresh-access.guard.js';
import {
  ErrorRenderer,
  RevocationCheck,
  SubjectMapper,
  TokenRule,
  TokenExtras,
  UserLoader,
} from './hooks.js';
import { JwksController } from './jwks.controller.js';
import { RateLimits } from '../rate-limits/rate-limits.js';
import { DeviceReader } from './login/presented-devices.js';
import { RateLimitPurge } from '../rate-limits/rate-limit-purge.js';
import { rateLimitsMigrations } from '../rate-limits/rate-limits.table.js';
import { LoadUser } from './accounts/load-user.pipe.js';
import { Logins } from './login/logins.js';
import { AuthOptions } from './options/auth-options.js';
import { type AuthModuleOptions, resolveOptions } from './options/resolve-options.js';
import { SessionsController } from './sessions/sessions.controller.js';
import { SessionsService } from './sessions/sessions.service.js';
import { firstGuard, keepWellKnownAtRoot, lastFilter } from './application-config.js';
import { AuthPolicyGuard } from './auth-policy.guard.js';
import { HandlerCheck } from './handler-check.js';
import { RefreshGuard, RefreshStrategy } from './refresh/refresh.guard.js';
import { EventStreamInterceptor } from './streams/event-stream.interceptor.js';
import { Transports } from './transports/transports.js';

/** A team's own classes for the hooks (`hooks.ts`), and the modules that they need. */
export interface AuthModuleExtras {
  imports?: DynamicModule['imports'];
  providers?: Provider[];
  /** Whether this module serves `POST /auth/register`. False if another module does. Default true. */
  registers?: boolean;
}

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<AuthModuleOptions>()
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createAuthOptions')
  .setExtras<AuthModuleExtras>(
    { imports: [], providers: [], registers: true },
    (definition, { imports = [], providers = [], registers = true }) => ({
      ...definition,
      global: true,
      controllers: registers ? [RegisterController] : [],
      imports: [...new Set([...(definition.imports ?? []), ...imports])],
      // Listed after the defaults below, so that they replace those with the same DI token.
      providers: [...(definition.providers ?? []), ...providers],
    }),
  )
  .build();

/** Authentication and its global guard: once imported, every route requires what it declares, by default an access token. */
@Module({
  imports: [
    DiscoveryModule,
    // No secret here: keys are passed with every call.
    JwtModule.register({}),
    DatabaseModule.forFeature({ ...sessionsMigrations, ...auditMigrations, ...rateLimitsMigrations }),
  ],
  controllers: [AuthController, SessionsController, AdminController, JwksController],
  providers: [
    { provide: AuthOptions, inject: [MODULE_OPTIONS_TOKEN], useFactory: resolveOptions },
    // Filled in `onModuleInit`, where Nest reports a wrong file without a stack trace.
    { provide: KeyRing, useFactory: () => new KeyRing() },
    {
      provide: KeyFileWatcher,
      inject: [AuthOptions, KeyRing, Clock],
      useFactory: ({ keys }: AuthOptions, ring: KeyRing, clock: Clock) =>
        new KeyFileWatcher(keys, ring, clock),
    },
    { provide: TokenOptions, inject: [AuthOptions], useFactory: (options: AuthOptions) => options.tokens },
    {
      provide: SessionOptions,
      inject: [AuthOptions, Clock],
      useFactory: ({ sessions, tokens, limits }: AuthOptions, clock: Clock) => ({
        ...sessions,
        accessTtl: tokens.accessTtl,
        refreshLimit: parseLimit(limits.refresh),
        now: () => clock.now(),
      }),
    },
    { provide: Clock, useClass: SystemClock },
    TokenIssuer,
    TokenVerifier,
    VerifiedTokens,
    RevokedSessions,
    RevocationFeed,
    SessionRevoker,
    Sessions,
    Purger,
    SessionPurge,
    AuditLog,
    { provide: AuditOptions, inject: [AuthOptions], useFactory: ({ audit }: AuthOptions) => audit },
    AuditPurge,
    UsedTokens,
    // If a team provides another store, this factory does not run and the table is not created.
    {
      provide: UserStore,
      inject: [Database, MigrationSet],
      useFactory: (db: Database, migrations: MigrationSet) => Users.withTable(db, migrations),
    },
    { provide: HashingQueue, useFactory: () => new HashingQueue() },
    HashParameters,
    PasswordHasher,
    {
      provide: PasswordPolicy,
      inject: [AuthOptions],
      useFactory: ({ passwords, tokens }: AuthOptions) =>
        new PasswordPolicy(passwords.minLength, [tokens.issuer]),
    },
    { provide: RateLimitOptions, inject: [AuthOptions], useFactory: ({ limits }: AuthOptions) => limits },
    RateLimits,
    RateLimitPurge,
    ...LOGIN_PROVIDERS,
    SessionsService,
    Accounts,
    ...GUARD_PROVIDERS,
    EventStreamInterceptor,
    TokenCookies,
    CsrfTokens,
    CsrfCheck,
    TokenExtras,
    SubjectMapper,
    TokenRule,
    RevocationCheck,
    ErrorRenderer,
    { provide: UserLoader, useExisting: AccountLoader },
    AccountLoader,
    LoadUser,
    AccountAdmin,
    AccountChanges,
    LastAdmin,
    Transports,
    HandlerCheck,
    OnceInterceptor,
    AccessStrategy,
    AccessGuard,
    FreshAccessStrategy,
    FreshAccessGuard,
    RefreshStrategy,
    RefreshGuard,
    AuthPolicyGuard,
    ErrorFilter,
    firstGuard(AuthPolicyGuard),
    lastFilter(ErrorFilter),
  ],
  // For features, health and metrics. The last six are used by interceptors and pipes that decorators add to the features' modules.
  exports: [
    ...GUARD_EXPORTS,
    AccountAdmin,
    AccountChanges,
    Accounts,
    AuditLog,
    AuthPolicyGuard,
    Clock,
    ErrorFilter,
    RevokedSessions,
    HashingQueue,
    KeyRing,
    Logins,
    LoginService,
    ProofRules,
    FactorRegistry,
    PasswordHasher,
    RateLimits,
    Registration,
    RevocationFeed,
    SessionRevoker,
    UserStore,
    DeviceReader,
    SessionsService,
    AuthOptions,
    CsrfCheck,
    LoadUser,
    Purger,
    UsedTokens,
    TokenCookies,
    UserLoader,
  ],
})
export class AuthModule extends ConfigurableModuleClass implements NestModule {
  constructor(private readonly config: ApplicationConfig) {
    super();
  }

  /** Nest calls this once the application is set up, before it registers routes. */
  configure(): void {
    keepWellKnownAtRoot(this.config);
  }
}
