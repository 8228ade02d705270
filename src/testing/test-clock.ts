import { AsyncLocalStorage } from 'node:async_hooks';
import { Clock } from '../time/clock.js';
import { parseDuration } from '../time/duration.js';

/**
 * The clock that `ago` sets back, and how far. One storage for all clocks: Node 20 calls every storage that was ever
 * used at each new promise.
 */
const past = new AsyncLocalStorage<{ clock: TestClock; milliseconds: number }>();

/** A clock that stands still until it is moved: `clock.advance('16m')`. Starts at the real time, in whole seconds. */
export class TestClock extends Clock {
  private time = Math.floor(Date.now() / 1000) * 1000;
  private readonly waiting = new Map<() => void, number>();

  now(): number {
    const run = past.getStore();
    return run?.clock === this ? this.time - run.milliseconds : this.time;
  }

  /** Moves the clock forward by a duration, or by milliseconds (negative: backward). */
  advance(by: string | number): void {
    this.time += typeof by === 'string' ? parseDuration(by) : by;
    for (const [callback, time] of this.waiting) {
      if (time <= this.time && this.waiting.delete(callback)) callback();
    }
  }

  /** Calls back when `advance` reaches the time, and at once if it has been reached. */
  override at(time: number, callback: () => void): () => void {
    const once = () => callback();
    this.waiting.set(once, time);
    this.advance(0);
    return () => this.waiting.delete(once);
  }

  /** Runs a function as of so many milliseconds ago. Code that runs in parallel sees the normal time. */
  async ago<T>(milliseconds: number, work: () => Promise<T>): Promise<T> {
    return past.run({ clock: this, milliseconds }, work);
  }
}
