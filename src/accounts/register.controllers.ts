import { Body, Controller, HttpCode, Post, UseGuards, UseInterceptors } from '@nestjs/common';
import { ApiAcceptedResponse, ApiCreatedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  AccountDto,
  ApiErrors,
  type Caller,
  createValidationPipe,
  Public,
  RequestCaller,
} from '../auth/index.js';
import { HashingCapacityGuard, toAccountDto, RefusalHeadersInterceptor } from '../auth/internals.js';
import { RegisterByEmailDto, RegisterWithEmailDto, TokenDto } from './accounts.dto.js';
import { Registrations } from './registrations.js';
import { UsernameRegistration } from './username-registration.js';

const VALID = createValidationPipe();

/** With `LOGIN_NAME=username`. */
@ApiTags('auth')
@UseInterceptors(RefusalHeadersInterceptor)
@Controller('auth')
export class RegisterByUsernameController {
  constructor(private readonly registration: UsernameRegistration) {}

  @Public()
  @UseGuards(HashingCapacityGuard)
  @Post('register')
  @ApiOperation({ summary: 'Create an account. With an address, a mail asks for its proof.' })
  @ApiCreatedResponse({ type: AccountDto })
  @ApiErrors({
    403: 'registration_closed',
    409: 'username_taken',
    429: 'rate_limited',
    503: ['overloaded', 'database_unavailable'],
  })
  async register(
    @Body(VALID) { username, email, password }: RegisterWithEmailDto,
    @RequestCaller() caller: Caller,
  ): Promise<AccountDto> {
    return toAccountDto(await this.registration.register({ username, email, password }, caller));
  }
}

/** With `LOGIN_NAME=email`. */
@ApiTags('auth')
@UseInterceptors(RefusalHeadersInterceptor)
@Controller('auth')
export class RegisterByEmailController {
  constructor(private readonly registrations: Registrations) {}

  @Public()
  @UseGuards(HashingCapacityGuard)
  @Post('register')
  @HttpCode(202)
  @ApiOperation({ summary: 'Register an address. The answer is the same whether or not it has an account.' })
  @ApiAcceptedResponse({ description: 'A mail is on its way.' })
  @ApiErrors({
    403: 'registration_closed',
    429: 'rate_limited',
    503: ['overloaded', 'database_unavailable'],
  })
  async register(
    @Body(VALID) { email, password }: RegisterByEmailDto,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.registrations.add(email, password, caller);
  }

  @Public()
  @Post('register/confirm')
  @ApiOperation({ summary: 'Create the account of a registration, with the token of its mail.' })
  @ApiCreatedResponse({ type: AccountDto })
  @ApiErrors({ 400: ['validation_failed', 'link_invalid'], 409: 'email_taken' })
  async confirmRegistration(
    @Body(VALID) { token }: TokenDto,
    @RequestCaller() caller: Caller,
  ): Promise<AccountDto> {
    return toAccountDto(await this.registrations.confirm(token, caller));
  }
}
