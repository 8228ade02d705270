import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { STATUS_CODES } from 'node:http';
import { type Observable, throwError } from 'rxjs';
import { DatabaseUnavailableError } from '../database/index.js';
import { RateLimitedError } from '../rate-limits/rate-limited.error.js';
import { TokenError } from '../tokens/token.errors.js';
import { HashingOverloadedError } from '../passwords/hashing-line.js';
import { type AuthRequest } from './request/auth-request.js';
import { type ErrorAnswer, ErrorRenderer } from './hooks.js';
import { AuthOptions } from './options/auth-options.js';
import { ApiError } from './errors/api-error.js';
import { type ErrorCode } from './errors/error-codes.js';
import { bearerChallenge, tokenChallenge } from './errors/challenge.js';

/** The code of an error that has none. Any other status is named after its reason phrase. */
const CODE_OF_STATUS: Record<number, ErrorCode> = {
  400: 'validation_failed',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
  500: 'internal_error',
  503: 'overloaded',
};

function codeOf(status: number): string {
  return CODE_OF_STATUS[status] ?? (STATUS_CODES[status] ?? 'error').toLowerCase().replace(/[^a-z]+/g, '_');
}

/** Seconds: the default of `Retry-After`. */
const RETRY_AFTER_SECONDS = 2;

interface Answer {
  status: number;
  body: unknown;
  headers: Record<string, string>;
  /** Set unless the handler has set them. */
  defaultHeaders: Record<string, string>;
}

/** Answers every error: one format, the right challenge, and the reason only in the log. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Errors');

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly errorBody: ErrorRenderer,
    private readonly options: AuthOptions,
  ) {}

  catch(exception: unknown, host: ArgumentsHost): Observable<never> | void {
    if (host.getType() === 'rpc') return refuseMessage(exception);
    // Gateways and resolvers have their own formats.
    if (host.getType() !== 'http') throw exception;
    const { httpAdapter } = this.host;
    const request = host.switchToHttp().getRequest<AuthRequest>();
    const response: unknown = host.switchToHttp().getResponse();
    // A token without a scheme is challenged as Bearer.
    const answer = toAnswer(exception, this.options.locations.headerScheme || undefined);
    request.errorCode = (answer.body as { errorCode?: string }).errorCode ?? 'not_ready';
    this.log(exception, answer, request);
    const send = (body: unknown): void => {
      if (httpAdapter.isHeadersSent(response)) {
        httpAdapter.end(response);
        return;
      }
      for (const [name, value] of Object.entries(answer.defaultHeaders))
        if (httpAdapter.getHeader(response, name) === undefined) httpAdapter.setHeader(response, name, value);
      for (const [name, value] of Object.entries(answer.headers))
        httpAdapter.setHeader(response, name, value);
      httpAdapter.reply(response, body, answer.status);
    };
    const failed = (error: unknown): void => {
      this.logger.error('the ErrorRenderer of the application failed', error);
      send(answer.body);
    };
    const sendRendered = (body: unknown): void => {
      // Caught here: if the adapter threw it, the answer would have no code, or there would be none.
      JSON.stringify(body);
      send(body);
    };
    try {
      const body = isErrorAnswer(answer.body) ? this.errorBody.render(answer.body, request) : answer.body;
      if (body instanceof Promise) body.then(sendRendered).catch(failed);
      else sendRendered(body);
    } catch (error) {
      failed(error);
    }
  }

  /** Logs the reason with the request id, which the client also has. */
  private log(exception: unknown, { status }: Answer, request: AuthRequest): void {
    const path = request.url?.split(/[?#]/)[0];
    const line = `${status} ${request.errorCode} ${request.method} ${path} [${request.id}]: ${reasonOf(exception)}`;
    if (status === 500) this.logger.error(line, exception instanceof Error ? exception.stack : undefined);
    // Only at debug: a flood of logins would fill the log. The request lines and the metrics show it.
    else if (exception instanceof HashingOverloadedError) this.logger.debug(line);
    else if (status > 500) this.logger.warn(line);
    else if (status === 401 || status === 403) this.logger.log(line);
    else this.logger.debug(line);
  }
}

/** Excludes a health report, which is a 503 too. */
function isErrorAnswer(body: unknown): body is ErrorAnswer {
  return typeof body === 'object' && body !== null && 'errorCode' in body;
}

function reasonOf(exception: unknown): string {
  if (exception instanceof TokenError) return exception.reason;
  if (exception instanceof ApiError && exception.reason !== undefined) return exception.reason;
  if (exception instanceof HttpException) return messageOf(exception);
  return exception instanceof Error ? exception.message : String(exception);
}

function toAnswer(exception: unknown, scheme?: string): Answer {
  if (exception instanceof HttpException) return answerHttp(exception, scheme);
  if (exception instanceof DatabaseUnavailableError) {
    const message = 'The database cannot be reached; try again shortly';
    return answerHttp(new ApiError(503, 'database_unavailable', message));
  }
  if (exception instanceof HashingOverloadedError) {
    return answerHttp(new ApiError(503, 'overloaded', 'Too many logins at once; try again shortly'), scheme);
  }
  if (exception instanceof RateLimitedError) return answerHttp(rateLimited(exception));
  const status = clientErrorStatus(exception);
  if (status !== undefined) return answerHttp(new HttpException((exception as Error).message, status));
  return answerHttp(new ApiError(500, 'internal_error', 'Internal server error'));
}

/** RFC 6585 §4, and draft-ietf-httpapi-ratelimit-headers: structured fields, with `t` the same as `Retry-After`. */
function rateLimited({ limit: { name, points, seconds }, retryAfter }: RateLimitedError): ApiError {
  const after = Math.max(1, Math.ceil(retryAfter / 1000));
  return new ApiError(429, 'rate_limited', 'Too many attempts; try again later', {
    retryAfter: after,
    headers: {
      RateLimit: `"${name}";r=0;t=${after}`,
      'RateLimit-Policy': `"${name}";q=${points};w=${seconds}`,
    },
  });
}

/** The challenge of a refused token or a missing role; undefined for an exception that names none. */
export function challengeOf(exception: unknown, scheme?: string): string | undefined {
  if (exception instanceof TokenError) return tokenChallenge(exception.code, exception.required, scheme);
  const challenge = exception instanceof ApiError ? exception.challenge : undefined;
  return challenge && bearerChallenge(challenge, scheme);
}

/** For messages, as in Nest's own filter: the client's observable fails with this object. */
function refuseMessage(exception: unknown): Observable<never> {
  const { getError } = Object(exception) as { getError?: unknown };
  // An `RpcException` of @nestjs/microservices, which an application without messages has not installed.
  if (typeof getError === 'function') return throwError(() => getError.call(exception) as unknown);
  return throwError(() => ({ status: 'error', ...(toAnswer(exception).body as object) }));
}

function answerHttp(exception: HttpException, scheme?: string): Answer {
  const status = exception.getStatus();
  const { retryAfter, headers } = exception instanceof ApiError ? exception : {};
  const challenge = challengeOf(exception, scheme);
  const comesAgain = status === 429 || status === 503;
  return {
    status,
    body: bodyOf(exception, status),
    headers: {
      ...headers,
      ...(challenge === undefined ? {} : { 'WWW-Authenticate': challenge }),
      ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
    },
    defaultHeaders: {
      // RFC 9110 §15.5.2: a 401 without a challenge is malformed.
      ...(status === 401 && challenge === undefined
        ? { 'WWW-Authenticate': bearerChallenge({}, scheme) }
        : {}),
      ...(comesAgain && retryAfter === undefined ? { 'Retry-After': String(RETRY_AFTER_SECONDS) } : {}),
    },
  };
}

/** The members of every error answer; other members of the exception's response are kept. */
function bodyOf(exception: HttpException, status: number): unknown {
  const given: unknown = exception.getResponse();
  const body: { message?: unknown } = typeof given === 'object' && given !== null ? given : {};
  // A health report, not an error: left unchanged.
  if (body === given && !('statusCode' in body) && !('message' in body)) return body;
  const messages = Array.isArray(body.message) ? body.message.map(String) : [messageOf(exception)];
  const errorCode = exception.errorCode ?? codeOf(status);
  return {
    ...(errorCode === 'validation_failed' ? { errors: [{ field: 'request', messages }] } : {}),
    ...body,
    statusCode: status,
    error: STATUS_CODES[status],
    message: messages.join('; '),
    errorCode,
  };
}

/** Nest's own 404 repeats the whole URL, `Cannot GET /nowhere?access_token=…`, and a query may hold a token. */
function messageOf({ message }: HttpException): string {
  return message.replace(/^(Cannot [A-Z-]+ [^?#]*)[?#].*$/s, '$1');
}

/** Returns the status of the answer to an exception. */
export function statusOf(exception: unknown): number {
  return toAnswer(exception).status;
}

/**
 * Returns the status if the HTTP adapter refused the request before a handler ran, for a broken body or a wrong media
 * type. Recognised by properties of Fastify's and Express's errors: a 401 of another service, thrown by a handler's HTTP
 * client, must not become our answer.
 */
function clientErrorStatus(exception: unknown): number | undefined {
  if (!(exception instanceof Error)) return undefined;
  const { statusCode: status, code, expose } = exception as Error & Record<string, unknown>;
  if (!String(code).startsWith('FST_ERR_') && expose !== true) return undefined;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
