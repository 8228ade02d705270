import { Body, Controller, Delete, Get, HttpCode, Param, ParseUUIDPipe, Post } from '@nestjs/common';
import {
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import {
  ApiErrors,
  type Caller,
  createValidationPipe,
  CurrentUser,
  DeliversTokens,
  FreshAccess,
  type IssuedPair,
  type Principal,
  Public,
  RequestCaller,
} from '../auth/index.js';
import { DEVICE_HEADER, PresentedDevices, TokenPairDto } from '../auth/internals.js';
import { FactorLoginService } from './factor-login.service.js';
import {
  ConfirmOtpDto,
  EnrolledOtpDto,
  EnrolOtpDto,
  FactorLoginDto,
  FactorsDto,
  RecoveryCodesDto,
} from './factors.dto.js';
import { FactorsService } from './factors.service.js';

const VALID = createValidationPipe();
/** Answers 404 for an id that is not a UUID. */
const ID = new ParseUUIDPipe({ errorHttpStatusCode: 404 });

@ApiTags('factors')
@Controller('auth')
export class FactorsController {
  constructor(
    private readonly logins: FactorLoginService,
    private readonly factors: FactorsService,
  ) {}

  @Public()
  @Post('login/factor')
  @HttpCode(200)
  @DeliversTokens()
  @ApiOperation({ summary: 'Finish a login with a second factor. Success uses the challenge up.' })
  @ApiHeader({ name: DEVICE_HEADER, required: false, description: 'As with the login.' })
  @ApiOkResponse({
    type: TokenPairDto,
    headers: {
      [DEVICE_HEADER]: {
        description: 'Send it with the next login on this device.',
        schema: { type: 'string' },
      },
    },
  })
  @ApiErrors({
    401: ['invalid_credentials', 'token_expired', 'token_invalid', 'token_revoked'],
    429: 'rate_limited',
    503: 'database_unavailable',
  })
  async loginWithFactor(
    @Body(VALID) body: FactorLoginDto,
    @PresentedDevices() devices: string[],
    @RequestCaller() caller: Caller,
  ): Promise<IssuedPair> {
    return this.logins.login(body, devices, caller);
  }

  @Get('factors')
  @ApiOperation({ summary: 'List the second factors of the user.' })
  @ApiOkResponse({ type: FactorsDto })
  async listFactors(@CurrentUser() { userId }: Principal): Promise<FactorsDto> {
    return this.factors.list(userId);
  }

  @FreshAccess()
  @Post('factors/otp')
  @ApiOperation({
    summary: 'Begin to add an authenticator. Requires the strongest level that the user can prove.',
  })
  @ApiCreatedResponse({ type: EnrolledOtpDto })
  @ApiErrors({ 404: 'not_found', 409: 'changed_meanwhile' })
  async enrolOtp(
    @CurrentUser() user: Principal,
    @Body(VALID) { name }: EnrolOtpDto,
  ): Promise<EnrolledOtpDto> {
    return this.factors.enrol(user, name ?? 'Authenticator');
  }

  @Post('factors/otp/:id/confirm')
  @HttpCode(200)
  @ApiOperation({ summary: 'Finish adding an authenticator with a code that it shows.' })
  @ApiOkResponse({ type: RecoveryCodesDto })
  @ApiErrors({
    401: 'invalid_credentials',
    404: 'not_found',
    409: 'changed_meanwhile',
    429: 'rate_limited',
  })
  async confirmOtp(
    @CurrentUser() user: Principal,
    @Param('id', ID) id: string,
    @Body(VALID) { otp }: ConfirmOtpDto,
    @RequestCaller() caller: Caller,
  ): Promise<RecoveryCodesDto> {
    return { recovery_codes: await this.factors.confirm(user, id, otp, caller) };
  }

  @FreshAccess({ once: true })
  @Delete('factors/otp/:id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove an authenticator. Requires the strongest level that the user can prove.' })
  @ApiNoContentResponse()
  @ApiErrors({ 404: 'not_found', 409: 'changed_meanwhile' })
  async removeOtp(
    @CurrentUser() user: Principal,
    @Param('id', ID) id: string,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.factors.remove(user, id, caller);
  }

  @FreshAccess({ once: true })
  @Post('factors/recovery-codes')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Make ten new recovery codes; the old ones are void. Requires the strongest level.',
  })
  @ApiOkResponse({ type: RecoveryCodesDto })
  @ApiErrors({ 404: 'not_found', 409: 'changed_meanwhile' })
  async renewRecoveryCodes(
    @CurrentUser() user: Principal,
    @RequestCaller() caller: Caller,
  ): Promise<RecoveryCodesDto> {
    return { recovery_codes: await this.factors.renewRecoveryCodes(user, caller) };
  }
}
