import { Controller, Get, Logger } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  type HealthCheckResult,
  HealthCheckService,
  type HealthIndicatorFunction,
  HealthIndicatorService,
} from '@nestjs/terminus';
import { Clock, NotCached, Public } from '../auth/index.js';
import { RevocationFeed } from '../auth/internals.js';
import { Database, MAX_CLOCK_SKEW_MS, MigrationSet, ReadOnlyDatabaseError } from '../database/index.js';
import { HealthReportDto } from './health.dto.js';

const TIMEOUT_MS = 3_000;
/** Maximum milliseconds without proof that no revocation is missing; one arrives each second. */
const MAX_SILENCE_MS = 4_000;

/** Terminus would load `@nestjs/swagger` itself, and describe its answers only if it finds it. */
const UNDESCRIBED = { noCache: true, swaggerDocumentation: false };

@ApiTags('health')
@Public()
@Controller('health')
export class HealthController {
  private readonly logger = new Logger('Health');

  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly db: Database,
    private readonly migrations: MigrationSet,
    private readonly clock: Clock,
    private readonly feed: RevocationFeed,
  ) {}

  /** Only checks that the process answers: a restart does not fix other failures. */
  @NotCached()
  @Get('live')
  @HealthCheck(UNDESCRIBED)
  @ApiOperation({ summary: 'Check that the process answers. Restart it if it does not.' })
  @ApiOkResponse({ type: HealthReportDto })
  getLiveness(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  /** The process can do its work; 503 names the part that fails. */
  @NotCached()
  @Get('ready')
  @HealthCheck(UNDESCRIBED)
  @ApiOperation({ summary: 'Check that the server can handle requests. A 503 names the part that fails.' })
  @ApiOkResponse({ type: HealthReportDto })
  @ApiServiceUnavailableResponse({ type: HealthReportDto, description: 'A part fails.' })
  async getReadiness(): Promise<HealthCheckResult> {
    const failures = new Map<string, string>();
    try {
      return await this.health.check([
        this.check(failures, 'database', () => this.checkDatabase()),
        this.check(failures, 'migrations', () => this.compareTables()),
        this.check(failures, 'clock', () => this.compareClocks()),
        this.check(failures, 'revocations', () => this.checkFeed()),
      ]);
    } finally {
      const parts = [...failures].map(([part, failure]) => `${part} ${failure}`);
      if (parts.length > 0) this.logger.warn(`not ready: ${parts.join('; ')}`);
    }
  }

  /** Public, so the causes, which may contain addresses and names, are only logged. */
  private check(
    failures: Map<string, string>,
    part: string,
    work: () => Promise<void> | void,
  ): HealthIndicatorFunction {
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
