import { Injectable } from '@nestjs/common';

/**
 * Tells the time. Everything that compares times asks the same Clock, SQL included (as a parameter, never
 * `now()`): two clocks that disagree turn a valid refresh into "reuse". Tests move it by hand.
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
