import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type Database, type Tx } from './database.js';

/** Milliseconds. */
const PERIOD = 60_000;
const BATCH = 500;

/** Removes rows that are over, once a minute: in bounded batches, and by one instance at a time. */
export abstract class Purge implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(this.constructor.name);
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopping = false;

  /** @param what is removed, for the log; and the name of the lock */
  protected constructor(
    protected readonly db: Database,
    private readonly what: string,
  ) {}

  /** @returns how many there were; fewer than `most` when none are left */
  protected abstract removeBatch(tx: Tx, most: number): Promise<number>;

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running ??= this.runQuietly().finally(() => (this.running = undefined));
    }, PERIOD).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.stopping = true;
    await this.running;
  }

  /** @returns how many were removed; none while another instance is at it */
  async run(): Promise<number> {
    let total = 0;
    for (let removed = BATCH; removed === BATCH && !this.stopping; total += removed)
      removed =
        (await this.db.withAdvisoryLock(`freshgate ${this.what}`, (tx) => this.removeBatch(tx, BATCH))) ?? 0;
    return total;
  }

  private async runQuietly(): Promise<void> {
    try {
      const removed = await this.run();
      if (removed > 0) this.logger.debug(`removed ${removed} ${this.what}`);
    } catch (error) {
      this.logger.warn(`${this.what} could not be removed: ${(error as Error).message}`);
    }
  }
}
