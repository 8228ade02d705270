import { Body, Controller, Post, UseGuards, UseInterceptors } from '@nestjs/common';
import { ApiCreatedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Caller } from '../../audit/audit-log.js';
import { AccountDto, toAccountDto } from '../dto/account.dto.js';
import { RegisterDto } from '../dto/credentials.dto.js';
import { createValidationPipe } from '../dto/validation.pipe.js';
import { ApiErrors } from '../errors/api-errors.decorator.js';
import { Public } from '../guard/public.decorator.js';
import { RequestCaller } from '../request/caller.decorator.js';
import { RefusalHeadersInterceptor } from '../guard/refusal-headers.interceptor.js';
import { HashingCapacityGuard } from './hashing-capacity.guard.js';
import { Registration } from './registration.js';

const VALID = createValidationPipe();

/** Absent if another module registers accounts: `AuthModule.forRoot({ …, registers: false })`. */
@ApiTags('auth')
@UseInterceptors(RefusalHeadersInterceptor)
@Controller('auth')
export class RegisterController {
  constructor(private readonly registration: Registration) {}

  @Public()
  @UseGuards(HashingCapacityGuard)
  @Post('register')
  @ApiOperation({ summary: 'Create an account.' })
  @ApiCreatedResponse({ type: AccountDto })
  @ApiErrors({
    403: 'registration_closed',
    409: 'username_taken',
    429: 'rate_limited',
    503: ['overloaded', 'database_unavailable'],
  })
  async register(
    @Body(VALID) { username, password }: RegisterDto,
    @RequestCaller() caller: Caller,
  ): Promise<AccountDto> {
    return toAccountDto(await this.registration.register(username, password, caller));
  }
}
