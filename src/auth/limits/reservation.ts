import { ApiError } from '../errors/api-error.js';
import { type Count, type Counters } from './counters.js';

/** A counter that an attempt counts in, and what becomes of it when the attempt succeeds. */
export interface Place {
  counters: Counters;
  key: string;
  /** Begins anew with a success; else only what the attempt itself took is given back. */
  resets?: boolean;
  /** Where a statement that did more has counted it already. */
  counted?: Count;
}

/**
 * Counted before the work and not after it: of any number of parallel attempts no more than the limit get through.
 * One whose outcome nobody learns, because something broke, stays counted.
 */
export class Reservation {
  private constructor(private readonly taken: (Place & { count: number })[]) {}

  /**
   * @throws ApiError `rate_limited`, and then nothing has been counted: who is refused has tried nothing, and must not
   * be kept out the longer for it
   */
  static async make(places: readonly Place[]): Promise<Reservation> {
    const taken: (Place & { count: number })[] = [];
    for (const place of places) {
      const { taken: count, msLeft } = place.counted ?? (await place.counters.take(place.key));
      taken.push({ ...place, count });
      if (count > place.counters.limit.points) {
        for (const { counters, key } of taken) await counters.giveBack(key);
        throw rateLimited(place.counters, msLeft);
      }
    }
    return new Reservation(taken);
  }

  async succeeded(): Promise<void> {
    for (const { counters, key, resets } of this.taken) {
      if (resets) await counters.forget(key);
      else await counters.giveBack(key);
    }
  }

  /** As if it had not been made. */
  async giveBack(): Promise<void> {
    for (const { counters, key } of this.taken) await counters.giveBack(key);
  }

  /** The names of the limits of which this attempt took the last: for each window it is one attempt. */
  usedUp(): string[] {
    return this.taken
      .filter(({ counters, count }) => count === counters.limit.points)
      .map(({ counters }) => counters.name);
  }
}

/** RFC 6585 §4, and draft-ietf-httpapi-ratelimit-headers: structured fields, with `t` the same as `Retry-After`. */
function rateLimited({ name, limit }: Counters, msLeft: number): ApiError {
  const retryAfter = Math.max(1, Math.ceil(msLeft / 1000));
  return new ApiError(429, 'rate_limited', 'Too many attempts; try again later', {
    reason: `limit ${name}: ${limit.points} in ${limit.seconds} s`,
    retryAfter,
    headers: {
      RateLimit: `"${name}";r=0;t=${retryAfter}`,
      'RateLimit-Policy': `"${name}";q=${limit.points};w=${limit.seconds}`,
    },
  });
}
