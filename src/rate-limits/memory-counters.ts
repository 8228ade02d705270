import { type Count, type Counters, isBeyond, nameOf, type RateLimitKey } from './counters.js';

interface Window {
  taken: number;
  /** Milliseconds of the monotonic clock, which steps of the system clock do not affect. */
  endsAt: number;
}

/** Maximum windows of one limit, about 150 bytes each. Hashing is too slow to create more before the first ones end. */
const MAX_WINDOWS = 500_000;

/**
 * Counts in the memory of one process, in a bounded number of windows: a refused attempt leaves nothing behind, and an
 * attacker with millions of addresses displaces the windows that end first.
 */
export class MemoryCounters implements Counters {
  /** By the limit's name. */
  private readonly windows = new Map<string, Windows>();

  constructor(
    private readonly most = MAX_WINDOWS,
    private readonly now = () => performance.now(),
  ) {}

  /** The number of windows of all limits. */
  get size(): number {
    return [...this.windows.values()].reduce((sum, { size }) => sum + size, 0);
  }

  async take(places: readonly RateLimitKey[]): Promise<Count[]> {
    const counts: Count[] = [];
    for (const place of places) {
      const count = this.of(place).take(nameOf(place));
      counts.push(count);
      if (isBeyond(place.limit, count)) break;
    }
    return counts;
  }

  async release(places: readonly RateLimitKey[], reset: readonly RateLimitKey[] = []): Promise<void> {
    for (const place of places) {
      const windows = this.of(place);
      if (reset.includes(place)) windows.forget(nameOf(place));
      else windows.giveBack(nameOf(place));
    }
  }

  private of({ limit }: RateLimitKey): Windows {
    const { name, seconds } = limit;
    const windows = this.windows.get(name) ?? new Windows(seconds * 1000, this.most, this.now);
    this.windows.set(name, windows);
    return windows;
  }
}

/** The windows of one limit: they have the same length, so they end in the order in which they began. */
class Windows {
  private readonly windows = new Map<string, Window>();

  constructor(
    private readonly milliseconds: number,
    private readonly most: number,
    private readonly now: () => number,
  ) {}

  get size(): number {
    return this.windows.size;
  }

  take(key: string): Count {
    const now = this.now();
    this.removeOver(now);
    const window = this.windows.get(key) ?? this.begin(key, now);
    window.taken++;
    return { taken: window.taken, msLeft: window.endsAt - now };
  }

  giveBack(key: string): void {
    this.removeOver(this.now());
    const window = this.windows.get(key);
    if (window && --window.taken === 0) this.windows.delete(key);
  }

  forget(key: string): void {
    this.windows.delete(key);
  }

  private begin(key: string, now: number): Window {
    const [first] = this.windows.keys();
    if (first !== undefined && this.windows.size >= this.most) this.windows.delete(first);
    const window = { taken: 0, endsAt: now + this.milliseconds };
    this.windows.set(key, window);
    return window;
  }

  private removeOver(now: number): void {
    for (const [key, { endsAt }] of this.windows) {
      if (endsAt > now) return;
      this.windows.delete(key);
    }
  }
}
