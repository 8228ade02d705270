import { AccountsOptions } from './accounts/accounts-options.js';
import { type AuthModuleOptions, AuthOptions } from './auth/index.js';
import { findContradictions } from './auth/internals.js';
import { type AppConfig, ConfigError, type Environment, readConfig } from './config/config.js';
import { readEnvironment } from './config/environment.js';
import { type OptionsClass, type Variable, variablesOf } from './config/from-env.js';
import { ServerOptions } from './config/server-options.js';
import { FEATURE_OPTIONS } from './features/features.options.js';
import { MailOptions } from './mail/mail-options.js';
import { PagesOptions } from './pages/pages-options.js';

/** Every class of options that the environment sets. */
export const OPTIONS: readonly OptionsClass[] = [
  ServerOptions,
  AuthOptions,
  AccountsOptions,
  MailOptions,
  PagesOptions,
  ...FEATURE_OPTIONS,
];

/** Every variable, in the order of the documentation. */
export const VARIABLES: readonly Variable[] = OPTIONS.flatMap((type) => variablesOf(type));

/**
 * Reads and checks the environment.
 * @throws ConfigError that names every variable that is wrong or contradicts another
 */
export function loadConfig(env: Environment): AppConfig {
  const config = readConfig(env, OPTIONS);
  const problems = findContradictions(config.get(AuthOptions), authOptionsGiven(config), variableOf);
  const { smtpUrl, from } = config.get(MailOptions);
  if (smtpUrl !== undefined && from === undefined)
    problems.push({ option: 'MAIL_FROM', problem: 'must be set with SMTP_URL: the sender of every mail' });
  if (problems.length > 0)
    throw new ConfigError(problems.map(({ option, problem }) => ({ variable: option, problem })));
  return config;
}

/** The configuration of this process. @throws ConfigError */
export function configFromEnvironment(): AppConfig {
  return loadConfig(readEnvironment());
}

/** The options of `AuthModule` that the environment sets, and no defaults. */
export function authOptionsGiven(config: AppConfig): Omit<AuthModuleOptions, 'keys'> {
  return config.given(AuthOptions);
}

function variableOf(option: string): string {
  return VARIABLES.find((variable) => variable.option === option)?.name ?? option;
}
