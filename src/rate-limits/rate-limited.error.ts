import { HttpException } from '@nestjs/common';
import { type NamedLimit } from './counters.js';

/** An attempt exceeded a limit. An `HttpException`, so that an application's own filter answers it with 429. */
export class RateLimitedError extends HttpException {
  override readonly name = 'RateLimitedError';
  /** For the log. */
  readonly reason: string;

  constructor(
    readonly limit: NamedLimit,
    /** Milliseconds until the window ends. */
    readonly retryAfter: number,
  ) {
    const errorCode = 'rate_limited';
    const message = 'Too many attempts; try again later';
    super({ statusCode: 429, error: 'Too Many Requests', message, errorCode }, 429, { errorCode });
    this.reason = `limit ${limit.name}: ${limit.points} in ${limit.seconds} s`;
  }
}
