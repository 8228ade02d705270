import { codeOf, isError } from './database-errors.js';

// Errors of PostgreSQL and its driver. An error of the server has a severity; the driver's own errors have none.

/** `query_timeout` has passed. The driver gives this error no code. */
const NO_ANSWER = 'Query read timeout';

/** SQLSTATE read_only_sql_transaction: a standby, or a server whose transactions are read-only by default. */
export const READ_ONLY = '25006';

/**
 * Classes of SQLSTATE after which the client may try again: connection exceptions, transaction rollback, insufficient
 * resources, objects in use (lock timeout), operator intervention (shutdown, statement timeout), system errors, corrupt
 * data; and a revoked privilege, which only an operator can restore.
 */
const NOT_NOW = /^(08|40|53|55|57|58|XX|42501)/;

/**
 * Codes of closed connections: 57P shutdowns, 25P03 and 25P04 time limits. Needed because the severity is in the
 * language of the server.
 */
const ENDING = new RegExp(`^(08|57P|25P03|25P04|${READ_ONLY})`);

function severityOf(error: unknown): string | undefined {
  return isError(error) && 'severity' in error && typeof error.severity === 'string'
    ? error.severity
    : undefined;
}

/** Whether the connection is unusable: the server closed it, does not answer on it, or is read-only. */
export function endsConnection(error: unknown): boolean {
  const severity = severityOf(error);
  if (severity === undefined) return isError(error) && error.message === NO_ANSWER;
  return severity === 'FATAL' || severity === 'PANIC' || ENDING.test(codeOf(error));
}

/** Whether the same statement may succeed later: 503, not 500. */
export function isNotNow(error: unknown): boolean {
  return endsConnection(error) || (severityOf(error) !== undefined && NOT_NOW.test(codeOf(error)));
}
