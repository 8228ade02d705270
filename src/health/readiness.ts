import { Injectable, Logger } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Clock } from '../auth/index.js';
import { RevocationFeed } from '../auth/internals.js';
import { Database, MAX_CLOCK_SKEW_MS, MigrationSet, ReadOnlyDatabaseError } from '../database/index.js';

const TIMEOUT_MS = 3_000;
/** Maximum milliseconds without proof that no revocation is missing; one arrives each second. */
const MAX_SILENCE_MS = 4_000;

type Check = () => Promise<HealthIndicatorResult>;

/** Checks whether the server can handle requests, part by part. */
@Injectable()
export class Readiness {
  private readonly logger = new Logger('Health');
  private draining = false;

  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly db: Database,
    private readonly migrations: MigrationSet,
    private readonly clock: Clock,
    private readonly feed: RevocationFeed,
  ) {}

  /** From now on the server is not ready, so that load balancers take it out before it closes. */
  startDraining(): void {
    this.draining = true;
    this.logger.log('shutting down: not ready from now on');
  }

  /**
   * Runs every check, with one log line if any fails.
   * @param run runs the checks: Terminus, whose report is the answer
   */
  async check<T>(run: (checks: Check[]) => Promise<T>): Promise<T> {
    const failures = new Map<string, string>();
    try {
      return await run(this.checks(failures));
    } finally {
      const parts = [...failures].map(([part, failure]) => `${part} ${failure}`);
      if (parts.length > 0 && !this.draining) this.logger.warn(`not ready: ${parts.join('; ')}`);
    }
  }

  /** Runs every check without a log line. @returns the parts, and whether each is up */
  async measure(): Promise<[part: string, isUp: boolean][]> {
    const results = await Promise.all(this.checks(new Map()).map((check) => check()));
    return results.flatMap((result) =>
      Object.entries(result).map(([part, { status }]): [string, boolean] => [part, status === 'up']),
    );
  }

  private checks(failures: Map<string, string>): Check[] {
    const parts: Record<string, () => Promise<void> | void> = {
      database: () => this.checkDatabase(),
      migrations: () => this.compareTables(),
      clock: () => this.compareClocks(),
      revocations: () => this.checkFeed(),
      ...(this.draining && { shutdown: () => Promise.reject(new Error('is in progress')) }),
    };
    return Object.entries(parts).map(([part, work]) => this.checkPart(failures, part, work));
  }

  /** The report is public, so the causes, which may contain addresses and names, are only logged. */
  private checkPart(failures: Map<string, string>, part: string, work: () => Promise<void> | void): Check {
    return async () => {
      const result = await this.indicators
        .check(part)
        .attempt(async () => {
          try {
            await work();
          } catch (error) {
            failures.set(part, explain(error));
            throw error;
          }
        })
        .withTimeout(TIMEOUT_MS);
      if (result[part]?.status === 'down' && !failures.has(part))
        failures.set(part, `did not answer in ${TIMEOUT_MS} ms`);
      return result;
    };
  }

  private async checkDatabase(): Promise<void> {
    try {
      await this.db.checkWritable();
    } catch (error) {
      throw new Error(isReadOnly(error) ? 'is read-only' : 'does not answer', { cause: error });
    }
  }

  /** Down if tables are missing: the database was restored to an older state, or is another one. */
  private async compareTables(): Promise<void> {
    const missing = await this.migrations.missing().catch(() => undefined);
    if (!missing) throw new Error('cannot be read');
    if (missing.length > 0) throw new Error('have not all run', { cause: new Error(missing.join(', ')) });
  }

  private async compareClocks(): Promise<void> {
    const skew = await this.db.clockSkew(() => this.clock.now()).catch(() => undefined);
    if (skew === undefined) throw new Error('cannot be compared');
    if (Math.abs(skew) <= MAX_CLOCK_SKEW_MS) return;
    const cause = new Error(`ahead by ${skew} ms, at most ${MAX_CLOCK_SKEW_MS} are allowed`);
    throw new Error('differs from the database server’s', { cause });
  }

  /** Down if it has been uncertain for more than a few heartbeats which sessions are revoked. */
  private checkFeed(): void {
    if (this.feed.staleness() > MAX_SILENCE_MS) throw new Error('may be missing');
  }
}

function isReadOnly(error: unknown): boolean {
  return error instanceof ReadOnlyDatabaseError || (error instanceof Error && isReadOnly(error.cause));
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
