import { Logger } from '@nestjs/common';
import { type Driver, PostgresDialect } from 'kysely';
import { type Socket } from 'node:net';
import type pg from 'pg';
import { columnTypes } from './column-types.js';
import { DatabaseUrlError, EXPECTED_URL } from './database-errors.js';
import { Database } from './database.js';
import { ReportingDriver } from './reporting-driver.js';

class ServerDialect extends PostgresDialect {
  override createDriver(): Driver {
    return new ReportingDriver(super.createDriver());
  }
}

/**
 * Milliseconds that a statement may take: by the server's watch, and a little later by ours, which alone notices
 * that nobody is there any more.
 */
const LIMITS = { statement_timeout: 5_000, query_timeout: 6_000 };

/**
 * Opens a bounded pool. Nothing is connected yet; an unreachable server shows at the first query.
 * @param limits how long statements may take; migrations have none
 * @throws DatabaseUrlError when the URL cannot be read
 */
export function openPostgres(url: string, limits: Partial<typeof LIMITS> = LIMITS): Database {
  if (!URL.canParse(url)) throw new DatabaseUrlError(EXPECTED_URL);
  return new Database('postgres', new ServerDialect({ pool: () => openPool(url, limits) }), {
    url,
    openUnlimited: () => openPostgres(url, {}),
  });
}

/** The driver is loaded here, by who has a PostgreSQL: it is three megabytes that an embedded database has no use for. */
async function openPool(url: string, limits: Partial<typeof LIMITS>): Promise<pg.Pool> {
  const { default: driver } = await import('pg');
  const pool = new driver.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    ...limits,
    idle_in_transaction_session_timeout: 10_000,
    application_name: 'freshgate',
    types: columnTypes(driver),
  });
  const logger = new Logger('Database');
  const onLost = (error: Error) => logger.warn(`a connection was lost: ${error.message}`);
  // Unheard, the loss of a connection would end the process: the pool hears idle ones only.
  pool.on('error', onLost);
  const idle = new Set<pg.PoolClient>();
  pool.on('acquire', (client) => idle.delete(client));
  pool.on('release', (_, client) => idle.add(client));
  pool.on('remove', (client) => idle.delete(client));
  pool.on('connect', (client) => {
    client.on('error', onLost);
    onSilence(client, () => [client, ...idle].forEach(hangUp));
  });
  return pool;
}

/**
 * A connection on which an answer did not come in time never gives one: back in the pool, it would hang the next
 * request too, and so would the idle ones, which nobody has tried since.
 */
function onSilence(client: pg.PoolClient, react: () => void): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  const watched = (...args: unknown[]): unknown => {
    const result = query(...args);
    if (result instanceof Promise) {
      result.catch((error: Error) => {
        if (error.message === 'Query read timeout') react();
      });
    }
    return result;
  };
  client.query = watched as typeof client.query;
}

/** Without a goodbye, which would wait for an answer. */
function hangUp(client: pg.PoolClient): void {
  (client as pg.PoolClient & { connection: { stream: Socket } }).connection.stream.destroy();
}
