import { type Count, type Counters, isBeyond, type RateLimitKey } from './counters.js';
import { RateLimitedError } from './rate-limited.error.js';

/** A counter of an attempt, and the effect of a success on it. */
export interface ReservedKey extends RateLimitKey {
  /** Whether a success deletes the counter; else it only gives back this attempt. */
  resets?: boolean;
}

/**
 * Counts attempts before the work, so that of any number of parallel attempts no more than the limit pass.
 * An attempt that fails with an error, without an outcome, stays counted.
 */
export class RateLimitReservation {
  private constructor(
    private readonly counters: Counters,
    private readonly places: readonly ReservedKey[],
    private readonly counts: readonly Count[],
  ) {}

  /** @throws RateLimitedError, and then counts nothing: a refused attempt must not prolong the refusal */
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

  /** Gives the attempt back. */
  async giveBack(): Promise<void> {
    await this.counters.release(this.places);
  }

  /** The names of the limits that this attempt used up; true for one attempt in each window. */
  usedUp(): string[] {
    return this.places
      .filter(({ limit }, at) => this.counts[at]?.taken === limit.points)
      .map(({ limit }) => limit.name);
  }
}
