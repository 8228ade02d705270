import { ConfigurableModuleBuilder, type DynamicModule, Module, type Provider } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { Database, DatabaseModule, MigrationSet } from '../database/index.js';
import { AuditLog } from '../audit/audit-log.js';
import { auditMigrations } from '../audit/audit.table.js';
import { EndedSessions } from '../sessions/ended-sessions.js';
import { RevocationFeed } from '../sessions/revocation-feed.js';
import { SessionEnds } from '../sessions/session-ends.js';
import { SessionOptions } from '../sessions/session-options.js';
import { SessionPurge } from '../sessions/session-purge.js';
import { Sessions } from '../sessions/sessions.repository.js';
import { sessionsMigrations } from '../sessions/sessions.table.js';
import { SpentTokens } from '../sessions/spent-tokens.js';
import { Clock, SystemClock } from '../tokens/clock.js';
import { KeyFileWatcher } from '../tokens/key-file-watcher.js';
import { KeyRing } from '../tokens/key-ring.js';
import { TokenIssuer } from '../tokens/token-issuer.js';
import { TokenOptions } from '../tokens/token-options.js';
import { TokenVerifier } from '../tokens/token-verifier.js';
import { VerifiedTokens } from '../tokens/verified-tokens.js';
import { HashingQueue } from '../users/hashing-queue.js';
import { PasswordHasher } from '../users/password-hasher.js';
import { PasswordPolicy } from '../users/password-policy.js';
import { UserStore } from '../users/user-store.js';
import { Users } from '../users/users.repository.js';
import { AccessGuard } from './access/access.guard.js';
import { AccessStrategy } from './access/access.strategy.js';
import { AccountAdmin } from './accounts/account-admin.js';
import { AccountLoader, Accounts } from './accounts/accounts.js';
import { AdminController } from './admin.controller.js';
import { AuthController } from './auth.controller.js';
import { Authenticator } from './checks/authenticator.js';
import { AuthService } from './auth.service.js';
import { CsrfCheck } from './cookies/csrf-check.js';
import { CsrfTokens } from './cookies/csrf-tokens.js';
import { TokenCookies } from './cookies/token-cookies.js';
import { ErrorFilter } from './errors/error.filter.js';
import { FreshAccessGuard } from './fresh-access/fresh-access.guard.js';
import { FreshAccessStrategy } from './fresh-access/fresh-access.strategy.js';
import { ErrorBody, RevocationCheck, Subjects, TokenCheck, TokenExtras, UserLoader } from './hooks.js';
import { JwksController } from './jwks.controller.js';
import { AbuseLimits } from './limits/abuse-limits.js';
import { Devices } from './limits/devices.js';
import { PasswordProofs } from './limits/password-proofs.js';
import { DeviceReader } from './limits/presented-devices.js';
import { RoomForHashing } from './limits/room-for-hashing.js';
import { RateLimitPurge } from './limits/rate-limit-purge.js';
import { rateLimitsMigrations } from './limits/rate-limits.table.js';
import { EndedSessionCheck } from './checks/ended-session-check.js';
import { LiveSessions } from './checks/live-sessions.js';
import { LoadUser } from './request/load-user.pipe.js';
import { TokenReader } from './locations/token-reader.js';
import { Logins } from './issuing/logins.js';
import { AuthOptions } from './options/auth-options.js';
import { type AuthModuleOptions, resolveOptions } from './options/resolve-options.js';
import { SessionsController } from './sessions.controller.js';
import { SessionsService } from './sessions.service.js';
import { AuthPolicyGuard } from './policy/auth-policy.guard.js';
import { Declarations } from './policy/declarations.js';
import { RolesCheck } from './policy/roles-check.js';
import { RefreshGuard } from './refresh/refresh.guard.js';
import { RefreshStrategy } from './refresh/refresh.strategy.js';
import { TokenChecks } from './checks/token-checks.js';
import { TokenPairs } from './issuing/token-pairs.js';
import { OpeningStatement } from './issuing/opening-statement.js';
import { RotationStatement } from './refresh/rotation-statement.js';
import { Tokens } from './checks/tokens.js';

/** A team's own classes for the hooks (`hooks.ts`), and the modules that they need. */
export interface AuthModuleExtras {
  imports?: DynamicModule['imports'];
  providers?: Provider[];
}

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<AuthModuleOptions>()
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createAuthOptions')
  .setExtras<AuthModuleExtras>(
    { imports: [], providers: [] },
    (definition, { imports = [], providers = [] }) => ({
      ...definition,
      global: true,
      imports: [...new Set([...(definition.imports ?? []), ...imports])],
      // After the defaults of the same tokens below, which they replace.
      providers: [...(definition.providers ?? []), ...providers],
    }),
  )
  .build();

/** Everything about authentication, and the global guard: once imported, every route needs what it declares. */
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
    // Filled at `onModuleInit`, where a wrong file is reported as it is, and Nest logs no stack trace.
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
      useFactory: ({ sessions, tokens }: AuthOptions, clock: Clock) => ({
        ...sessions,
        accessTtl: tokens.accessTtl,
        now: () => clock.now(),
      }),
    },
    { provide: Clock, useClass: SystemClock },
    TokenIssuer,
    TokenVerifier,
    VerifiedTokens,
    EndedSessions,
    RevocationFeed,
    SessionEnds,
    Sessions,
    SessionPurge,
    AuditLog,
    SpentTokens,
    // Another store takes its place by a provider of its own; then this factory, and so the table, is not made.
    {
      provide: UserStore,
      inject: [Database, MigrationSet],
      useFactory: (db: Database, migrations: MigrationSet) => Users.withTable(db, migrations),
    },
    { provide: HashingQueue, useFactory: () => new HashingQueue() },
    PasswordHasher,
    {
      provide: PasswordPolicy,
      inject: [AuthOptions],
      useFactory: ({ passwords, tokens }: AuthOptions) =>
        new PasswordPolicy(passwords.minLength, [tokens.issuer]),
    },
    AbuseLimits,
    RateLimitPurge,
    Devices,
    DeviceReader,
    PasswordProofs,
    RoomForHashing,
    LiveSessions,
    EndedSessionCheck,
    AuthService,
    SessionsService,
    Accounts,
    Logins,
    TokenPairs,
    OpeningStatement,
    RotationStatement,
    Tokens,
    Authenticator,
    TokenChecks,
    TokenReader,
    TokenCookies,
    CsrfTokens,
    CsrfCheck,
    TokenExtras,
    Subjects,
    TokenCheck,
    RevocationCheck,
    ErrorBody,
    { provide: UserLoader, useExisting: AccountLoader },
    AccountLoader,
    LoadUser,
    AccountAdmin,
    Declarations,
    RolesCheck,
    AccessStrategy,
    AccessGuard,
    FreshAccessStrategy,
    FreshAccessGuard,
    RefreshStrategy,
    RefreshGuard,
    { provide: APP_GUARD, useClass: AuthPolicyGuard },
    { provide: APP_FILTER, useClass: ErrorFilter },
  ],
  // For features, health and metrics. The last six because decorators bring interceptors and pipes that run in the features' modules.
  exports: [
    AccountAdmin,
    Accounts,
    AuditLog,
    Authenticator,
    Clock,
    EndedSessions,
    HashingQueue,
    Logins,
    RevocationFeed,
    SessionsService,
    Tokens,
    AuthOptions,
    CsrfCheck,
    LoadUser,
    SpentTokens,
    TokenCookies,
    UserLoader,
  ],
})
export class AuthModule extends ConfigurableModuleClass {}
