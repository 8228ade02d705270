import { createHash } from 'node:crypto';
import { type Limit } from './limit.js';

/** One that has a name, by which clients are told of it, and under which its windows are kept. */
export interface NamedLimit extends Limit {
  name: string;
}

/** Whose window of which limit. */
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
   * Takes one off each again, unless the window is over; a window in which nothing counts is none.
   * @param reset those among them of which the whole window ends
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
