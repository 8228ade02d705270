import { HttpException } from '@nestjs/common';
import { types } from 'node:util';

/** The URL names no usable database. The message never contains the URL, which may hold a password. */
export class DatabaseUrlError extends Error {
  override readonly name = 'DatabaseUrlError';
}

/** Another process owns the file of the embedded database. */
export class DatabaseInUseError extends DatabaseUrlError {}

/**
 * The database did not answer, independent of the query: the client may try again. An `HttpException`, so that an
 * application's own filter answers it with 503; the message is for clients, `reason` for the log only.
 */
export class DatabaseUnavailableError extends HttpException {
  override readonly name = 'DatabaseUnavailableError';
  /** The driver's code. */
  readonly code: string;
  readonly reason: string;

  constructor(cause: Error) {
    const errorCode = 'database_unavailable';
    const message = 'The database cannot be reached; try again shortly';
    super({ statusCode: 503, error: 'Service Unavailable', message, errorCode }, 503, { errorCode, cause });
    this.code = codeOf(cause);
    this.reason = cause.message || this.code;
  }
}

/** What happened, for the log. */
export function reasonOf(error: unknown): string {
  if (error instanceof DatabaseUnavailableError) return error.reason;
  return isError(error) ? error.message || codeOf(error) : String(error);
}

export const EXPECTED_URL = 'expected file:PATH, :memory: or postgres://USER:PASSWORD@HOST:PORT/DATABASE';

// Recognises errors of both drivers by their codes.

/** Also accepts errors of another realm, such as Node's in a test runner, and libsql's, which are not native errors. */
export function isError(error: unknown): error is Error {
  return error instanceof Error || types.isNativeError(error);
}

/** The driver's code, or an empty text. */
export function codeOf(error: unknown): string {
  const code = isError(error) ? (error as Error & { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : '';
}

/** PostgreSQL: deadlock_detected, serialization_failure. SQLite has one connection and cannot have either. */
export function isDeadlock(error: unknown): boolean {
  return ['40P01', '40001'].includes(codeOf(error));
}

export function isForeignKeyViolation(error: unknown): boolean {
  return ['23503', 'SQLITE_CONSTRAINT_FOREIGNKEY'].includes(codeOf(error));
}

/** A row with the same unique value is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return ['23505', 'SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY'].includes(codeOf(error));
}

const SQLITE_UNAVAILABLE =
  /^SQLITE_(BUSY|FULL|IOERR|CANTOPEN|READONLY|LOCKED|NOMEM|CORRUPT|NOTADB|PROTOCOL|PERM)/;

/**
 * Converts an error of SQLite to DatabaseUnavailableError if the database cannot answer now; returns any other error
 * unchanged.
 */
export function fromSqlite(error: unknown): unknown {
  return isError(error) && SQLITE_UNAVAILABLE.test(codeOf(error))
    ? new DatabaseUnavailableError(error)
    : error;
}

/** The database cannot be used now, although its URL may be right. The message is one line and says what to do. */
export class DatabaseStartError extends Error {
  override readonly name = 'DatabaseStartError';
}

/**
 * Explains a start that failed because of the database: DatabaseUrlError if the server refuses the user or has no such
 * database, DatabaseStartError if it does not answer or the user lacks a right; any other error is returned unchanged.
 */
export function toStartError(error: unknown): unknown {
  if (!isError(error) || error instanceof DatabaseUrlError) return error;
  const code = codeOf(error);
  const message = reasonOf(error);
  if (/^(28|3D)/.test(code)) return new DatabaseUrlError(`the database cannot be used: ${message}`);
  if (code === '42501')
    return new DatabaseStartError(
      `the database user lacks a right: ${message}. As the owner of the database, run ` +
        'GRANT USAGE, CREATE ON SCHEMA ... TO ..., and let this user own the tables of freshgate',
    );
  if (error instanceof DatabaseUnavailableError)
    return new DatabaseStartError(`the database is not available: ${message}`);
  return error;
}
