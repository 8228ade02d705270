import { describe, expect, it } from '@jest/globals';
import { isDeadlock, isForeignKeyViolation, isUnavailable } from './database-errors.js';

const withCode = (code: unknown, message = 'x') => Object.assign(new Error(message), { code });

const DEADLOCK = ['40P01', '40001'];
const FOREIGN_KEY = ['23503', 'SQLITE_CONSTRAINT_FOREIGNKEY'];
const AWAY = [
  'ECONNREFUSED ECONNRESET ENOTFOUND EAI_AGAIN ETIMEDOUT EPIPE EHOSTUNREACH',
  '08000 08003 08006 53100 53200 53300 57014 57P01 57P03 58030',
  'SQLITE_BUSY SQLITE_BUSY_SNAPSHOT SQLITE_FULL SQLITE_IOERR SQLITE_IOERR_FSYNC SQLITE_CANTOPEN',
  'SQLITE_READONLY SQLITE_LOCKED SQLITE_NOMEM SQLITE_CORRUPT SQLITE_NOTADB',
].flatMap((codes) => codes.split(' '));
const MISTAKE = [
  '23505 22P02 54000 55P03 42601 42P01 23502 23514 25P02 XX000 8006 080060 x08006 EACCES ENOENT ABORT_ERR',
  'SQLITE_ERROR SQLITE_CONSTRAINT_UNIQUE SQLITE_CONSTRAINT_NOTNULL SQLITE_MISMATCH NOT_SQLITE_BUSY',
].flatMap((codes) => codes.split(' '));
const ALL = [...DEADLOCK, ...FOREIGN_KEY, ...AWAY, ...MISTAKE];

describe.each([
  ['isDeadlock', isDeadlock, DEADLOCK],
  ['isForeignKeyViolation', isForeignKeyViolation, FOREIGN_KEY],
  // A deadlock that came back again and again is no mistake of the client's.
  ['isUnavailable', isUnavailable, [...DEADLOCK, ...AWAY]],
])('%s', (_, is, codes) => {
  it(`knows its codes of both engines, and no others`, () => {
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

describe('isUnavailable', () => {
  it.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout exceeded when trying to connect',
    'Client has encountered a connection error and is not queryable',
    'Cannot use a pool after calling end on the pool',
    'Query read timeout',
  ])('knows what the driver reports without a code: %s', (message) => {
    expect(isUnavailable(new Error(message))).toBe(true);
  });

  it('knows a host that refused on each of its addresses', () => {
    const refused = new AggregateError([withCode('ECONNREFUSED'), withCode('ECONNREFUSED')]);
    expect(isUnavailable(refused)).toBe(true);
    expect(isUnavailable(new AggregateError([new Error('x')]))).toBe(false);
    expect(isUnavailable(new AggregateError([]))).toBe(false);
  });
});
