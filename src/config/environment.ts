import { existsSync } from 'node:fs';
import { type AppConfig, loadConfig } from './app-config.js';

/**
 * The configuration of this process: the environment, and below it `.env` in the working directory.
 * @throws ConfigError
 */
export function configFromEnvironment(): AppConfig {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return loadConfig(process.env);
}
