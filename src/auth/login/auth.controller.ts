import { Body, Controller, HttpCode, Post, Put, UseGuards, UseInterceptors } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors } from '../errors/api-errors.decorator.js';
import { type Caller } from '../../audit/audit-log.js';
import { LoginService } from './login.service.js';
import { PasswordService } from './password.service.js';
import { RefreshService } from './refresh.service.js';
import { RequestCaller } from '../request/caller.decorator.js';
import { DeliversTokens } from '../cookies/delivers-tokens.decorator.js';
import { RefusalHeadersInterceptor } from '../guard/refusal-headers.interceptor.js';
import { CurrentUser } from '../request/current-user.decorator.js';
import { ChangePasswordDto, LoginDto, ReauthenticateDto } from '../dto/credentials.dto.js';
import { TokenPairDto } from '../dto/token-pair.dto.js';
import { FreshAccess } from '../fresh-access/fresh-access.decorator.js';
import { Public } from '../guard/public.decorator.js';
import { type Principal } from '../request/principal.js';
import { RotatesRefresh } from '../refresh/refresh.decorator.js';
import { type RefreshRequest, PresentedRefresh } from '../refresh/refresh-request.js';
import { type IssuedPair } from '../dto/token-pair.dto.js';
import { createValidationPipe } from '../dto/validation.pipe.js';
import {
  type PresentedFactors as Presented,
  type PresentedReplacement as Replacement,
} from '../accounts/factor-registry.js';
import { PresentedFactors, PresentedReplacement, TakesFactors } from './presented-factors.js';
import { PresentedDevices } from './presented-devices.js';
import { DEVICE_HEADER } from '../dto/token-pair.dto.js';
import { HashingCapacityGuard } from './hashing-capacity.guard.js';

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  required: false,
  description:
    'Names one exchange. Store a new random key for each refresh token before sending, and repeat it with every retry.',
};

const DEVICE = {
  name: DEVICE_HEADER,
  required: false,
  description: 'The value that the last login on this device returned in the header of the same name.',
};
const DEVICE_ANSWER = {
  description: 'Send it with the next login on this device.',
  schema: { type: 'string' as const },
};

/** For bodies only: on the controller it would run for each argument of each handler. */
const VALID = createValidationPipe();

@ApiTags('auth')
@UseInterceptors(RefusalHeadersInterceptor)
@Controller('auth')
export class AuthController {
  constructor(
    private readonly logins: LoginService,
    private readonly refreshes: RefreshService,
    private readonly passwords: PasswordService,
  ) {}

  @Public()
  @UseGuards(HashingCapacityGuard)
  @Post('login')
  @HttpCode(200)
  @DeliversTokens()
  @TakesFactors()
  @ApiOperation({ summary: 'Log in with a password: start a session and issue a fresh access token.' })
  @ApiHeader(DEVICE)
  @ApiOkResponse({ type: TokenPairDto, headers: { [DEVICE_HEADER]: DEVICE_ANSWER } })
  @ApiErrors({
    401: 'invalid_credentials',
    429: 'rate_limited',
    503: ['overloaded', 'database_unavailable'],
  })
  async login(
    @Body(VALID) { username, password }: LoginDto,
    @PresentedFactors() factors: Presented,
    @PresentedDevices() devices: string[],
    @RequestCaller() caller: Caller,
  ): Promise<IssuedPair> {
    return this.logins.login({ username, password, factors }, devices, caller);
  }

  @RotatesRefresh()
  @Post('refresh')
  @HttpCode(200)
  @DeliversTokens()
  @ApiOperation({
    summary: 'Exchange a refresh token for the next one and an access token that is not fresh.',
  })
  @ApiHeader(IDEMPOTENCY_KEY)
  @ApiOkResponse({ type: TokenPairDto })
  @ApiErrors({ 400: ['validation_failed', 'idempotency_key_reused'], 429: 'rate_limited' })
  async refreshTokens(@PresentedRefresh() attempt: RefreshRequest): Promise<IssuedPair> {
    return this.refreshes.refresh(attempt);
  }

  @RotatesRefresh()
  @Post('reauthenticate')
  @HttpCode(200)
  @DeliversTokens()
  @TakesFactors({ insteadOfPassword: true })
  @ApiOperation({
    summary: 'Prove the password again: exchange a refresh token for the next one and a fresh access token.',
  })
  @ApiHeader(IDEMPOTENCY_KEY)
  @ApiOkResponse({ type: TokenPairDto })
  @ApiErrors({
    400: ['validation_failed', 'idempotency_key_reused'],
    401: 'invalid_credentials',
    429: 'rate_limited',
  })
  async reauthenticate(
    @PresentedRefresh() attempt: RefreshRequest,
    @Body(VALID) { password }: ReauthenticateDto,
    @PresentedFactors() factors: Presented,
    @PresentedReplacement() replacement: Replacement | undefined,
  ): Promise<IssuedPair> {
    return this.refreshes.reauthenticate(attempt, { password, factors, replacement });
  }

  @FreshAccess()
  @Put('password')
  @DeliversTokens()
  @TakesFactors()
  @ApiOperation({ summary: 'Change the password. Every session is revoked, and a new one is opened.' })
  @ApiOkResponse({ type: TokenPairDto })
  @ApiErrors({ 401: 'invalid_credentials', 429: 'rate_limited' })
  async changePassword(
    @CurrentUser() user: Principal,
    @Body(VALID)
    { current_password: currentPassword, new_password: newPassword }: ChangePasswordDto,
    @PresentedFactors() factors: Presented,
    @RequestCaller() caller: Caller,
  ): Promise<IssuedPair> {
    return this.passwords.change(user, { currentPassword, newPassword, factors }, caller);
  }
}
