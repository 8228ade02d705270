import { Body, Controller, Header, HttpCode, Post, Put, Req } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiForbiddenResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { type Device } from '../sessions/sessions.repository.js';
import { type RefreshClaims } from '../tokens/token-claims.js';
import { type AuthRequest } from './auth-request.js';
import { AuthService } from './auth.service.js';
import { CurrentToken, CurrentUser } from './current-user.decorator.js';
import { AccountDto, toAccountDto } from './dto/account.dto.js';
import { ChangePasswordDto, LoginDto, ReauthenticateDto, RegisterDto } from './dto/credentials.dto.js';
import { TokenPairDto } from './dto/token-pair.dto.js';
import { FreshAccess } from './fresh-access/fresh-access.decorator.js';
import { IdempotencyKey } from './idempotency-key.decorator.js';
import { Public } from './policy/public.decorator.js';
import { type Principal, type TokenClaims } from './principal.js';
import { EndsSession, RotatesRefresh } from './refresh/refresh.decorator.js';

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  required: false,
  description:
    'Names one rotation: a new random key for each refresh token, stored before sending, the same with every try.',
};

@ApiTags('auth')
@Controller('auth')
export class AuthController {
  constructor(private readonly auth: AuthService) {}

  @Public()
  @Post('register')
  @ApiOperation({ summary: 'Create an account' })
  @ApiCreatedResponse({ type: AccountDto })
  @ApiBadRequestResponse({ description: '`validation_failed`' })
  @ApiForbiddenResponse({ description: '`registration_closed`' })
  @ApiConflictResponse({ description: '`username_taken`' })
  async register(@Body() { username, password }: RegisterDto): Promise<AccountDto> {
    return toAccountDto(await this.auth.register(username, password));
  }

  @Public()
  @Post('login')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Password → a fresh access token and a refresh token' })
  @ApiOkResponse({ type: TokenPairDto })
  @ApiUnauthorizedResponse({ description: '`invalid_credentials`' })
  async login(@Body() { username, password }: LoginDto, @Req() request: AuthRequest): Promise<TokenPairDto> {
    return this.auth.login(username, password, deviceOf(request));
  }

  @RotatesRefresh()
  @Post('refresh')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Refresh token → the next one, and an access token that is not fresh' })
  @ApiHeader(IDEMPOTENCY_KEY)
  @ApiOkResponse({ type: TokenPairDto })
  async refresh(
    @CurrentToken() token: RefreshClaims,
    @IdempotencyKey() key: string | null,
  ): Promise<TokenPairDto> {
    return this.auth.refresh(token, key);
  }

  @RotatesRefresh()
  @Post('reauthenticate')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Refresh token and password → the next one, and a fresh access token' })
  @ApiHeader(IDEMPOTENCY_KEY)
  @ApiOkResponse({ type: TokenPairDto })
  async reauthenticate(
    @CurrentToken() token: RefreshClaims,
    @IdempotencyKey() key: string | null,
    @Body() { password }: ReauthenticateDto,
  ): Promise<TokenPairDto> {
    return this.auth.reauthenticate(token, password, key);
  }

  @EndsSession()
  @Post('logout')
  @HttpCode(204)
  @ApiOperation({ summary: 'End the session of the token shown, access or refresh, expired or not' })
  @ApiNoContentResponse()
  async logout(@CurrentToken() token: TokenClaims): Promise<void> {
    await this.auth.logout(token.sid);
  }

  @FreshAccess()
  @Put('password')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Change the password; every other session ends' })
  @ApiOkResponse({ type: TokenPairDto })
  async changePassword(
    @CurrentUser() user: Principal,
    @Body() body: ChangePasswordDto,
  ): Promise<TokenPairDto> {
    return this.auth.changePassword(user, body.current_password, body.new_password);
  }
}

function deviceOf({ ip, headers }: AuthRequest): Device {
  return { ip: ip ?? null, userAgent: headers['user-agent'] ?? null };
}
