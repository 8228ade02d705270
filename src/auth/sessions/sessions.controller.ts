import { Controller, Delete, Get, HttpCode, Param, Post, UseInterceptors, UsePipes } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors } from '../errors/api-errors.decorator.js';
import { type Caller } from '../../audit/audit-log.js';
import { RequestCaller } from '../request/caller.decorator.js';
import { ClearsTokens } from '../cookies/delivers-tokens.decorator.js';
import { RefusalHeadersInterceptor } from '../guard/refusal-headers.interceptor.js';
import { CurrentUser } from '../request/current-user.decorator.js';
import { SessionDto, toSessionDto } from '../dto/session.dto.js';
import { FreshAccess } from '../fresh-access/fresh-access.decorator.js';
import { NotCached } from '../request/not-cached.decorator.js';
import { type Principal } from '../request/principal.js';
import { LogsOut } from '../refresh/refresh.decorator.js';
import { SessionsService } from './sessions.service.js';
import { createValidationPipe } from '../dto/validation.pipe.js';

@ApiTags('auth')
@UsePipes(createValidationPipe())
@UseInterceptors(RefusalHeadersInterceptor)
@Controller('auth')
export class SessionsController {
  constructor(private readonly sessions: SessionsService) {}

  @LogsOut()
  @ClearsTokens()
  @Post('logout')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Log out: revoke the session of the access or refresh token, even if the token has expired.',
  })
  @ApiNoContentResponse()
  async logout(@CurrentUser() user: Principal, @RequestCaller() caller: Caller): Promise<void> {
    await this.sessions.logout(user, caller);
  }

  @ClearsTokens()
  @Post('logout-all')
  @HttpCode(204)
  @ApiOperation({ summary: 'Log out everywhere: revoke every session of the user.' })
  @ApiNoContentResponse()
  async logoutAll(@CurrentUser() user: Principal, @RequestCaller() caller: Caller): Promise<void> {
    await this.sessions.logoutAll(user, caller);
  }

  @NotCached()
  @Get('sessions')
  @ApiOperation({ summary: 'List active sessions, most recently used first.' })
  @ApiOkResponse({ type: [SessionDto] })
  async listSessions(@CurrentUser() user: Principal): Promise<SessionDto[]> {
    return (await this.sessions.list(user)).map((session) => toSessionDto(session, user.sessionId));
  }

  @FreshAccess()
  @Delete('sessions/:id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Revoke one session of the user.' })
  @ApiNoContentResponse()
  @ApiErrors({ 404: 'not_found' })
  async revokeSession(
    @CurrentUser() user: Principal,
    @Param('id') id: string,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.sessions.revoke(user, id, caller);
  }
}
