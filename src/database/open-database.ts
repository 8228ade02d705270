import { DatabaseUrlError, EXPECTED_URL } from './database-errors.js';
import { type Database } from './database.js';
import { openPostgres } from './postgres.js';
import { openSqlite } from './sqlite.js';

/**
 * @param pool connections to PostgreSQL; default 10
 * @throws DatabaseUrlError
 */
export function openDatabase(url: string, pool?: number): Database {
  if (url === ':memory:' || url.startsWith('file:')) return openSqlite(url);
  if (/^postgres(ql)?:\/\//.test(url)) return openPostgres(url, pool);
  throw new DatabaseUrlError(EXPECTED_URL);
}
