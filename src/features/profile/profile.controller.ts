import { Controller, Delete, Get, HttpCode } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '../../openapi/decorators.js';
import {
  AccountDto,
  Accounts,
  type Caller,
  ClearsTokens,
  CurrentUser,
  FreshAccess,
  LoadUser,
  type Principal,
  RequestCaller,
} from '../../auth/index.js';
import { ProfileDto } from './profile.dto.js';

@ApiTags('profile')
@Controller('profile')
export class ProfileController {
  constructor(private readonly accounts: Accounts) {}

  @Get()
  @ApiOperation({ summary: 'Who am I' })
  @ApiOkResponse({ type: ProfileDto })
  show(@CurrentUser() user: Principal, @CurrentUser(LoadUser) account: AccountDto): ProfileDto {
    return { ...account, fresh: user.fresh, auth_time: user.authTime };
  }

  @FreshAccess()
  @ClearsTokens()
  @Delete()
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete the account with all it owns, and end its sessions' })
  @ApiNoContentResponse()
  async delete(@CurrentUser() user: Principal, @RequestCaller() caller: Caller): Promise<void> {
    await this.accounts.delete(user, caller);
  }
}
