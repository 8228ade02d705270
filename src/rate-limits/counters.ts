import { createHash } from 'node:crypto';
import { type Limit } from './limit.js';

/** A limit with its name, which clients see and counters are kept under. */
export interface NamedLimit extends Limit {
  name: string;
}

/** One counter: of which limit, and for whom. */
export interface RateLimitKey {
  limit: NamedLimit;
  key: string;
}

/** The state of a window after one more attempt. */
export interface Count {
  /** Attempts, including this one. */
  taken: number;
  /** Milliseconds until the window ends. */
  msLeft: number;
}

/** The windows of all limits, in PostgreSQL or in memory. */
export interface Counters {
  /**
   * Increments each counter, in order, and stops after the first that exceeds its limit. Each increment is atomic. The first
   * one begins a window.
   * @returns the counts so far
   * @throws when the store cannot answer
   */
  take(places: readonly RateLimitKey[]): Promise<Count[]>;
  /**
   * Decrements each counter; deletes a counter that reaches zero. A window that is over stays as it is.
   * @param reset those whose whole counter is deleted
   */
  release(places: readonly RateLimitKey[], reset?: readonly RateLimitKey[]): Promise<void>;
}

/** The stored name of a counter. A hash, which bounds its length and keeps user input out of tables and dumps. */
export function nameOf({ limit, key }: RateLimitKey): string {
  return `${limit.name}:${createHash('sha256').update(key).digest('base64url')}`;
}

export function isBeyond(limit: Limit, { taken }: Count): boolean {
  return taken > limit.points;
}
