import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type OperationNodeSource, sql } from 'kysely';
import { Clock } from '../time/clock.js';
import { Database, MAX_CLOCK_SKEW_MS, type Tables, type Tx } from './database.js';
import { reasonOf } from './database-errors.js';

const PERIOD_MS = 60_000;
const BATCH_ROWS = 100;
/**
 * How long a row must have been expired before it is removed. A clock that is set forward and back, here or on another
 * instance, must not bring back a token whose revocation was removed in between.
 */
export const PURGE_MARGIN_MS = 86_400_000;

/** The rows to remove from one table. */
export type PurgeTask = { [T in keyof Tables]: TaskOf<T> }[keyof Tables];

interface TaskOf<T extends keyof Tables> {
  /** Names the rows for log, metric and lock: `expired sessions`. */
  readonly what: string;
  readonly table: T;
  /** The column of the primary key. */
  readonly key: keyof Tables[T] & string;
  /**
   * Selects the keys of rows that expired before `cutoff` (milliseconds). Needs an index: it runs each minute and
   * usually finds nothing.
   */
  selectDead(tx: Tx, cutoff: number): DeadRows;
  /** Removes entries from the memory of this process that expired before `cutoff`. Called on every instance. */
  forget?(cutoff: number): void;
}

/** A Kysely query that `Purger` limits. */
export interface DeadRows {
  limit(rows: number): OperationNodeSource;
}

/**
 * Removes expired rows once a minute: in batches, one instance at a time, and only while this clock and the database's
 * agree. An instance whose clock is days ahead would remove every live session.
 */
@Injectable()
export class Purger implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Purger');
  private readonly tasks: PurgeTask[] = [];
  private readonly counts = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopping = false;

  constructor(
    private readonly db: Database,
    private readonly clock: Clock,
  ) {}

  add(task: PurgeTask): void {
    this.tasks.push(task);
    this.counts.set(task.what, 0);
  }

  /** Counts the rows removed by this instance since its start, by their name. */
  get removed(): ReadonlyMap<string, number> {
    return this.counts;
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running ??= this.runAndLog().finally(() => (this.running = undefined));
    }, PERIOD_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.stopping = true;
    await this.running;
  }

  /**
   * Runs every task once.
   * @returns how many rows were removed; 0 while the clocks differ
   */
  async run(): Promise<number> {
    const cutoff = await this.findCutoff();
    if (cutoff === undefined) return 0;
    let total = 0;
    for (const task of this.tasks) {
      task.forget?.(cutoff);
      total += await this.runTask(task, cutoff);
    }
    return total;
  }

  /** The earlier of the two clocks, minus the margin; undefined while they differ. */
  private async findCutoff(): Promise<number | undefined> {
    const skew = await this.db.clockSkew(() => this.clock.now());
    if (Math.abs(skew) > MAX_CLOCK_SKEW_MS) {
      this.logger.warn(
        `nothing is purged: this clock differs from the database server's by ${skew} ms (at most ${MAX_CLOCK_SKEW_MS})`,
      );
      return undefined;
    }
    return this.clock.now() - Math.max(0, skew) - PURGE_MARGIN_MS;
  }

  private async runTask(task: PurgeTask, cutoff: number): Promise<number> {
    const { what } = task;
    let total = 0;
    for (let removed = BATCH_ROWS; removed === BATCH_ROWS && !this.stopping; total += removed) {
      // Undefined while another instance purges the same rows.
      const batch = await this.db.withAdvisoryLock(`freshgate purge ${what}`, (tx) =>
        removeBatch(tx, task, cutoff),
      );
      removed = batch ?? 0;
    }
    if (total > 0) {
      this.counts.set(what, (this.counts.get(what) ?? 0) + total);
      this.logger.log(`purged ${total} ${what}`);
    }
    return total;
  }

  private async runAndLog(): Promise<void> {
    try {
      await this.run();
    } catch (error) {
      this.logger.warn(`purge failed, next try in a minute: ${reasonOf(error)}`);
    }
  }
}

/** @returns how many rows were removed; fewer than a batch if no more are left */
async function removeBatch(tx: Tx, task: PurgeTask, cutoff: number): Promise<number> {
  const dead = task.selectDead(tx, cutoff).limit(BATCH_ROWS);
  const { numAffectedRows = 0n } = await sql`
    delete from ${sql.table(task.table)} where ${sql.ref(task.key)} in ${dead}`.execute(tx);
  return Number(numAffectedRows);
}
