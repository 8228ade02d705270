import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BadRequestException,
  ForbiddenException,
  HttpException,
  Logger,
  NotFoundException,
  PayloadTooLargeException,
  UnauthorizedException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import { type AbstractHttpAdapter, DiscoveryService, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { DatabaseUnavailableError } from '../database/index.js';
import { TokenError, type TokenErrorCode } from '../tokens/token.errors.js';
import { ErrorRenderer } from './hooks.js';
import { type AuthOptions } from './options/auth-options.js';
import { resolveOptions } from './options/resolve-options.js';
import { ApiError, validationFailed } from './errors/api-error.js';
import { TOKEN_MESSAGES } from '../tokens/token.errors.js';
import { ErrorFilter, statusOf } from './error.filter.js';
import { Transports } from './transports/transports.js';

/** Records the calls of the adapter and the lines of the log. */
class Recorder {
  headersSent = false;
  headers: Record<string, string> = {};
  body: unknown = undefined;
  status = 0;
  ended = false;

  isHeadersSent(): boolean {
    return this.headersSent;
  }
  getHeader(_: unknown, name: string): string | undefined {
    return this.headers[name];
  }
  setHeader(_: unknown, name: string, value: string): void {
    this.headers[name] = value;
  }
  reply(_: unknown, body: unknown, status: number): void {
    Object.assign(this, { body, status });
  }
  end(): void {
    this.ended = true;
  }
}

const options = resolveOptions({ keys: {} as AuthOptions['keys'] });
let log: string[];
const at = (level: string) => (line: unknown) => void log.push(`${level} ${String(line)}`);
beforeEach(() => {
  log = [];
  Logger.overrideLogger({ log: at('log'), warn: at('warn'), error: at('error'), debug: at('debug') });
});
afterAll(() => Logger.overrideLogger(true));

function answer(
  exception: unknown,
  recorder = new Recorder(),
  errorBody: ErrorRenderer = new ErrorRenderer(),
): Recorder {
  const adapterHost = new HttpAdapterHost();
  adapterHost.httpAdapter = recorder as unknown as AbstractHttpAdapter;
  const request = { id: 'request-1', method: 'POST', url: '/auth/login?token=secret' };
  const transports = new Transports(new DiscoveryService(new ModulesContainer()));
  const filter = new ErrorFilter(adapterHost, errorBody, options, transports);
  filter.catch(exception, new ExecutionContextHost([request, {}]));
  return recorder;
}

const withStatus = (statusCode: unknown, message = 'refused') =>
  Object.assign(new Error(message), { statusCode, code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE' });
const withCode = (code: string, message = 'connect to db.example:5432 as hunter2') =>
  Object.assign(new Error(message), { code });

describe('the answer to a refused token', () => {
  const codes = Object.keys(TOKEN_MESSAGES) as TokenErrorCode[];

  it.each(codes)('is a 401 with the code %s, its message and a challenge', (code) => {
    const { status, body, headers } = answer(new TokenError(code, 'the true reason', { maxAge: 300_000 }));
    expect({ status, body }).toEqual({
      status: 401,
      body: { statusCode: 401, error: 'Unauthorized', message: TOKEN_MESSAGES[code], errorCode: code },
    });
    expect(headers).toEqual({ 'WWW-Authenticate': expect.stringMatching(/^Bearer/) });
  });

  it('asks for a step-up in whole seconds', () => {
    const { headers } = answer(new TokenError('fresh_token_required', 'stale', { maxAge: 300_999 }));
    expect(headers['WWW-Authenticate']).toContain('max_age="300"');
  });

  it('never contains the true reason, which is logged with the request id', () => {
    const recorder = answer(new TokenError('token_invalid', 'no key has the "kid"'));
    expect(JSON.stringify(recorder)).not.toContain('kid');
    expect(log).toEqual(['log 401 token_invalid POST /auth/login [request-1]: no key has the "kid"']);
  });
});

describe('the answer to an ApiError', () => {
  it('has its status, code and message; its reason is only logged', () => {
    const error = new ApiError(401, 'invalid_credentials', 'Bad username or password', {
      reason: 'no such user',
    });
    expect(answer(error)).toMatchObject({
      status: 401,
      body: {
        statusCode: 401,
        error: 'Unauthorized',
        message: 'Bad username or password',
        errorCode: 'invalid_credentials',
      },
      headers: { 'WWW-Authenticate': 'Bearer' },
    });
    expect(JSON.stringify(answer(error))).not.toContain('no such user');
    expect(log[0]).toBe('log 401 invalid_credentials POST /auth/login [request-1]: no such user');
  });

  it('has no challenge unless it is a 401', () => {
    expect(answer(new ApiError(409, 'username_taken', 'Taken')).headers).toEqual({});
  });

  it('has Retry-After', () => {
    const error = new ApiError(429, 'rate_limited', 'Too many requests', { retryAfter: 7 });
    expect(answer(error).headers).toEqual({ 'Retry-After': '7' });
  });

  it('lists the fields that were refused', () => {
    const errors = [{ field: 'amount', messages: ['too small', 'not a number'] }];
    expect(answer(validationFailed(errors)).body).toEqual({
      statusCode: 400,
      error: 'Bad Request',
      message: 'amount too small; amount not a number',
      errorCode: 'validation_failed',
      errors,
    });
  });
});

describe('the answer to an exception of Nest', () => {
  it.each<[HttpException, number, string, string]>([
    [new NotFoundException('Cannot GET /x'), 404, 'Not Found', 'not_found'],
    [new NotFoundException('Is it here? No'), 404, 'Not Found', 'not_found'],
    [new ForbiddenException('Forbidden resource'), 403, 'Forbidden', 'forbidden'],
    [new PayloadTooLargeException('too large'), 413, 'Payload Too Large', 'payload_too_large'],
    [new UnsupportedMediaTypeException('xml'), 415, 'Unsupported Media Type', 'unsupported_media_type'],
    [new HttpException('slow down', 429), 429, 'Too Many Requests', 'rate_limited'],
    [new HttpException('closing', 503), 503, 'Service Unavailable', 'overloaded'],
    [new HttpException('brewing', 405), 405, 'Method Not Allowed', 'method_not_allowed'],
    [new HttpException('taken', 409), 409, 'Conflict', 'conflict'],
  ])('has our shape and a stable code: %s', (exception, status, error, errorCode) => {
    expect(answer(exception)).toMatchObject({
      status,
      body: { statusCode: status, error, message: exception.message, errorCode },
    });
  });

  it.each(['/nowhere?access_token=secret', '/?access_token=secret', 'http://host/x#access_token=secret'])(
    'does not repeat a URL that may hold a token: %s',
    (url) => {
      const { body } = answer(new NotFoundException(`Cannot GET ${url}`));
      expect(body).toMatchObject({ message: `Cannot GET ${url.split(/[?#]/)[0]}`, errorCode: 'not_found' });
    },
  );

  it('gathers the reasons of a list into one message, and keeps them apart in the errors', () => {
    expect(answer(new BadRequestException(['a is wrong', 'b is wrong'])).body).toEqual({
      statusCode: 400,
      error: 'Bad Request',
      message: 'a is wrong; b is wrong',
      errorCode: 'validation_failed',
      errors: [{ field: 'request', messages: ['a is wrong', 'b is wrong'] }],
    });
  });

  it.each([429, 503])('has Retry-After with every %i', (status) => {
    expect(answer(new HttpException('later', status)).headers).toEqual({
      'Retry-After': expect.stringMatching(/^\d+$/),
    });
  });

  it('has the status that it is sent with, whatever the exception’s body says', () => {
    expect(answer(new HttpException({ statusCode: 418, message: 'x' }, 400)).body).toMatchObject({
      statusCode: 400,
    });
  });

  it('has all its members, even if the exception has only a message, or nothing', () => {
    expect(answer(new BadRequestException({ message: 'x' })).body).toMatchObject({
      statusCode: 400,
      message: 'x',
      errorCode: 'validation_failed',
    });
    const nothing = new HttpException(null as unknown as string, 400);
    expect(answer(nothing).body).toMatchObject({ statusCode: 400, errorCode: 'validation_failed' });
  });

  it('keeps the code that the exception names', () => {
    const exception = new ForbiddenException('not yours', { errorCode: 'not_yours' });
    expect(answer(exception).body).toMatchObject({ statusCode: 403, errorCode: 'not_yours' });
  });

  it('names the request where a 400 names no field', () => {
    expect(answer(new BadRequestException('bad range')).body).toEqual({
      statusCode: 400,
      error: 'Bad Request',
      message: 'bad range',
      errorCode: 'validation_failed',
      errors: [{ field: 'request', messages: ['bad range'] }],
    });
  });

  it('challenges with every 401', () => {
    expect(answer(new UnauthorizedException()).headers['WWW-Authenticate']).toMatch(/^Bearer/);
  });

  it('leaves a body of another shape unchanged, such as a health report', () => {
    const report = { status: 'error', error: { database: { status: 'down' } } };
    expect(answer(new HttpException(report, 503))).toMatchObject({ status: 503, body: report });
  });
});

describe('the answer to any other error', () => {
  const INTERNAL = {
    statusCode: 500,
    error: 'Internal Server Error',
    message: 'Internal server error',
    errorCode: 'internal_error',
  };

  it.each<[string, unknown]>([
    ['an Error', new Error('hunter2')],
    ['text', 'hunter2'],
    ['nothing', undefined],
    ['null', null],
    ['an object that poses as one of HTTP', { statusCode: 404, message: 'hunter2' }],
    ['another service’s answer', Object.assign(new Error('hunter2'), { statusCode: 404 })],
    ['an Error whose status is of the server', withStatus(502, 'hunter2')],
    ['an Error whose status is no error', withStatus(200, 'hunter2')],
    ['an Error whose status is text', withStatus('404', 'hunter2')],
    ['an Error with the status of something beyond HTTP', withStatus(1404, 'hunter2')],
  ])('is a 500 without details: %s', (_, exception) => {
    expect(answer(exception)).toMatchObject({ status: 500, body: INTERNAL, headers: {} });
  });

  it('logs the error', () => {
    answer(new Error('hunter2'));
    expect(log).toEqual(['error 500 internal_error POST /auth/login [request-1]: hunter2']);
  });

  it.each<[number, string, string]>([
    [400, 'Body is not valid JSON', 'validation_failed'],
    [404, 'no route', 'not_found'],
    [413, 'Request body is too large', 'payload_too_large'],
    [415, 'Unsupported Media Type: text/plain', 'unsupported_media_type'],
  ])('keeps the %d with which the adapter refused a request: %s', (status, message, errorCode) => {
    expect(answer(withStatus(status, message))).toMatchObject({
      status,
      body: { statusCode: status, message, errorCode },
    });
  });

  it('keeps the status with which Express’s parsers refused a request', () => {
    const refused = Object.assign(new Error('request entity too large'), { statusCode: 413, expose: true });
    expect(answer(refused)).toMatchObject({ status: 413, body: { errorCode: 'payload_too_large' } });
  });

  it.each(['ECONNREFUSED', '57P01', '53300', 'SQLITE_FULL'])(
    'is a 503 without details and with Retry-After when the database is unavailable: %s',
    (code) => {
      const { status, body, headers } = answer(new DatabaseUnavailableError(withCode(code)));
      expect({ status, body, headers }).toEqual({
        status: 503,
        body: {
          statusCode: 503,
          error: 'Service Unavailable',
          message: 'The database cannot be reached; try again shortly',
          errorCode: 'database_unavailable',
        },
        headers: { 'Retry-After': '2' },
      });
      expect(log).toEqual([expect.stringMatching(/^warn 503 database_unavailable .*hunter2$/)]);
    },
  );

  it.each(['23505', '22P02', '42P01', 'SQLITE_ERROR'])('is a 500 for a mistake in a query: %s', (code) => {
    expect(answer(withCode(code))).toMatchObject({ status: 500, body: INTERNAL });
  });
});

describe('every answer', () => {
  it('is logged without the query of the request, which may hold secrets', () => {
    const errors = [new TokenError('token_invalid', 'x'), new NotFoundException(), new Error('x')];
    for (const error of errors) answer(error);
    expect(log).toHaveLength(3);
    expect(log.filter((line) => line.includes('secret'))).toEqual([]);
  });

  it('only ends the response if its headers were sent already', () => {
    const recorder = Object.assign(new Recorder(), { headersSent: true });
    expect(answer(new Error('halfway'), recorder)).toMatchObject({ ended: true, status: 0, headers: {} });
    expect(log).toHaveLength(1);
  });
});

describe('statusOf', () => {
  it.each<[number, unknown]>([
    [401, new TokenError('token_expired', 'x')],
    [409, new ApiError(409, 'username_taken', 'x')],
    [404, new NotFoundException()],
    [413, withStatus(413)],
    [503, new DatabaseUnavailableError(withCode('ECONNREFUSED'))],
    [500, withCode('ECONNREFUSED')],
    [500, new Error('x')],
    [500, undefined],
  ])('is %d, as in the answer', (status, exception) => {
    expect(statusOf(exception)).toBe(status);
    expect(answer(exception).status).toBe(status);
  });
});
