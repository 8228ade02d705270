import { type DynamicModule, Module } from '@nestjs/common';
import { AuthModule, type AuthOptions } from './auth/index.js';
import { AppConfig, ConfigError } from './config/app-config.js';
import { ConfigModule } from './config/config.module.js';
import { DatabaseModule, DatabaseUrlError, openDatabase } from './database/index.js';
import { FeaturesModule } from './features/features.module.js';
import { HealthModule } from './health/health.module.js';
import { openKeyFile } from './tokens/key-file.js';
import { KeyRingError } from './tokens/key-ring.js';

/** Puts the rooms together: here, and only here, the environment becomes their options. */
@Module({})
export class AppModule {
  /** @throws DatabaseUrlError, KeyRingError when what the configuration names cannot be opened */
  static forRoot(config: AppConfig): DynamicModule {
    const auth = authOptions(config);
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

function authOptions(config: AppConfig): AuthOptions {
  const create = config.NODE_ENV !== 'production';
  return {
    keys: openKeyFile(config.AUTH_KEYS_FILE, { create }),
    tokens: {
      issuer: config.AUTH_ISSUER,
      audience: config.AUTH_AUDIENCE,
      accessTtl: config.ACCESS_TOKEN_TTL,
    },
    sessions: {
      refreshTtl: config.REFRESH_TOKEN_TTL,
      sessionTtl: config.SESSION_TTL,
      refreshGrace: config.REFRESH_GRACE,
      revocationMaxStaleness: config.REVOCATION_MAX_STALENESS,
    },
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
