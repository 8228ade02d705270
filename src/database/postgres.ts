import { PostgresDialect } from 'kysely';
import { DatabaseUrlError, EXPECTED_URL } from './database-errors.js';
import { Database } from './database.js';
import { ServerPool } from './postgres-pool.js';

/** Milliseconds that a statement of a request may take. */
const STATEMENT_TIMEOUT_MS = 5_000;

/**
 * Opens a bounded pool. Nothing is connected yet; an unreachable server shows at the first query.
 * @param statementTimeout milliseconds; 0 for no limit, as migrations need
 * @throws DatabaseUrlError when the URL cannot be read
 */
export function openPostgres(url: string, statementTimeout = STATEMENT_TIMEOUT_MS): Database {
  if (!URL.canParse(url)) throw new DatabaseUrlError(EXPECTED_URL);
  const dialect = new PostgresDialect({
    // Three megabytes, loaded only where a PostgreSQL is used.
    pool: async () => new ServerPool((await import('pg')).default, url, statementTimeout),
  });
  return new Database('postgres', dialect, { url, openUnlimited: () => openPostgres(url, 0) });
}
