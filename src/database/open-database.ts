import { DatabaseUrlError, EXPECTED_URL } from './database-errors.js';
import { type Database } from './database.js';
import { openPostgres } from './postgres.js';
import { openSqlite } from './sqlite.js';

/** @throws DatabaseUrlError */
export function openDatabase(url: string): Database {
  if (url === ':memory:' || url.startsWith('file:')) return openSqlite(url);
  if (/^postgres(ql)?:\/\//.test(url)) return openPostgres(url);
  throw new DatabaseUrlError(EXPECTED_URL);
}
