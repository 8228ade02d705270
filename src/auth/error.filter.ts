import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { STATUS_CODES } from 'node:http';
import { type Observable, throwError } from 'rxjs';
import { HashingOverloadedError } from '../passwords/hashing-line.js';
import { type AuthRequest } from './request/auth-request.js';
import { ErrorRenderer } from './hooks.js';
import { AuthOptions } from './options/auth-options.js';
import { ApiError } from './errors/api-error.js';
import { type ErrorAnswer } from './errors/error-answer.js';
import { type ErrorCode } from './errors/error-codes.js';
import { challengeOf, refusalHeaders, setRefusalHeaders } from './errors/refusal-headers.js';
import { type Refusal } from './transports/transport-adapter.js';
import { Transports } from './transports/transports.js';

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

/**
 * Answers every error that no filter of the application answers: one format, the right challenge, and the reason only in
 * the log. A filter that wants more (a report to a tracker) may inject it and call `catch`.
 */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Errors');
  private readonly logged = new WeakMap<object, Set<string>>();

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly renderer: ErrorRenderer,
    private readonly options: AuthOptions,
    private readonly transports: Transports,
  ) {}

  catch(exception: unknown, host: ArgumentsHost): unknown {
    if (host.getType() !== 'http') return this.refuseCall(exception, host);
    const { httpAdapter } = this.host;
    const request = host.switchToHttp().getRequest<AuthRequest>();
    const response: unknown = host.switchToHttp().getResponse();
    const refusal = toHttpException(exception);
    const status = refusal.getStatus();
    const answer = bodyOf(refusal, status);
    request.errorCode = isErrorAnswer(answer) ? answer.errorCode : 'not_ready';
    const path = request.url?.split(/[?#]/)[0];
    const what = `${status} ${request.errorCode} ${request.method} ${path} [${request.id}]`;
    this.log(exception, status, what);
    const send = (body: unknown): void => {
      if (httpAdapter.isHeadersSent(response)) {
        httpAdapter.end(response);
        return;
      }
      setRefusalHeaders(httpAdapter, response, refusal, this.options.locations.headerScheme);
      httpAdapter.reply(response, body, status);
    };
    const failed = (error: unknown): void => {
      this.logger.error('the ErrorRenderer of the application failed', error);
      send(answer);
    };
    const sendRendered = (body: unknown): void => {
      // Caught here: if the adapter threw it, the answer would have no code, or there would be none.
      JSON.stringify(body);
      send(body);
    };
    try {
      const body = isErrorAnswer(answer) ? this.renderer.render(answer, request) : answer;
      if (body instanceof Promise) body.then(sendRendered).catch(failed);
      else sendRendered(body);
    } catch (error) {
      failed(error);
    }
  }

  /** Other transports have formats of their own. */
  private refuseCall(exception: unknown, host: ArgumentsHost): unknown {
    const transport = this.transports.find(host.getType());
    if (!transport && host.getType() === 'rpc') return refuseMessage(exception);
    if (!transport) throw exception;
    const refusal = transport.owns(exception)
      ? this.refusalOf(exception)
      : this.explain(exception, transport.describe(host), transport.scopeOf?.(host));
    return transport.refuse(refusal, host);
  }

  /**
   * Logs an error and returns how it is answered.
   * @param what names its cause in the log: `message "news"`
   * @param scope logs the same once for this object
   */
  explain(exception: unknown, what: string, scope?: object): Refusal {
    const refusal = this.refusalOf(exception);
    const { statusCode, errorCode } = refusal.answer;
    const line = `${statusCode} ${errorCode} ${what}`;
    if (!scope || this.isNew(line, scope)) this.log(exception, statusCode, line);
    return refusal;
  }

  private isNew(line: string, scope: object): boolean {
    const lines = this.logged.get(scope);
    if (lines?.has(line)) return false;
    if (lines) lines.add(line);
    else this.logged.set(scope, new Set([line]));
    return true;
  }

  private refusalOf(exception: unknown): Refusal {
    const refusal = toHttpException(exception);
    const status = refusal.getStatus();
    const body = bodyOf(refusal, status);
    return {
      exception,
      answer: isErrorAnswer(body) ? body : membersOf(status, refusal.message, codeOf(status)),
      headers: refusalHeaders(refusal, this.options.locations.headerScheme),
      challenge: challengeOf(refusal) ?? {},
    };
  }

  /** Logs the reason with the request id, which the client also has. */
  private log(exception: unknown, status: number, what: string): void {
    const line = `${what}: ${reasonOf(exception)}`;
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
  const { reason } = Object(exception) as { reason?: unknown };
  // `TokenError`, `ApiError` and others have a `reason`, which says more than the client may know.
  if (exception instanceof HttpException) return typeof reason === 'string' ? reason : messageOf(exception);
  return exception instanceof Error ? exception.message : String(exception);
}

function toHttpException(exception: unknown): HttpException {
  if (exception instanceof HttpException) return exception;
  const status = clientErrorStatus(exception);
  if (status !== undefined) return new HttpException((exception as Error).message, status);
  return new ApiError(500, 'internal_error', 'Internal server error');
}

/** For messages, as in Nest's own filter: the client's observable fails with this object. */
function refuseMessage(exception: unknown): Observable<never> {
  const { getError } = Object(exception) as { getError?: unknown };
  // An `RpcException` of @nestjs/microservices, which an application without messages has not installed.
  if (typeof getError === 'function') return throwError(() => getError.call(exception) as unknown);
  const refusal = toHttpException(exception);
  return throwError(() => ({ status: 'error', ...(bodyOf(refusal, refusal.getStatus()) as object) }));
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
    ...membersOf(status, messages.join('; '), errorCode),
  };
}

function membersOf(status: number, message: string, errorCode: string): ErrorAnswer {
  return { statusCode: status, error: STATUS_CODES[status] ?? 'Error', message, errorCode };
}

/** Nest's own 404 repeats the whole URL, `Cannot GET /nowhere?access_token=…`, and a query may hold a token. */
function messageOf({ message }: HttpException): string {
  return message.replace(/^(Cannot [A-Z-]+ [^?#]*)[?#].*$/s, '$1');
}

/** Returns the status of the answer to an exception. */
export function statusOf(exception: unknown): number {
  return toHttpException(exception).getStatus();
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
