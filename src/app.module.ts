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
  /** @throws ConfigError when the database or the keys that the configuration names cannot be opened */
  static forRoot(config: AppConfig): DynamicModule {
    const auth = authOptions(config);
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(config),
        DatabaseModule.forRoot(naming('DATABASE_URL', () => openDatabase(config.DATABASE_URL))),
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
    keys: naming('AUTH_KEYS_FILE', () => openKeyFile(config.AUTH_KEYS_FILE, { create })),
    tokens: {
      issuer: config.AUTH_ISSUER,
      audience: config.AUTH_AUDIENCE,
      accessTtl: config.ACCESS_TOKEN_TTL,
    },
    sessions: {
      refreshTtl: config.REFRESH_TOKEN_TTL,
      sessionTtl: config.SESSION_TTL,
      refreshGrace: config.REFRESH_GRACE,
    },
    freshMaxAge: config.FRESH_MAX_AGE,
    registration: config.REGISTRATION,
  };
}

/** The rooms know no variables; what they report is told to the operator under the name that was set. */
function naming<T>(variable: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof DatabaseUrlError || error instanceof KeyRingError)) throw error;
    throw new ConfigError([{ variable, problem: error.message }]);
  }
}
