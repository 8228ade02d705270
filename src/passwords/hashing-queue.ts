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

/** How many hashes run at once: all cores but one, which is left to the requests that need no password. */
export function hashesAtOnce(cores = availableParallelism()): number {
  return Math.max(1, cores - 1);
}

/** First come, first served, and so many at once; refuses at once what would have to wait too long. */
export class HashingQueue {
  private readonly waiting: (() => void)[] = [];
  private active = 0;
  private turnedAway = 0;

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

  /** How many there was no room for, since it was made. */
  get refused(): number {
    return this.turnedAway;
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

  /** @throws HashingOverloadedError when a job that came now would be refused */
  requireRoom(): void {
    if (this.active < this.atOnce || this.waiting.length < this.longest) return;
    this.turnedAway++;
    throw new HashingOverloadedError(this.waiting.length);
  }

  private turn(): Promise<void> {
    this.requireRoom();
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}
