import { type Count, type Counters, isBeyond, type RateLimitKey } from './counters.js';
import { RateLimitedError } from './rate-limited.error.js';

/** A window that an attempt counts in, and what becomes of it when the attempt succeeds. */
export interface ReservedKey extends RateLimitKey {
  /** Begins anew with a success; else only what the attempt itself took is given back. */
  resets?: boolean;
}

/**
 * Counted before the work and not after it: of any number of parallel attempts no more than the limit get through.
 * An attempt that broke, and so has no outcome, stays counted.
 */
export class RateLimitReservation {
  private constructor(
    private readonly counters: Counters,
    private readonly places: readonly ReservedKey[],
    private readonly counts: readonly Count[],
  ) {}

  /** @throws RateLimitedError, and then nothing has been counted: a refused attempt must not extend the refusal */
  static async make(counters: Counters, places: readonly ReservedKey[]): Promise<RateLimitReservation> {
    const counts = await counters.take(places);
    const [last, place] = [counts.at(-1), places[counts.length - 1]];
    if (last && place && isBeyond(place.limit, last)) {
      await counters.release(places.slice(0, counts.length));
      throw new RateLimitedError(place.limit, last.msLeft);
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
