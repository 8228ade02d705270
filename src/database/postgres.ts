import { PostgresDialect } from 'kysely';
import { DatabaseUrlError, EXPECTED_URL } from './database-errors.js';
import { DatabaseStatistics } from './database-statistics.js';
import { Database } from './database.js';
import { type PoolOptions, ServerPool } from './postgres-pool.js';

/** Milliseconds that a statement of a request may take. */
const STATEMENT_TIMEOUT_MS = 5_000;
const DEFAULT_POOL = 10;

/**
 * Opens a bounded pool. Nothing is connected yet; an unreachable server shows at the first query.
 * @throws DatabaseUrlError when the URL cannot be read
 */
export function openPostgres(url: string, pool = DEFAULT_POOL): Database {
  return open(url, { max: pool, statementTimeout: STATEMENT_TIMEOUT_MS });
}

function open(url: string, options: PoolOptions): Database {
  if (!URL.canParse(url)) throw new DatabaseUrlError(EXPECTED_URL);
  const statistics = new DatabaseStatistics();
  const dialect = new PostgresDialect({
    // `pg` is 3 MB, so it is loaded only for PostgreSQL.
    pool: async () => new ServerPool((await import('pg')).default, url, options, statistics),
  });
  // Without limits, as migrations need it.
  const openUnlimited = () => open(url, { ...options, statementTimeout: 0 });
  return new Database('postgres', dialect, { url, openUnlimited }, statistics);
}
