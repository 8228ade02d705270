import { Logger } from '@nestjs/common';
import { type Driver, PostgresDialect } from 'kysely';
import pg from 'pg';
import { DatabaseUrlError, EXPECTED_URL } from './database-errors.js';
import { Database } from './database.js';
import { ReportingDriver } from './reporting-driver.js';

const INT8 = pg.types.builtins.INT8;

class ServerDialect extends PostgresDialect {
  override createDriver(): Driver {
    return new ReportingDriver(super.createDriver());
  }
}

/** `bigint` columns hold milliseconds and counts, all within the integers that a number holds exactly. */
function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new RangeError(`the database returned ${text}, beyond a safe integer`);
  return value;
}

/**
 * Opens a bounded pool. Nothing is connected yet; an unreachable server shows at the first query.
 * @throws DatabaseUrlError when the URL cannot be read
 */
export function openPostgres(url: string): Database {
  if (!URL.canParse(url)) throw new DatabaseUrlError(EXPECTED_URL);
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: 10_000,
    idle_in_transaction_session_timeout: 10_000,
    application_name: 'freshgate',
    types: {
      getTypeParser: (oid, format) => (oid === INT8 ? parseInt8 : pg.types.getTypeParser(oid, format)),
    },
  });
  // Unheard, the loss of a connection would end the process: the pool hears idle ones only.
  const logger = new Logger('Database');
  const onLost = (error: Error) => logger.warn(`a connection was lost: ${error.message}`);
  pool.on('error', onLost);
  pool.on('connect', (client) => client.on('error', onLost));
  return new Database('postgres', new ServerDialect({ pool }), url);
}
