import { type Count, type CounterStore } from './counters.js';

interface Window {
  taken: number;
  /** Milliseconds, on the monotonic clock: no step of the system's ends it early or late. */
  endsAt: number;
}

/** Windows of one limit, about 150 bytes each. More than can be made by hashing passwords before the first of them ends. */
const MOST_WINDOWS = 500_000;

/**
 * Counts in the memory of one process. Only what counts is remembered, and not without end: who is refused leaves
 * nothing behind, and who has millions of addresses displaces the windows that end first.
 */
export class MemoryCounters implements CounterStore {
  /** All are as long, so they end in the order in which they began. */
  private readonly windows = new Map<string, Window>();

  constructor(
    private readonly seconds: number,
    private readonly most = MOST_WINDOWS,
    private readonly now = () => performance.now(),
  ) {}

  get size(): number {
    return this.windows.size;
  }

  async take(key: string): Promise<Count> {
    const now = this.now();
    this.removeOver(now);
    const window = this.windows.get(key) ?? this.begin(key, now);
    window.taken++;
    return { taken: window.taken, msLeft: window.endsAt - now };
  }

  async giveBack(key: string): Promise<void> {
    this.removeOver(this.now());
    const window = this.windows.get(key);
    if (window && --window.taken === 0) this.windows.delete(key);
  }

  async forget(key: string): Promise<void> {
    this.windows.delete(key);
  }

  private begin(key: string, now: number): Window {
    const [first] = this.windows.keys();
    if (first !== undefined && this.windows.size >= this.most) this.windows.delete(first);
    const window = { taken: 0, endsAt: now + this.seconds * 1000 };
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
