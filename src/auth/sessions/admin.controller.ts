import { Controller, Delete, Get, HttpCode, Param, UseInterceptors, UsePipes } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors } from '../errors/api-errors.decorator.js';
import { type Caller } from '../../audit/audit-log.js';
import { RequestCaller } from '../request/caller.decorator.js';
import { RefusalHeadersInterceptor } from '../guard/refusal-headers.interceptor.js';
import { CurrentUser } from '../request/current-user.decorator.js';
import { SessionDto, toSessionDto } from '../dto/session.dto.js';
import { FreshAccess } from '../fresh-access/fresh-access.decorator.js';
import { Roles } from '../roles/roles.decorator.js';
import { NotCached } from '../request/not-cached.decorator.js';
import { type Principal } from '../request/principal.js';
import { SessionsService } from './sessions.service.js';
import { createValidationPipe } from '../dto/validation.pipe.js';

/** Lets an administrator list and revoke the sessions of other users. */
@ApiTags('admin')
@Roles('admin')
@UsePipes(createValidationPipe())
@UseInterceptors(RefusalHeadersInterceptor)
@Controller('admin/users')
export class AdminController {
  constructor(private readonly sessions: SessionsService) {}

  @NotCached()
  @Get(':id/sessions')
  @ApiOperation({ summary: 'List the active sessions of a user, most recently used first.' })
  @ApiOkResponse({ type: [SessionDto] })
  @ApiErrors({ 404: 'not_found' })
  async listUserSessions(
    @CurrentUser() admin: Principal,
    @Param('id') userId: string,
  ): Promise<SessionDto[]> {
    const sessions = await this.sessions.listOf(userId);
    return sessions.map((session) => toSessionDto(session, admin.sessionId));
  }

  @FreshAccess()
  @Delete(':id/sessions')
  @HttpCode(204)
  @ApiOperation({ summary: 'Revoke every session of a user.' })
  @ApiNoContentResponse()
  @ApiErrors({ 404: 'not_found' })
  async revokeUserSessions(
    @CurrentUser() admin: Principal,
    @Param('id') userId: string,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.sessions.revokeAllOf(userId, admin, caller);
  }
}
