import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { NotCached, Public } from '../auth/index.js';
import { HealthReportDto } from './health.dto.js';
import { Readiness } from './readiness.js';

/** Terminus would load `@nestjs/swagger` itself, and describe its answers only if it finds it. */
const UNDESCRIBED = { noCache: true, swaggerDocumentation: false };

@ApiTags('health')
@Public()
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly readiness: Readiness,
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
  getReadiness(): Promise<HealthCheckResult> {
    return this.readiness.check((checks) => this.health.check(checks));
  }
}
