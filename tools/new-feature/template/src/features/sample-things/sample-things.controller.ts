import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '../../openapi/decorators.js';
import { CurrentUser, FreshAccess, type Principal } from '../../auth/index.js';
import {
  CreateSampleThingDto,
  ListSampleThingsQuery,
  SampleThingDto,
  SampleThingListDto,
} from './sample-things.dto.js';
import { SampleThingsService } from './sample-things.service.js';

@ApiTags('sample-things')
@Controller('sample-things')
export class SampleThingsController {
  constructor(private readonly service: SampleThingsService) {}

  @Get()
  @ApiOperation({ summary: 'One’s own, newest first' })
  @ApiOkResponse({ type: SampleThingListDto })
  @ApiBadRequestResponse({ description: '`validation_failed`' })
  async list(
    @CurrentUser() user: Principal,
    @Query() query: ListSampleThingsQuery,
  ): Promise<SampleThingListDto> {
    return this.service.list(user, query);
  }

  @Post()
  @ApiOperation({ summary: 'Another one' })
  @ApiCreatedResponse({ type: SampleThingDto })
  @ApiBadRequestResponse({ description: '`validation_failed`' })
  async create(@CurrentUser() user: Principal, @Body() body: CreateSampleThingDto): Promise<SampleThingDto> {
    return this.service.create(user, body);
  }

  @Get(':id')
  @ApiOperation({ summary: 'One of one’s own' })
  @ApiOkResponse({ type: SampleThingDto })
  @ApiNotFoundResponse({ description: '`not_found`' })
  async find(@CurrentUser() user: Principal, @Param('id') id: string): Promise<SampleThingDto> {
    return this.service.find(user, id);
  }

  @FreshAccess()
  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete one; takes a fresh token' })
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ description: '`not_found`' })
  async delete(@CurrentUser() user: Principal, @Param('id') id: string): Promise<void> {
    await this.service.delete(user, id);
  }
}
