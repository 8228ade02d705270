/** Filled databases for the measured servers. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folder, Process } from './processes.mjs';

/**
 * @typedef {object} Stock
 * @property {number} live sessions
 * @property {number} ended sessions, whose access tokens would still be alive
 * @property {number} access tokens, of as many live sessions where there are that many
 * @property {number} unseen more of them, each to be used once
 * @property {number} refresh tokens, of as many live sessions, all over the table
 */

/**
 * @typedef {object} Stocked
 * @property {string} folder
 * @property {Record<string, string>} env of a server with this database
 * @property {{ access: string, unseen: string, refresh: string }} tokens files
 */

/**
 * @param {Partial<Stock>} stock
 * @param {string} [url] of an empty PostgreSQL database; without it, SQLite
 * @returns {Promise<Stocked>}
 */
export async function fill(stock, url) {
  const path = folder();
  const env = {
    DATABASE_URL: url ?? `file:${join(path, 'freshgate.db')}`,
    AUTH_KEYS_FILE: join(path, 'keys.json'),
    // Nothing expires during the measurement.
    ACCESS_TOKEN_TTL: '1d',
    // Required in production.
    APP_URL: 'https://app.example',
    LOG_LEVEL: 'warn',
    PORT: '0',
  };
  const whole = { folder: path, live: 1_000, ended: 0, access: 0, unseen: 0, refresh: 0, ...stock };
  const seed = new Process(fileURLToPath(new URL('seed.mjs', import.meta.url)), {
    // Otherwise the first start makes the keys.
    env: { ...env, NODE_ENV: 'development' },
    arguments: [JSON.stringify(whole)],
  });
  await seed.hear();
  await seed.ended;
  const file = (/** @type {string} */ name) => join(path, `${name}.json`);
  return {
    folder: path,
    env,
    tokens: { access: file('access'), unseen: file('unseen'), refresh: file('refresh') },
  };
}

/** The environment of another server with the same contents and keys: an SQLite file has one owner. @param {Stocked} stocked */
export function copied({ folder: from, env }) {
  const path = join(folder(), 'freshgate.db');
  copyFileSync(join(from, 'freshgate.db'), path);
  return { ...env, DATABASE_URL: `file:${path}` };
}
