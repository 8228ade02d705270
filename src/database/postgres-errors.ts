import { codeOf, isError } from './database-errors.js';

// What PostgreSQL and its driver report. An error of the server has a severity; the driver's own errors have none.

/** The driver waited for `query_timeout` in vain. It gives this error no code. */
const NO_ANSWER = 'Query read timeout';

/** SQLSTATE read_only_sql_transaction: a standby, or a server whose transactions are read-only by default. */
export const READ_ONLY = '25006';

/**
 * Classes of SQLSTATE that say "not now": connection exceptions, transactions that lost to another, insufficient resources,
 * operator intervention (shutdown, statement timeout), system errors.
 */
const NOT_NOW = /^(08|40|53|57|58)/;

/** Codes for it, beside a severity that comes in the server's language: 57P shutdowns, 25P03 and 25P04 time limits. */
const ENDING = new RegExp(`^(08|57P|25P03|25P04|${READ_ONLY})`);

function severityOf(error: unknown): string | undefined {
  return isError(error) && 'severity' in error && typeof error.severity === 'string'
    ? error.severity
    : undefined;
}

/** Whether the connection is of no more use: the server ended it, does not answer on it, or takes no writes. */
export function endsConnection(error: unknown): boolean {
  const severity = severityOf(error);
  if (severity === undefined) return isError(error) && error.message === NO_ANSWER;
  return severity === 'FATAL' || severity === 'PANIC' || ENDING.test(codeOf(error));
}

/** Whether the same statement may succeed later: the answer is 503 and not 500. */
export function isNotNow(error: unknown): boolean {
  return endsConnection(error) || (severityOf(error) !== undefined && NOT_NOW.test(codeOf(error)));
}
