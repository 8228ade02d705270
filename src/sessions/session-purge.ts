import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Database } from '../database/index.js';
import { EndedSessions } from './ended-sessions.js';
import { SessionEnds } from './session-ends.js';
import { SessionOptions } from './session-options.js';

/** Milliseconds. */
const PERIOD = 60_000;
const BATCH = 500;

/** Forgets what is over: dead sessions in bounded batches, by one instance at a time, and old tombstones in memory. */
@Injectable()
export class SessionPurge implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('SessionPurge');
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly db: Database,
    private readonly ends: SessionEnds,
    private readonly ended: EndedSessions,
    private readonly options: SessionOptions,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running = this.runQuietly();
    }, PERIOD).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** @returns how many sessions were removed; none while another instance is at it */
  async run(): Promise<number> {
    const now = this.options.now();
    this.ended.prune(now);
    let total = 0;
    for (let removed = BATCH; removed === BATCH; total += removed) {
      removed = (await this.db.alone('freshgate purge', (tx) => this.ends.purge(tx, BATCH, now))) ?? 0;
    }
    return total;
  }

  private async runQuietly(): Promise<void> {
    try {
      const removed = await this.run();
      if (removed > 0) this.logger.log(`removed ${removed} sessions that were over`);
    } catch (error) {
      this.logger.warn(`dead sessions could not be removed: ${(error as Error).message}`);
    }
  }
}
