import { ConfigurableModuleBuilder, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { DatabaseModule } from '../database/index.js';
import { SessionOptions } from '../sessions/session-options.js';
import { Sessions } from '../sessions/sessions.repository.js';
import { sessionsMigrations } from '../sessions/sessions.table.js';
import { SpentTokens } from '../sessions/spent-tokens.js';
import { Clock, SystemClock } from '../tokens/clock.js';
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
import { LiveSessions } from './live-sessions.js';
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
    DatabaseModule.forFeature({ ...usersMigrations, ...sessionsMigrations }),
  ],
  controllers: [AuthController, JwksController],
  providers: [
    { provide: AuthOptions, useExisting: MODULE_OPTIONS_TOKEN },
    { provide: KeyRing, inject: [AuthOptions], useFactory: (options: AuthOptions) => options.keys },
    { provide: TokenOptions, inject: [AuthOptions], useFactory: (options: AuthOptions) => options.tokens },
    {
      provide: SessionOptions,
      inject: [AuthOptions],
      useFactory: ({ sessions, tokens }: AuthOptions) => ({ ...sessions, accessTtl: tokens.accessTtl }),
    },
    { provide: Clock, useClass: SystemClock },
    TokenIssuer,
    TokenVerifier,
    Sessions,
    SpentTokens,
    Users,
    PasswordHasher,
    LiveSessions,
    AuthService,
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
  exports: [Accounts, Clock, SpentTokens],
})
export class AuthModule extends ConfigurableModuleClass {}
