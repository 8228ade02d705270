import { Body, Controller, HttpCode, Post, Put, UseGuards } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiForbiddenResponse,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
  ApiTooManyRequestsResponse,
  ApiUnauthorizedResponse,
} from '../../openapi/decorators.js';
import { type Caller } from '../../audit/audit-log.js';
import { AuthService } from './auth.service.js';
import { RequestCaller } from '../request/caller.decorator.js';
import { DeliversTokens } from '../cookies/delivers-tokens.decorator.js';
import { CurrentUser } from '../request/current-user.decorator.js';
import { AccountDto, toAccountDto } from '../dto/account.dto.js';
import { ChangePasswordDto, LoginDto, ReauthenticateDto, RegisterDto } from '../dto/credentials.dto.js';
import { TokenPairDto } from '../dto/token-pair.dto.js';
import { FreshAccess } from '../fresh-access/fresh-access.decorator.js';
import { Public } from '../guard/public.decorator.js';
import { type Principal } from '../request/principal.js';
import { RotatesRefresh } from '../refresh/refresh.decorator.js';
import { type RefreshRequest, PresentedRefresh } from '../refresh/refresh-request.js';
import { type IssuedPair } from './token-pairs.js';
import { createValidationPipe } from '../dto/validation.pipe.js';
import { DEVICE_HEADER, PresentedDevices } from './presented-devices.js';
import { HashingCapacityGuard } from './hashing-capacity.guard.js';

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  required: false,
  description:
    'Names one rotation: a new random key for each refresh token, stored before sending, the same with every try.',
};

const DEVICE = {
  name: DEVICE_HEADER,
  required: false,
  description: 'What the last login on this device answered in the header of the same name.',
};
const DEVICE_ANSWER = {
  description: 'To be sent with the next login on this device.',
  schema: { type: 'string' as const },
};
const RATE_LIMITED = { description: '`rate_limited`, with `Retry-After`' };
const OVERLOADED = { description: '`overloaded`, with `Retry-After`' };

/** For bodies alone: on the controller it would be asked for each argument of each handler. */
const VALID = createValidationPipe();

@ApiTags('auth')
@Controller('auth')
export class AuthController {
  constructor(private readonly auth: AuthService) {}

  @Public()
  @UseGuards(HashingCapacityGuard)
  @Post('register')
  @ApiOperation({ summary: 'Create an account' })
  @ApiCreatedResponse({ type: AccountDto })
  @ApiBadRequestResponse({ description: '`validation_failed`' })
  @ApiForbiddenResponse({ description: '`registration_closed`' })
  @ApiConflictResponse({ description: '`username_taken`' })
  @ApiTooManyRequestsResponse(RATE_LIMITED)
  @ApiServiceUnavailableResponse(OVERLOADED)
  async register(
    @Body(VALID) { username, password }: RegisterDto,
    @RequestCaller() caller: Caller,
  ): Promise<AccountDto> {
    return toAccountDto(await this.auth.register(username, password, caller));
  }

  @Public()
  @UseGuards(HashingCapacityGuard)
  @Post('login')
  @HttpCode(200)
  @DeliversTokens()
  @ApiOperation({ summary: 'Password → a fresh access token and a refresh token' })
  @ApiHeader(DEVICE)
  @ApiOkResponse({ type: TokenPairDto, headers: { [DEVICE_HEADER]: DEVICE_ANSWER } })
  @ApiUnauthorizedResponse({ description: '`invalid_credentials`' })
  @ApiTooManyRequestsResponse(RATE_LIMITED)
  @ApiServiceUnavailableResponse(OVERLOADED)
  async login(
    @Body(VALID) { username, password }: LoginDto,
    @PresentedDevices() devices: string[],
    @RequestCaller() caller: Caller,
  ): Promise<IssuedPair> {
    return this.auth.login(username, password, devices, caller);
  }

  @RotatesRefresh()
  @Post('refresh')
  @HttpCode(200)
  @DeliversTokens()
  @ApiOperation({ summary: 'Refresh token → the next one, and an access token that is not fresh' })
  @ApiHeader(IDEMPOTENCY_KEY)
  @ApiOkResponse({ type: TokenPairDto })
  @ApiTooManyRequestsResponse(RATE_LIMITED)
  async refresh(@PresentedRefresh() attempt: RefreshRequest): Promise<IssuedPair> {
    return this.auth.refresh(attempt);
  }

  @RotatesRefresh()
  @Post('reauthenticate')
  @HttpCode(200)
  @DeliversTokens()
  @ApiOperation({ summary: 'Refresh token and password → the next one, and a fresh access token' })
  @ApiHeader(IDEMPOTENCY_KEY)
  @ApiOkResponse({ type: TokenPairDto })
  @ApiUnauthorizedResponse({ description: '`invalid_credentials`' })
  @ApiTooManyRequestsResponse(RATE_LIMITED)
  @ApiServiceUnavailableResponse(OVERLOADED)
  async reauthenticate(
    @PresentedRefresh() attempt: RefreshRequest,
    @Body(VALID) { password }: ReauthenticateDto,
  ): Promise<IssuedPair> {
    return this.auth.reauthenticate(attempt, password);
  }

  @FreshAccess()
  @Put('password')
  @DeliversTokens()
  @ApiOperation({ summary: 'Change the password; every other session ends' })
  @ApiOkResponse({ type: TokenPairDto })
  @ApiUnauthorizedResponse({ description: '`invalid_credentials`' })
  @ApiTooManyRequestsResponse(RATE_LIMITED)
  @ApiServiceUnavailableResponse(OVERLOADED)
  async changePassword(
    @CurrentUser() user: Principal,
    @Body(VALID) body: ChangePasswordDto,
    @RequestCaller() caller: Caller,
  ): Promise<IssuedPair> {
    return this.auth.changePassword(user, body.current_password, body.new_password, caller);
  }
}
