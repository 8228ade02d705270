import { HttpException } from '@nestjs/common';

/** The queue of passwords to hash is full. An `HttpException`, so that an application's own filter answers it with 503. */
export class HashingOverloadedError extends HttpException {
  override readonly name = 'HashingOverloadedError';

  /** @param reason for the log */
  constructor(readonly reason: string) {
    const errorCode = 'overloaded';
    const message = 'Too many logins at once; try again shortly';
    super({ statusCode: 503, error: 'Service Unavailable', message, errorCode }, 503, { errorCode });
  }
}

/** The client that a password belongs to. Clients share a full queue. */
export interface HashingClient {
  account?: string | undefined;
  /** The network of the client's address. */
  network?: string | undefined;
  /** Whether it is a live session, or a device on which this account has logged in before. */
  known?: boolean;
  /** Whether the client has closed its connection. */
  hasLeft?: (() => boolean) | undefined;
}

/** Maximum milliseconds that a job waits: most clients do not wait longer for an answer. */
const MAX_WAIT_MS = 10_000;

/** How many jobs of the same account, and of the same network, were waiting when the job came. */
interface Rank {
  account: number;
  network: number;
}

interface WaitingJob {
  readonly client: HashingClient;
  readonly rank: Rank;
  readonly begin: () => void;
  readonly refuse: (reason: string) => void;
}

/**
 * Waiting jobs. The first job of every account comes before the second of any account; among those, the first of every
 * network before the second of any; then first come, first served. A full line refuses its last job if the new job
 * ranks before it.
 */
export class HashingLine {
  private readonly jobs: WaitingJob[] = [];
  private turnedAway = 0;

  constructor(
    readonly maxWaiting: number,
    private readonly maxWaitMs = MAX_WAIT_MS,
  ) {}

  get length(): number {
    return this.jobs.length;
  }

  /** Number of jobs that were refused or waited too long, since the start. */
  get refused(): number {
    return this.turnedAway;
  }

  /** @throws HashingOverloadedError if a job of this client would be refused now */
  requireRoom(client: HashingClient): void {
    if (this.jobs.length < this.maxWaiting) return;
    const last = this.jobs.at(-1);
    if (last && isBefore(this.rankOf(client), last.rank)) return;
    this.turnedAway++;
    throw new HashingOverloadedError(`${this.jobs.length} passwords wait to be hashed already`);
  }

  /**
   * Resolves when it is the client's turn.
   * @throws HashingOverloadedError if the line is full, a client with fewer jobs displaced this one, or after 10
   * seconds
   */
  async wait(client: HashingClient): Promise<void> {
    this.requireRoom(client);
    const rank = this.rankOf(client);
    if (this.jobs.length >= this.maxWaiting)
      this.refuse(this.jobs.pop(), 'others had fewer passwords waiting');
    await new Promise<void>((resolve, reject) => {
      const job: WaitingJob = {
        client,
        rank,
        begin: () => {
          clearTimeout(timer);
          resolve();
        },
        refuse: (reason) => {
          clearTimeout(timer);
          reject(new HashingOverloadedError(reason));
        },
      };
      const timer = setTimeout(() => this.expire(job), this.maxWaitMs);
      this.insert(job);
    });
  }

  /** Starts the next job. @returns false if the line is empty */
  beginNext(): boolean {
    for (let job = this.jobs.shift(); job; job = this.jobs.shift()) {
      if (!job.client.hasLeft?.()) {
        job.begin();
        return true;
      }
      // Not counted as refused: the client has disconnected.
      job.refuse('the client closed the connection');
    }
    return false;
  }

  private insert(job: WaitingJob): void {
    const at = this.jobs.findIndex(({ rank }) => isBefore(job.rank, rank));
    this.jobs.splice(at < 0 ? this.jobs.length : at, 0, job);
  }

  private rankOf({ account, network }: HashingClient): Rank {
    const rank = { account: 0, network: 0 };
    for (const { client } of this.jobs) {
      if (account !== undefined && client.account === account) rank.account++;
      if (network !== undefined && client.network === network) rank.network++;
    }
    return rank;
  }

  private expire(job: WaitingJob): void {
    const at = this.jobs.indexOf(job);
    if (at >= 0) this.jobs.splice(at, 1);
    this.refuse(job, `it waited ${this.maxWaitMs} ms`);
  }

  private refuse(job: WaitingJob | undefined, reason: string): void {
    this.turnedAway++;
    job?.refuse(reason);
  }
}

function isBefore(rank: Rank, other: Rank): boolean {
  return rank.account === other.account ? rank.network < other.network : rank.account < other.account;
}
