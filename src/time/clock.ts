import { Injectable } from '@nestjs/common';

/**
 * Tells the time. All code that compares times uses the same Clock, and SQL gets the time as a parameter, never by `now()`:
 * two clocks that differ would turn a valid refresh into reuse. Tests move it.
 */
export abstract class Clock {
  /** Milliseconds since the epoch. */
  abstract now(): number;
}

@Injectable()
export class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }
}

/** RFC 7519 NumericDate: whole seconds since the epoch. */
export function toNumericDate(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
