import { PostgresDialect } from 'kysely';
import { DatabaseUrlError, EXPECTED_URL } from './database-errors.js';
import { Database } from './database.js';
import { ServerPool } from './postgres-pool.js';

/** Maximum milliseconds for a statement of a request. */
const STATEMENT_TIMEOUT_MS = 5_000;

/**
 * Opens a bounded pool. It connects with the first query, so an unreachable server is noticed then.
 * @param statementTimeout milliseconds; 0 for no limit, as migrations need
 * @throws DatabaseUrlError if the URL is invalid
 */
export function openPostgres(url: string, statementTimeout = STATEMENT_TIMEOUT_MS): Database {
  if (!URL.canParse(url)) throw new DatabaseUrlError(EXPECTED_URL);
  const dialect = new PostgresDialect({
    // Three megabytes, loaded only if PostgreSQL is used.
    pool: async () => new ServerPool((await import('pg')).default, url, statementTimeout),
  });
  return new Database('postgres', dialect, { url, openUnlimited: () => openPostgres(url, 0) });
}
