import { ConfigurableModuleBuilder, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { DatabaseModule } from '../database/index.js';
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
import { PasswordHasher } from '../users/password-hasher.js';
import { Users } from '../users/users.repository.js';
import { usersMigrations } from '../users/users.table.js';
import { AccessGuard } from './access/access.guard.js';
import { AccessStrategy } from './access/access.strategy.js';
import { Accounts } from './accounts.js';
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
    DatabaseModule.forFeature({ ...usersMigrations, ...sessionsMigrations, ...auditMigrations }),
  ],
  controllers: [AuthController, SessionsController, JwksController],
  providers: [
    { provide: AuthOptions, useExisting: MODULE_OPTIONS_TOKEN },
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
    EndedSessions,
    RevocationFeed,
    SessionEnds,
    Sessions,
    SessionPurge,
    AuditLog,
    SpentTokens,
    Users,
    PasswordHasher,
    LiveSessions,
    EndedSessionCheck,
    AuthService,
    SessionsService,
    Accounts,
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
  exports: [Accounts, Clock, SpentTokens, RevocationFeed],
})
export class AuthModule extends ConfigurableModuleClass {}
