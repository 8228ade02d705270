import { Body, Controller, HttpCode, Post, Put, UseGuards, UseInterceptors } from '@nestjs/common';
import { ApiAcceptedResponse, ApiNoContentResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  ApiErrors,
  type Caller,
  createValidationPipe,
  CurrentUser,
  FreshAccess,
  type Principal,
  Public,
  RequestCaller,
} from '../auth/index.js';
import { RefusalHeadersInterceptor } from '../auth/internals.js';
import { ChangeEmailDto, TokenDto, VerifyEmailDto } from './accounts.dto.js';
import { EmailChanges } from './email-changes.js';
import { MailOnGuard } from './mail-on.guard.js';

const VALID = createValidationPipe();

@ApiTags('auth')
@UseGuards(MailOnGuard)
@UseInterceptors(RefusalHeadersInterceptor)
@Controller('auth/email')
export class EmailController {
  constructor(private readonly changes: EmailChanges) {}

  @FreshAccess()
  @Put()
  @HttpCode(202)
  @ApiOperation({ summary: 'Change the address. The old one stays until the new one is proved.' })
  @ApiAcceptedResponse({ description: 'A mail is on its way to the new address.' })
  @ApiErrors({ 404: 'not_found', 409: 'changed_meanwhile' })
  async changeEmail(
    @CurrentUser() user: Principal,
    @Body(VALID) { email }: ChangeEmailDto,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.changes.request(user, email, caller);
  }

  @Post('verify')
  @HttpCode(204)
  @ApiOperation({ summary: 'Prove the new address of the account, with the token or the code of its mail.' })
  @ApiNoContentResponse()
  @ApiErrors({
    400: ['validation_failed', 'link_invalid'],
    404: 'not_found',
    409: ['email_taken', 'changed_meanwhile'],
    429: 'rate_limited',
  })
  async verifyEmail(
    @CurrentUser() user: Principal,
    @Body(VALID) { token, code = '' }: VerifyEmailDto,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.changes.verify(user, token === undefined ? { code } : { token }, caller);
  }

  @Public()
  @Post('undo')
  @HttpCode(204)
  @ApiOperation({ summary: 'Undo a change of address, with the token of the notice to the old one.' })
  @ApiNoContentResponse()
  @ApiErrors({
    400: ['validation_failed', 'link_invalid'],
    404: 'not_found',
    409: ['email_taken', 'changed_meanwhile'],
  })
  async undoEmailChange(@Body(VALID) { token }: TokenDto, @RequestCaller() caller: Caller): Promise<void> {
    await this.changes.undo(token, caller);
  }
}
