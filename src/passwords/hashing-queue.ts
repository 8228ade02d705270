import { availableParallelism } from 'node:os';
import { type HashingClient, HashingLine } from './hashing-line.js';

/** Jobs that may wait in each line for each that runs: about two seconds of work. */
const MAX_WAITING_PER_RUNNING = 48;

/** How many hashes run at once: one core is left to the requests that need no password. */
export function hashesAtOnce(cores = availableParallelism()): number {
  return Math.max(1, cores - 1);
}

/**
 * Bounds how many passwords are hashed at once and how many wait. Clients that are known wait in a line of their own,
 * and the two lines take turns: strangers, however many, leave half of the threads to living sessions and known devices.
 */
export class HashingQueue {
  private readonly known: HashingLine;
  private readonly strangers: HashingLine;
  private active = 0;
  private knownIsNext = true;

  constructor(
    readonly atOnce = hashesAtOnce(),
    /** Of each line. */
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

  /** How many passwords were not hashed for lack of room or time, since the start. */
  get refused(): number {
    return this.known.refused + this.strangers.refused;
  }

  /** @throws HashingOverloadedError when there is no room for the client, or no more */
  async run<T>(client: HashingClient, job: () => Promise<T>): Promise<T> {
    if (this.active < this.atOnce) this.active++;
    else await this.lineOf(client).wait(client);
    try {
      return await job();
    } finally {
      // The place is handed on, not given up: a newcomer does not overtake the jobs that wait.
      if (!this.beginNext()) this.active--;
    }
  }

  /** @throws HashingOverloadedError when a job of this client would be refused now */
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
