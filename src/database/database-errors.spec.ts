import { describe, expect, it } from '@jest/globals';
import {
  DatabaseUnavailableError,
  fromSqlite,
  isDeadlock,
  isForeignKeyViolation,
} from './database-errors.js';
import { endsConnection, isNotNow } from './postgres-errors.js';

const withCode = (code: unknown, message = 'x') => Object.assign(new Error(message), { code });
/** As `pg` reports what the server says. */
const fromServer = (code: string, severity = 'ERROR') => Object.assign(withCode(code), { severity });
const list = (...lines: string[]) => lines.flatMap((codes) => codes.split(' '));

const DEADLOCK = ['40P01', '40001'];
const FOREIGN_KEY = ['23503', 'SQLITE_CONSTRAINT_FOREIGNKEY'];
const NO_CONNECTION = list('08000 08003 08006 08P01 57P01 57P02 57P03 57P05 25006 25P03 25P04');
const BUSY = list(
  '40000 40003 53000 53100 53200 53300 55006 55P03 57000 57014 58000 58030 42501 XX000 XX001',
);
const MISTAKE = list('23505 22P02 54000 42601 42P01 23502 23514 25P02 EACCES ENOENT ABORT_ERR');
const SQLITE = list(
  'SQLITE_BUSY SQLITE_BUSY_SNAPSHOT SQLITE_FULL SQLITE_IOERR SQLITE_IOERR_FSYNC SQLITE_CANTOPEN SQLITE_READONLY',
  'SQLITE_READONLY_DBMOVED SQLITE_LOCKED SQLITE_NOMEM SQLITE_CORRUPT SQLITE_NOTADB SQLITE_PROTOCOL SQLITE_PERM',
);
const SQLITE_MISTAKE = list(
  'SQLITE_ERROR SQLITE_CONSTRAINT_UNIQUE SQLITE_CONSTRAINT_NOTNULL SQLITE_MISMATCH NOT_SQLITE_BUSY',
);
const ALL = [
  ...DEADLOCK,
  ...FOREIGN_KEY,
  ...NO_CONNECTION,
  ...BUSY,
  ...MISTAKE,
  ...SQLITE,
  ...SQLITE_MISTAKE,
];

describe.each([
  ['isDeadlock', isDeadlock, DEADLOCK],
  ['isForeignKeyViolation', isForeignKeyViolation, FOREIGN_KEY],
  ['fromSqlite', (error: unknown) => fromSqlite(error) instanceof DatabaseUnavailableError, SQLITE],
])('%s', (_, is, codes) => {
  it(`knows its codes, and no others`, () => {
    expect(ALL.filter((code) => is(withCode(code)))).toEqual(codes);
  });

  it.each([
    ['an error without a code', new Error('x')],
    ['an error whose code is a number', withCode(Number(codes[0]))],
    ['an object that poses as an error', { code: codes[0] }],
    ['the code alone', codes[0]],
    ['nothing', undefined],
    ['null', null],
  ])('is false for %s', (_name, error) => {
    expect(is(error)).toBe(false);
  });
});

describe('what PostgreSQL reports', () => {
  it('ends a connection by its class, or by its severity whatever the class', () => {
    expect(ALL.filter((code) => endsConnection(fromServer(code)))).toEqual(NO_CONNECTION);
    expect(ALL.filter((code) => endsConnection(fromServer(code, 'FATAL')))).toEqual(ALL);
  });

  it('means "not now" by its class', () => {
    const expected = [...DEADLOCK, ...NO_CONNECTION, ...BUSY];
    expect(ALL.filter((code) => isNotNow(fromServer(code)))).toEqual(expected);
  });

  it('of the driver itself ends a connection only if there was no answer', () => {
    expect(endsConnection(new Error('Query read timeout'))).toBe(true);
    // The driver reports other ends of a connection as events.
    expect(ALL.filter((code) => isNotNow(withCode(code)))).toEqual([]);
  });

  it.each([undefined, null, '25006', { code: '25006', severity: 'FATAL' }])(
    'is an error, and not %j',
    (what) => {
      expect([endsConnection(what), isNotNow(what)]).toEqual([false, false]);
    },
  );
});
