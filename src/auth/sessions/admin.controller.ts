import { Controller, Delete, Get, HttpCode, Param, UsePipes } from '@nestjs/common';
import {
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '../../openapi/decorators.js';
import { type Caller } from '../../audit/audit-log.js';
import { RequestCaller } from '../request/caller.decorator.js';
import { CurrentUser } from '../request/current-user.decorator.js';
import { SessionDto, toSessionDto } from '../dto/session.dto.js';
import { FreshAccess } from '../fresh-access/fresh-access.decorator.js';
import { Roles } from '../roles/roles.decorator.js';
import { type Principal } from '../request/principal.js';
import { SessionsService } from './sessions.service.js';
import { createValidationPipe } from '../dto/validation.pipe.js';

/** What an administrator can do about other people's sessions. */
@ApiTags('admin')
@Roles('admin')
@UsePipes(createValidationPipe())
@Controller('admin/users')
export class AdminController {
  constructor(private readonly sessions: SessionsService) {}

  @Get(':id/sessions')
  @ApiOperation({ summary: 'The sessions of a user that live, the one used last first' })
  @ApiOkResponse({ type: [SessionDto] })
  @ApiNotFoundResponse({ description: '`not_found`: no such user' })
  async list(@CurrentUser() admin: Principal, @Param('id') userId: string): Promise<SessionDto[]> {
    const sessions = await this.sessions.listOf(userId);
    return sessions.map((session) => toSessionDto(session, admin.sessionId));
  }

  @FreshAccess()
  @Delete(':id/sessions')
  @HttpCode(204)
  @ApiOperation({ summary: 'End every session of a user' })
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ description: '`not_found`: no such user' })
  async endAll(
    @CurrentUser() admin: Principal,
    @Param('id') userId: string,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.sessions.revokeAllOf(userId, admin, caller);
  }
}
