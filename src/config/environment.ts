import { existsSync } from 'node:fs';
import { type Environment } from './config.js';

/** The environment of this process, and below it `.env` in the working directory. Nothing else reads `process.env`. */
export function readEnvironment(): Environment {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return { ...process.env };
}
