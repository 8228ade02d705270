import { Body, Controller, HttpCode, Post, UseGuards, UseInterceptors } from '@nestjs/common';
import { ApiAcceptedResponse, ApiNoContentResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors, type Caller, createValidationPipe, Public, RequestCaller } from '../auth/index.js';
import { HashingCapacityGuard, RefusalHeadersInterceptor } from '../auth/internals.js';
import { ForgotPasswordDto, ResetPasswordDto } from './accounts.dto.js';
import { MailOnGuard } from './mail-on.guard.js';
import { PasswordResets } from './password-resets.js';

const VALID = createValidationPipe();

@ApiTags('auth')
@Public()
@UseGuards(MailOnGuard)
@UseInterceptors(RefusalHeadersInterceptor)
@Controller('auth/password')
export class PasswordResetController {
  constructor(private readonly resets: PasswordResets) {}

  @Post('forgot')
  @HttpCode(202)
  @ApiOperation({ summary: 'Ask for a mail to reset the password. The answer is the same for every name.' })
  @ApiAcceptedResponse({ description: 'If the account has a proved address, a mail is on its way.' })
  @ApiErrors({ 404: 'not_found', 429: 'rate_limited' })
  async forgotPassword(
    @Body(VALID) { username }: ForgotPasswordDto,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.resets.request(username, caller);
  }

  @UseGuards(HashingCapacityGuard)
  @Post('reset')
  @HttpCode(204)
  @ApiOperation({ summary: 'Set a new password with the token of the mail. Every session is revoked.' })
  @ApiNoContentResponse()
  @ApiErrors({
    400: ['validation_failed', 'link_invalid'],
    404: 'not_found',
    503: ['overloaded', 'database_unavailable'],
  })
  async resetPassword(
    @Body(VALID) { token, new_password }: ResetPasswordDto,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.resets.reset(token, new_password, caller);
  }
}
