import { availableParallelism } from 'node:os';

/** Hashing has more to do than it can do soon; whoever waits would only wait longer. */
export class HashingOverloadedError extends Error {
  override readonly name = 'HashingOverloadedError';

  constructor(waiting: number) {
    super(`${waiting} passwords wait to be hashed already`);
  }
}

/** Waiting jobs for each that runs: about what is hashed in two seconds, the longest that a client waits for it. */
const WAITING_PER_RUNNING = 48;

/**
 * How many hashes run at once: all cores but one, which is left to the requests that need no password. They run on
 * libuv's threads, four unless `UV_THREADPOOL_SIZE` says otherwise, of which one is left to files and name lookups.
 */
export function hashesAtOnce(
  cores = availableParallelism(),
  threads = process.env['UV_THREADPOOL_SIZE'],
): number {
  return Math.max(1, Math.min(cores - 1, (Number(threads) || 4) - 1));
}

/** First come, first served, and so many at once; refuses at once what would have to wait too long. */
export class HashingQueue {
  private readonly waiting: (() => void)[] = [];
  private active = 0;

  constructor(
    readonly atOnce = hashesAtOnce(),
    readonly longest = atOnce * WAITING_PER_RUNNING,
  ) {}

  get length(): number {
    return this.waiting.length;
  }

  get running(): number {
    return this.active;
  }

  /** @throws HashingOverloadedError when the queue is full */
  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.active < this.atOnce) this.active++;
    else await this.turn();
    try {
      return await job();
    } finally {
      // A place is handed on, not given up: nobody who comes at this moment gets in before who waits.
      const next = this.waiting.shift();
      if (next) next();
      else this.active--;
    }
  }

  private turn(): Promise<void> {
    if (this.waiting.length >= this.longest) throw new HashingOverloadedError(this.waiting.length);
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}
