import { Injectable } from '@nestjs/common';

/** Node fires a longer timer at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Tells the time. All code that compares times uses the same Clock, and SQL gets the time as a parameter, never by `now()`:
 * two clocks that differ would turn a valid refresh into reuse. Tests move it.
 */
export abstract class Clock {
  /** Milliseconds since the epoch. */
  abstract now(): number;

  /**
   * Calls back once `now()` has reached a time (milliseconds). Keeps no process alive.
   * @returns a function that cancels it
   */
  at(time: number, callback: () => void): () => void {
    let timer: NodeJS.Timeout;
    const wait = () => {
      timer = setTimeout(
        () => (this.now() < time ? wait() : callback()),
        Math.min(Math.max(time - this.now(), 0), MAX_TIMEOUT_MS),
      ).unref();
    };
    wait();
    return () => clearTimeout(timer);
  }
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
