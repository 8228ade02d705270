import { Controller, Delete, Get, HttpCode } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  AccountDto,
  Accounts,
  ApiErrors,
  type Caller,
  ClearsTokens,
  CurrentUser,
  FreshAccess,
  LoadUser,
  NotCached,
  type Principal,
  RequestCaller,
} from '../../auth/index.js';
import { ProfileDto } from './profile.dto.js';

@ApiTags('profile')
@Controller('profile')
export class ProfileController {
  constructor(private readonly accounts: Accounts) {}

  @NotCached()
  @Get()
  @ApiOperation({ summary: 'Get the account of the user.' })
  @ApiOkResponse({ type: ProfileDto })
  getProfile(@CurrentUser() user: Principal, @CurrentUser(LoadUser) account: AccountDto): ProfileDto {
    return { ...account, fresh: user.fresh, auth_time: user.authTime };
  }

  @FreshAccess()
  @ClearsTokens()
  @Delete()
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete the account and everything it owns. Its sessions are revoked.' })
  @ApiNoContentResponse()
  @ApiErrors({ 409: 'last_admin' })
  async deleteAccount(@CurrentUser() user: Principal, @RequestCaller() caller: Caller): Promise<void> {
    await this.accounts.delete(user, caller);
  }
}
