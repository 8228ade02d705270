import { type NamedLimit } from './counters.js';

/** An attempt exceeded a limit. */
export class RateLimitedError extends Error {
  override readonly name = 'RateLimitedError';

  constructor(
    readonly limit: NamedLimit,
    /** Milliseconds until the window ends. */
    readonly retryAfter: number,
  ) {
    super(`limit ${limit.name}: ${limit.points} in ${limit.seconds} s`);
  }
}
