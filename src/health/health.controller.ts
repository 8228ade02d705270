import { Controller, Get, Logger } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  type HealthCheckResult,
  HealthCheckService,
  HealthIndicatorService,
} from '@nestjs/terminus';
import { Clock, NotCached, Public } from '../auth/index.js';
import { RevocationFeed } from '../auth/internals.js';
import { Database, MigrationSet } from '../database/index.js';
import { HealthReportDto } from './health.dto.js';

/** Milliseconds that this clock may differ from the database server's; refresh compares times across instances. */
const LARGEST_SKEW = 2_000;
const TIMEOUT = 3_000;
/** Milliseconds without news of ended sessions; heard or read each second. */
const LARGEST_SILENCE = 4_000;

/** Terminus would look for `@nestjs/swagger` by itself, and describe answers only where it finds it. */
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

  /** The process answers. Any other failure is not mended by a restart. */
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
  getReadiness(): Promise<HealthCheckResult> {
    return this.health.check([
      async () =>
        this.indicators
          .check('database')
          .attempt(() => this.pingDatabase())
          .withTimeout(TIMEOUT),
      async () =>
        this.indicators
          .check('migrations')
          .attempt(() => this.compareTables())
          .withTimeout(TIMEOUT),
      async () =>
        this.indicators
          .check('clock')
          .attempt(() => this.compareClocks())
          .withTimeout(TIMEOUT),
      async () => this.indicators.check('revocations').attempt(() => this.checkFeed()),
    ]);
  }

  /** Down when it is no longer certain, for longer than a beat or two, which sessions have ended. */
  private checkFeed(): void {
    if (this.feed.staleness() > LARGEST_SILENCE) throw new Error('is silent');
  }

  private async pingDatabase(): Promise<void> {
    try {
      await this.db.ping();
    } catch (error) {
      this.logger.warn(`the database does not answer: ${(error as Error).message}`);
      // Anybody may ask for the health; addresses and users are the log's alone.
      throw new Error('does not answer', { cause: error });
    }
  }

  /** Down when tables are missing: the database was restored to an older state, or is another one. */
  private async compareTables(): Promise<void> {
    const missing = await this.migrations.missing().catch(() => undefined);
    if (missing?.length === 0) return;
    if (missing) this.logger.warn(`migrations have not run here: ${missing.join(', ')}`);
    throw new Error(missing ? 'have not all run' : 'cannot be read');
  }

  private async compareClocks(): Promise<void> {
    const skew = await this.db.clockSkew(() => this.clock.now()).catch(() => NaN);
    if (Math.abs(skew) <= LARGEST_SKEW) return;
    this.logger.warn(`this clock is ${skew} ms ahead of the database server's, more than ${LARGEST_SKEW}`);
    throw new Error(Number.isNaN(skew) ? 'cannot be compared' : 'differs from the database server’s');
  }
}
