import { HttpException } from '@nestjs/common';
import { type AbstractHttpAdapter } from '@nestjs/core';
import { RateLimitedError } from '../../rate-limits/rate-limited.error.js';
import { TokenError } from '../../tokens/token.errors.js';
import { ApiError } from './api-error.js';
import { bearerChallenge, type ChallengeParameters, tokenChallengeParameters } from './challenge.js';

/** Seconds: the default of `Retry-After`. */
const RETRY_AFTER_SECONDS = 2;

interface RefusalHeaders {
  headers: Readonly<Record<string, string>>;
  /** Set unless the handler has set them. */
  defaults: Readonly<Record<string, string>>;
}

/**
 * Sets the headers that belong to an error answer: its challenge, `Retry-After`, `RateLimit`. Done where the error is
 * thrown as well as by `ErrorFilter`, because an application's own filter sends status and body alone.
 * @param scheme of the challenge; empty means Bearer, for applications whose tokens have no scheme
 */
export function setRefusalHeaders(
  adapter: AbstractHttpAdapter,
  response: unknown,
  exception: unknown,
  scheme: string,
): void {
  if (!(exception instanceof HttpException) || adapter.isHeadersSent(response)) return;
  const { headers, defaults } = headersOf(exception, scheme || undefined);
  for (const [name, value] of Object.entries(defaults))
    if (adapter.getHeader(response, name) === undefined) adapter.setHeader(response, name, value);
  for (const [name, value] of Object.entries(headers)) adapter.setHeader(response, name, value);
}

/** Returns all headers of a refusal, for transports that show them in their own way. @param scheme as above */
export function refusalHeaders(exception: HttpException, scheme: string): Record<string, string> {
  const { headers, defaults } = headersOf(exception, scheme || undefined);
  return { ...defaults, ...headers };
}

function headersOf(exception: HttpException, scheme?: string): RefusalHeaders {
  const status = exception.getStatus();
  const challenge = challengeOf(exception);
  const headers = {
    ...ownHeadersOf(exception),
    ...(challenge && { 'WWW-Authenticate': bearerChallenge(challenge, scheme) }),
  };
  return {
    headers,
    defaults: {
      // RFC 9110 §15.5.2: a 401 without a challenge is malformed.
      ...(status === 401 && { 'WWW-Authenticate': bearerChallenge({}, scheme) }),
      ...((status === 429 || status === 503) && { 'Retry-After': String(RETRY_AFTER_SECONDS) }),
    },
  };
}

/** Returns the parameters of the challenge of a refusal; undefined if it has none of its own. */
export function challengeOf(exception: HttpException): ChallengeParameters | undefined {
  if (exception instanceof TokenError) return tokenChallengeParameters(exception.code, exception.required);
  return exception instanceof ApiError ? exception.challenge : undefined;
}

function ownHeadersOf(exception: HttpException): Record<string, string> {
  if (exception instanceof RateLimitedError) return rateLimitHeaders(exception);
  if (!(exception instanceof ApiError)) return {};
  const { headers, retryAfter } = exception;
  return { ...headers, ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }) };
}

/** RFC 6585 §4, and draft-ietf-httpapi-ratelimit-headers: structured fields, with `t` the same as `Retry-After`. */
function rateLimitHeaders({
  limit: { name, points, seconds },
  retryAfter,
}: RateLimitedError): Record<string, string> {
  const after = Math.max(1, Math.ceil(retryAfter / 1000));
  return {
    'Retry-After': String(after),
    RateLimit: `"${name}";r=0;t=${after}`,
    'RateLimit-Policy': `"${name}";q=${points};w=${seconds}`,
  };
}
