import { DatabaseUrlError } from './database-errors.js';
import { type Database } from './database.js';
import { openPostgres } from './postgres.js';
import { openSqlite } from './sqlite.js';

/** @throws DatabaseUrlError */
export function openDatabase(url: string): Database {
  if (url === ':memory:' || url.startsWith('file:')) return openSqlite(url);
  if (/^postgres(ql)?:\/\//.test(url)) return openPostgres(url);
  throw new DatabaseUrlError('expected file:PATH, :memory: or postgres://USER:PASSWORD@HOST:PORT/DATABASE');
}
