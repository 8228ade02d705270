import { type DynamicModule, Module } from '@nestjs/common';
import { AuthModule, type AuthModuleExtras, type AuthModuleOptions } from './auth/index.js';
import { AppConfig, ConfigError } from './config/app-config.js';
import { ConfigModule } from './config/config.module.js';
import { DatabaseModule, DatabaseUrlError, openDatabase } from './database/index.js';
import { FeaturesModule } from './features/features.module.js';
import { HealthModule } from './health/health.module.js';
import { MetricsAddressError } from './metrics/metrics-address-error.js';
import { KeyRingError } from './keys/key-ring.js';

/** Puts the rooms together: here, and only here, the environment becomes their options. */
@Module({})
export class AppModule {
  /** @throws DatabaseUrlError when what the configuration names cannot be opened */
  static forRoot(
    config: AppConfig,
    auth: AuthModuleOptions & AuthModuleExtras = authOptions(config),
  ): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(config),
        DatabaseModule.forRoot(openDatabase(config.DATABASE_URL)),
        AuthModule.forRoot(auth),
        FeaturesModule,
        HealthModule,
      ],
    };
  }
}

/** What the environment says of authentication; a team adds what has no variable, and its hooks, here. */
export function authOptions(config: AppConfig): AuthModuleOptions {
  return {
    keys: { file: config.AUTH_KEYS_FILE, create: config.NODE_ENV !== 'production' },
    tokens: {
      issuer: config.AUTH_ISSUER,
      audience: config.AUTH_AUDIENCE,
      accessTtl: Math.min(config.ACCESS_TOKEN_TTL, config.SESSION_TTL),
    },
    sessions: {
      // A default that is longer than the session ends with it; what somebody wrote has been checked.
      refreshTtl: Math.min(config.REFRESH_TOKEN_TTL, config.SESSION_TTL),
      sessionTtl: config.SESSION_TTL,
      refreshGrace: config.REFRESH_GRACE,
      revocationMaxStaleness: config.REVOCATION_MAX_STALENESS,
    },
    locations: { order: config.TOKEN_LOCATIONS },
    cookies: { secure: config.NODE_ENV === 'production' },
    csrf: { trustedOrigins: config.CORS_ORIGINS },
    passwords: { minLength: config.PASSWORD_MIN_LENGTH },
    freshMaxAge: config.FRESH_MAX_AGE,
    registration: config.REGISTRATION,
  };
}

/** The rooms know no variables; what they report is told to the operator under the name that was set. */
function toConfigError(error: unknown): unknown {
  if (error instanceof DatabaseUrlError)
    return new ConfigError([{ variable: 'DATABASE_URL', problem: error.message }]);
  if (error instanceof KeyRingError)
    return new ConfigError([{ variable: 'AUTH_KEYS_FILE', problem: error.message }]);
  if (error instanceof MetricsAddressError) {
    const variable = error.setting === 'port' ? 'METRICS_PORT' : 'METRICS_HOST';
    return new ConfigError([{ variable, problem: error.message }]);
  }
  return error;
}

/** For stderr: one line for each setting that is wrong; a stack trace only where no setting is to blame. */
export function explainFailedStart(thrown: unknown): string {
  const error = toConfigError(thrown);
  if (error instanceof ConfigError)
    return `The configuration is wrong, freshgate does not start:\n${error.message.replace(/^/gm, '  ')}\n`;
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `freshgate does not start: ${trace}\n`;
}
