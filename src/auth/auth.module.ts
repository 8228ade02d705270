import { ConfigurableModuleBuilder, Module } from '@nestjs/common';
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
import { KeyRing } from '../tokens/key-ring.js';
import { TokenIssuer } from '../tokens/token-issuer.js';
import { TokenOptions } from '../tokens/token-options.js';
import { TokenVerifier } from '../tokens/token-verifier.js';
import { PasswordHasher } from '../users/password-hasher.js';
import { UserStore } from '../users/user-store.js';
import { Users } from '../users/users.repository.js';
import { AccessGuard } from './access/access.guard.js';
import { AccessStrategy } from './access/access.strategy.js';
import { AccountAdmin } from './account-admin.js';
import { Accounts } from './accounts.js';
import { AdminController } from './admin.controller.js';
import { AuthOptions } from './auth-options.js';
import { AuthController } from './auth.controller.js';
import { AuthService } from './auth.service.js';
import { ErrorFilter } from './errors/error.filter.js';
import { FreshAccessGuard } from './fresh-access/fresh-access.guard.js';
import { FreshAccessStrategy } from './fresh-access/fresh-access.strategy.js';
import { JwksController } from './jwks.controller.js';
import { EndedSessionCheck } from './ended-session-check.js';
import { LiveSessions } from './live-sessions.js';
import { SessionsController } from './sessions.controller.js';
import { SessionsService } from './sessions.service.js';
import { AuthPolicyGuard } from './policy/auth-policy.guard.js';
import { RolesCheck } from './policy/roles-check.js';
import { RefreshGuard } from './refresh/refresh.guard.js';
import { RefreshStrategy } from './refresh/refresh.strategy.js';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<AuthOptions>()
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createAuthOptions')
  .setExtras({}, (definition) => ({ ...definition, global: true }))
  .build();

/** Everything about authentication, and the global guard: once imported, every route needs what it declares. */
@Module({
  imports: [
    DiscoveryModule,
    // No secret here: keys are passed with every call.
    JwtModule.register({}),
    DatabaseModule.forFeature({ ...sessionsMigrations, ...auditMigrations }),
  ],
  controllers: [AuthController, SessionsController, AdminController, JwksController],
  providers: [
    { provide: AuthOptions, useExisting: MODULE_OPTIONS_TOKEN },
    { provide: KeyRing, inject: [AuthOptions], useFactory: (options: AuthOptions) => options.keys },
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
    PasswordHasher,
    LiveSessions,
    EndedSessionCheck,
    AuthService,
    SessionsService,
    Accounts,
    AccountAdmin,
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
  // For features; `SpentTokens` because `@FreshAccess({ once: true })` runs in their modules.
  exports: [Accounts, AccountAdmin, Clock, SpentTokens, RevocationFeed],
})
export class AuthModule extends ConfigurableModuleClass {}
