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

/** What one more has made of a window. */
export interface Count {
  /** With this one. */
  taken: number;
  /** Milliseconds until the window ends. */
  msLeft: number;
}

/** The windows of all limits: in PostgreSQL where instances share them, else in memory. */
export interface Counters {
  /**
   * Counts one in each, in their order, up to the first where that is one too many; no parallel request can come between
   * a count and its result. The first one begins a window.
   * @returns as many as were counted
   * @throws when the store cannot answer
   */
  take(places: readonly RateLimitKey[]): Promise<Count[]>;
  /**
   * Decrements each counter; deletes a counter that reaches zero. A window that is over stays as it is.
   * @param reset those whose whole counter is deleted
   */
  release(places: readonly RateLimitKey[], reset?: readonly RateLimitKey[]): Promise<void>;
}

/** What the window is kept under. Bounds its length, and keeps what strangers write out of tables and dumps. */
export function nameOf({ limit, key }: RateLimitKey): string {
  return `${limit.name}:${createHash('sha256').update(key).digest('base64url')}`;
}

export function isBeyond(limit: Limit, { taken }: Count): boolean {
  return taken > limit.points;
}
