import { Controller, Get, Query, UsePipes } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { createValidationPipe, NotCached, Roles } from '../../auth/index.js';
import { AuditTrail } from './audit-trail.js';
import { AuditListDto, ListAuditQuery } from './audit.dto.js';

@ApiTags('admin')
@Roles('admin')
@UsePipes(createValidationPipe())
@Controller('admin/audit')
export class AuditController {
  constructor(private readonly trail: AuditTrail) {}

  @NotCached()
  @Get()
  @ApiOperation({ summary: 'List events of the audit trail, newest first.' })
  @ApiOkResponse({ type: AuditListDto })
  async listAuditEvents(@Query() query: ListAuditQuery): Promise<AuditListDto> {
    const { events, nextCursor } = await this.trail.list(query);
    const items = events.map((event) => ({ ...event, at: new Date(event.at).toISOString() }));
    return { items, next_cursor: nextCursor };
  }
}
