import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, UsePipes } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import {
  type Acting,
  ApiErrors,
  type Caller,
  createValidationPipe,
  CurrentUser,
  FreshAccess,
  NotCached,
  type Principal,
  RequestCaller,
  Roles,
} from '../../auth/index.js';
import { ManagedUsers } from './managed-users.js';
import {
  CreateUserDto,
  ListUsersQuery,
  ManagedUserDto,
  ManagedUserListDto,
  toManagedUserDto,
  UpdateUserDto,
} from './users.dto.js';

@ApiTags('admin')
@Roles('admin')
@UsePipes(createValidationPipe())
@Controller('admin/users')
export class UsersController {
  constructor(private readonly users: ManagedUsers) {}

  @NotCached()
  @Get()
  @ApiOperation({ summary: 'List users, ordered by username.' })
  @ApiOkResponse({ type: ManagedUserListDto })
  async listUsers(@Query() query: ListUsersQuery): Promise<ManagedUserListDto> {
    const { users, nextCursor } = await this.users.list(query);
    return { items: users.map(toManagedUserDto), next_cursor: nextCursor };
  }

  @NotCached()
  @Get(':id')
  @ApiOperation({ summary: 'Get a user.' })
  @ApiOkResponse({ type: ManagedUserDto })
  @ApiErrors({ 404: 'not_found' })
  async getUser(@Param('id') id: string): Promise<ManagedUserDto> {
    return toManagedUserDto(await this.users.get(id));
  }

  @FreshAccess()
  @Post()
  @ApiOperation({ summary: 'Create a user, who gets a mail to set the password.' })
  @ApiCreatedResponse({ type: ManagedUserDto })
  @ApiErrors({ 409: ['username_taken', 'email_taken', 'no_mail'] })
  async createUser(
    @CurrentUser() admin: Principal,
    @Body() body: CreateUserDto,
    @RequestCaller() caller: Caller,
  ): Promise<ManagedUserDto> {
    return toManagedUserDto(await this.users.create(body, actingAs(admin, caller)));
  }

  @FreshAccess()
  @Post(':id/reset-password')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Make the password void, revoke all sessions and send a mail to set a new password.',
  })
  @ApiAcceptedResponse()
  @ApiErrors({ 404: 'not_found', 409: ['no_mail', 'changed_meanwhile'] })
  async resetUserPassword(
    @CurrentUser() admin: Principal,
    @Param('id') id: string,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.users.resetPassword(id, actingAs(admin, caller));
  }

  @FreshAccess()
  @Post(':id/reset-factors')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove all second factors and recovery codes of a user.' })
  @ApiNoContentResponse()
  @ApiErrors({ 404: 'not_found', 409: 'changed_meanwhile' })
  async resetUserFactors(
    @CurrentUser() admin: Principal,
    @Param('id') id: string,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.users.resetFactors(id, actingAs(admin, caller));
  }

  @FreshAccess()
  @Patch(':id')
  @ApiOperation({ summary: 'Disable or enable a user, or replace the roles.' })
  @ApiOkResponse({ type: ManagedUserDto })
  @ApiErrors({ 404: 'not_found', 409: ['last_admin', 'changed_meanwhile'] })
  async updateUser(
    @CurrentUser() admin: Principal,
    @Param('id') id: string,
    @Body() body: UpdateUserDto,
    @RequestCaller() caller: Caller,
  ): Promise<ManagedUserDto> {
    return toManagedUserDto(await this.users.update(id, body, actingAs(admin, caller)));
  }

  @FreshAccess()
  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete a user and everything that the account owns. Its sessions are revoked.' })
  @ApiNoContentResponse()
  @ApiErrors({ 404: 'not_found', 409: 'last_admin' })
  async deleteUser(
    @CurrentUser() admin: Principal,
    @Param('id') id: string,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.users.delete(id, actingAs(admin, caller));
  }
}

function actingAs({ userId }: Principal, caller: Caller): Acting {
  return { actorId: userId, caller };
}
