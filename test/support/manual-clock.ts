import { Clock } from '../../src/tokens/clock.js';
import { parseDuration } from '../../src/tokens/duration.js';

/** A clock that stands still until it is moved: `clock.advance('16m')`. Starts at the real time, in whole seconds. */
export class ManualClock extends Clock {
  private time = Math.floor(Date.now() / 1000) * 1000;

  now(): number {
    return this.time;
  }

  /** Forward by a duration, or by milliseconds (negative: backward). */
  advance(by: string | number): void {
    this.time += typeof by === 'string' ? parseDuration(by) : by;
  }
}
