import { availableParallelism } from 'node:os';
import { type HashingClient, HashingLine } from './hashing-line.js';

/** Jobs that may wait in each line, per parallel hash: about two seconds of work. */
const MAX_WAITING_PER_RUNNING = 48;

/** Number of parallel hashes: one core is left to requests without a password. */
export function hashesAtOnce(cores = availableParallelism()): number {
  return Math.max(1, cores - 1);
}

/**
 * Limits how many passwords are hashed at once and how many wait. Known clients wait in a separate line and the two
 * lines take turns, so strangers leave half of the threads to live sessions and known devices.
 */
export class HashingQueue {
  private readonly known: HashingLine;
  private readonly strangers: HashingLine;
  private active = 0;
  private knownIsNext = true;

  constructor(
    readonly atOnce = hashesAtOnce(),
    /** Maximum of each line. */
    readonly maxWaiting = atOnce * MAX_WAITING_PER_RUNNING,
    maxWaitMs?: number,
  ) {
    this.known = new HashingLine(maxWaiting, maxWaitMs);
    this.strangers = new HashingLine(maxWaiting, maxWaitMs);
  }

  get length(): number {
    return this.known.length + this.strangers.length;
  }

  get running(): number {
    return this.active;
  }

  /** Number of passwords refused because of a full queue or a long wait, since the start. */
  get refused(): number {
    return this.known.refused + this.strangers.refused;
  }

  /** @throws HashingOverloadedError if the line is full, or the wait becomes too long */
  async run<T>(client: HashingClient, job: () => Promise<T>): Promise<T> {
    if (this.active < this.atOnce) this.active++;
    else await this.lineOf(client).wait(client);
    try {
      return await job();
    } finally {
      // The free thread goes to the next job in line, so that a new job does not overtake it.
      if (!this.beginNext()) this.active--;
    }
  }

  /** @throws HashingOverloadedError if a job of this client would be refused now */
  requireRoom(client: HashingClient): void {
    if (this.active >= this.atOnce) this.lineOf(client).requireRoom(client);
  }

  private beginNext(): boolean {
    const [first, second] = this.knownIsNext ? [this.known, this.strangers] : [this.strangers, this.known];
    this.knownIsNext = !this.knownIsNext;
    return first.beginNext() || second.beginNext();
  }

  private lineOf({ known }: HashingClient): HashingLine {
    return known ? this.known : this.strangers;
  }
}
