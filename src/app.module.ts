import { type DynamicModule, Module } from '@nestjs/common';
import { AdministrationModule } from './administration/index.js';
import {
  AccountsModule,
  AccountsOptions,
  type AccountsSettings,
  AccountsSettingsError,
} from './accounts/index.js';
import { AuthModule, type AuthModuleExtras, type AuthModuleOptions, AuthOptions } from './auth/index.js';
import { authOptionsGiven } from './app.config.js';
import { type AppConfig, ConfigError } from './config/config.js';
import { ConfigModule } from './config/config.module.js';
import { ServerOptions } from './config/server-options.js';
import {
  DatabaseModule,
  DatabaseStartError,
  DatabaseUrlError,
  openDatabase,
  toStartError,
} from './database/index.js';
import { FactorsModule } from './factors/index.js';
import { FeaturesModule } from './features/features.module.js';
import { FEATURE_OPTIONS } from './features/features.options.js';
import { HealthModule } from './health/health.module.js';
import { MailModule, MailOptions } from './mail/index.js';
import { PagesModule, PagesOptions, type PagesSettings } from './pages/index.js';
import { MetricsAddressError } from './metrics/metrics-address-error.js';
import { exposedMode } from './keys/key-file.js';
import { PasskeysModule, type PasskeysSettings, PasskeysSettingsError } from './passkeys/index.js';
import { KeyRingError } from './keys/key-ring.js';

@Module({})
export class AppModule {
  /** @throws DatabaseUrlError if the configured database cannot be opened */
  static forRoot(
    config: AppConfig,
    auth: AuthModuleOptions & AuthModuleExtras = authOptions(config),
  ): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(config, [ServerOptions, ...FEATURE_OPTIONS]),
        DatabaseModule.forRoot(openDatabase(config.server.databaseUrl, config.server.databasePool)),
        // `AccountsModule` registers accounts.
        AuthModule.forRoot({ ...auth, registers: false }),
        MailModule.forRoot({ ...config.get(MailOptions), production: config.server.isProduction }),
        AdministrationModule,
        AccountsModule.forRoot(accountsSettings(config)),
        FactorsModule,
        PasskeysModule.forRoot(passkeysSettings(config)),
        FeaturesModule,
        HealthModule,
        PagesModule.forRoot(pagesSettings(config)),
      ],
    };
  }
}

/** The options of authentication that the environment sets. Add hooks, and options without a variable, here. */
export function authOptions(config: AppConfig): AuthModuleOptions {
  const { keysFile, corsOrigins, isProduction } = config.server;
  return {
    ...authOptionsGiven(config),
    keys: { file: keysFile, create: !isProduction },
    cookies: { secure: isProduction },
    csrf: { trustedOrigins: corsOrigins },
  };
}

function accountsSettings(config: AppConfig): AccountsSettings {
  return { ...config.get(AccountsOptions), appUrl: appUrlOf(config) };
}

function passkeysSettings(config: AppConfig): PasskeysSettings {
  return { appUrl: appUrlOf(config), origins: config.server.corsOrigins };
}

function appUrlOf({ server: { appUrl, isProduction, port } }: AppConfig): string | undefined {
  return appUrl ?? (isProduction ? undefined : `http://localhost:${port}`);
}

/** Whether there are pages at `/`. */
export function servesPages(config: AppConfig): boolean {
  const { order } = config.get(AuthOptions).locations;
  const isPossible = order.includes('header') || order.includes('cookie');
  return config.get(PagesOptions).pages === 'on' && isPossible;
}

function pagesSettings(config: AppConfig): PagesSettings {
  return { on: servesPages(config), loginName: config.get(AccountsOptions).loginName };
}

/** Names the variable in a module's error: modules do not know the variables. */
function toConfigError(error: unknown): unknown {
  if (error instanceof DatabaseUrlError)
    return new ConfigError([{ variable: 'DATABASE_URL', problem: error.message }]);
  if (error instanceof KeyRingError)
    return new ConfigError([{ variable: 'AUTH_KEYS_FILE', problem: error.message }]);
  if (error instanceof AccountsSettingsError) {
    const variable = error.setting === 'appUrl' ? 'APP_URL' : 'SMTP_URL';
    return new ConfigError([{ variable, problem: error.message }]);
  }
  if (error instanceof PasskeysSettingsError)
    return new ConfigError([{ variable: 'APP_URL', problem: error.message }]);
  if (error instanceof MetricsAddressError) {
    const variable = error.setting === 'port' ? 'METRICS_PORT' : 'METRICS_HOST';
    return new ConfigError([{ variable, problem: error.message }]);
  }
  return error;
}

/** Lists warnings that do not stop the start: misspelt variables, private keys that other users can read. */
export function startWarnings({ server, warnings }: AppConfig): string[] {
  const mode = server.isProduction ? exposedMode(server.keysFile) : undefined;
  return mode === undefined
    ? [...warnings]
    : [
        ...warnings,
        `AUTH_KEYS_FILE: others can read ${server.keysFile} (mode ${mode}); restrict it with chmod 600`,
      ];
}

/** For stderr: one line for each wrong variable or for the database; a stack trace only for other errors. */
export function explainFailedStart(thrown: unknown): string {
  const error = toConfigError(toStartError(thrown));
  if (error instanceof ConfigError)
    return `Invalid configuration; freshgate did not start:\n${error.message.replace(/^/gm, '  ')}\n`;
  if (error instanceof DatabaseStartError) return `freshgate did not start: ${error.message}\n`;
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `freshgate did not start: ${trace}\n`;
}
