import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Database, type Tx } from '../../database/index.js';

/** Milliseconds. */
const PERIOD = 60_000;
const BATCH = 500;

/** Removes the counters whose window is over, by one instance at a time. Those in memory go by themselves. */
@Injectable()
export class RateLimitPurge implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('RateLimitPurge');
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly db: Database) {}

  onApplicationBootstrap(): void {
    if (this.db.engine !== 'postgres') return;
    this.timer = setInterval(() => {
      this.running = this.runQuietly();
    }, PERIOD).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** @returns how many were removed; none while another instance is at it */
  async run(): Promise<number> {
    let total = 0;
    for (let removed = BATCH; removed === BATCH; total += removed)
      removed = (await this.db.alone('freshgate rate limits', (tx) => this.purge(tx))) ?? 0;
    return total;
  }

  private async purge(tx: Tx): Promise<number> {
    // The system's time, which the windows were measured by.
    const now = Date.now();
    const over = tx.selectFrom('rate_limits').select('key').where('expire', '<', now).limit(BATCH);
    const { numDeletedRows } = await tx
      .deleteFrom('rate_limits')
      .where('key', 'in', over)
      // Asked again of the row as it is when it is locked: its next window may just have begun.
      .where('expire', '<', now)
      .executeTakeFirst();
    return Number(numDeletedRows);
  }

  private async runQuietly(): Promise<void> {
    try {
      await this.run();
    } catch (error) {
      this.logger.warn(`expired counters could not be removed: ${(error as Error).message}`);
    }
  }
}
