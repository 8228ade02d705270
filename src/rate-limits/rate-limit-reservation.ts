import { ApiError } from '../auth/errors/api-error.js';
import { type Count, type Counters, isBeyond, type NamedLimit, type RateLimitKey } from './counters.js';

/** A window that an attempt counts in, and what becomes of it when the attempt succeeds. */
export interface ReservedKey extends RateLimitKey {
  /** Begins anew with a success; else only what the attempt itself took is given back. */
  resets?: boolean;
}

/**
 * Counted before the work and not after it: of any number of parallel attempts no more than the limit get through.
 * One whose outcome nobody learns, because something broke, stays counted.
 */
export class RateLimitReservation {
  private constructor(
    private readonly counters: Counters,
    private readonly places: readonly ReservedKey[],
    private readonly counts: readonly Count[],
  ) {}

  /**
   * @param counted where a statement that did more has counted already
   * @throws ApiError `rate_limited`, and then nothing has been counted: who is refused has tried nothing, and must not
   * be kept out the longer for it
   */
  static async make(
    counters: Counters,
    places: readonly ReservedKey[],
    counted?: readonly Count[],
  ): Promise<RateLimitReservation> {
    const counts = counted ?? (await counters.take(places));
    const [last, place] = [counts.at(-1), places[counts.length - 1]];
    if (last && place && isBeyond(place.limit, last)) {
      await counters.release(places.slice(0, counts.length));
      throw rateLimited(place.limit, last.msLeft);
    }
    return new RateLimitReservation(counters, places, counts);
  }

  async succeeded(): Promise<void> {
    await this.counters.release(
      this.places,
      this.places.filter(({ resets }) => resets),
    );
  }

  /** As if it had not been made. */
  async giveBack(): Promise<void> {
    await this.counters.release(this.places);
  }

  /** The names of the limits of which this attempt took the last: for each window it is one attempt. */
  usedUp(): string[] {
    return this.places
      .filter(({ limit }, at) => this.counts[at]?.taken === limit.points)
      .map(({ limit }) => limit.name);
  }
}

/** RFC 6585 §4, and draft-ietf-httpapi-ratelimit-headers: structured fields, with `t` the same as `Retry-After`. */
function rateLimited({ name, points, seconds }: NamedLimit, msLeft: number): ApiError {
  const retryAfter = Math.max(1, Math.ceil(msLeft / 1000));
  return new ApiError(429, 'rate_limited', 'Too many attempts; try again later', {
    reason: `limit ${name}: ${points} in ${seconds} s`,
    retryAfter,
    headers: {
      RateLimit: `"${name}";r=0;t=${retryAfter}`,
      'RateLimit-Policy': `"${name}";q=${points};w=${seconds}`,
    },
  });
}
