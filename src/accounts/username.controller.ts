import { Body, Controller, Patch, UseInterceptors } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  AccountDto,
  ApiErrors,
  type Caller,
  CurrentUser,
  FreshAccess,
  NotCached,
  type Principal,
  RequestCaller,
} from '../auth/index.js';
import { toAccountDto, RefusalHeadersInterceptor } from '../auth/internals.js';
import { RenameDto } from './accounts.dto.js';
import { Usernames } from './usernames.js';

@ApiTags('profile')
@UseInterceptors(RefusalHeadersInterceptor)
@Controller('profile')
export class UsernameController {
  constructor(private readonly usernames: Usernames) {}

  @FreshAccess()
  @NotCached()
  @Patch()
  @ApiOperation({ summary: 'Change the username.' })
  @ApiOkResponse({ type: AccountDto })
  @ApiErrors({ 409: ['username_taken', 'changed_meanwhile'] })
  async changeUsername(
    @CurrentUser() user: Principal,
    @Body() { username }: RenameDto,
    @RequestCaller() caller: Caller,
  ): Promise<AccountDto> {
    return toAccountDto(await this.usernames.rename(user, username, caller));
  }
}
