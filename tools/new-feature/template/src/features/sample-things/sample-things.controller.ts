import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { ApiErrors, CurrentUser, FreshAccess, type Principal } from '../../auth/index.js';
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
  @ApiOperation({ summary: 'List the sample things of the user, newest first.' })
  @ApiOkResponse({ type: SampleThingListDto })
  async listSampleThings(
    @CurrentUser() user: Principal,
    @Query() query: ListSampleThingsQuery,
  ): Promise<SampleThingListDto> {
    return this.service.list(user, query);
  }

  @Post()
  @ApiOperation({ summary: 'Create one sample thing.' })
  @ApiCreatedResponse({ type: SampleThingDto })
  async createSampleThing(
    @CurrentUser() user: Principal,
    @Body() body: CreateSampleThingDto,
  ): Promise<SampleThingDto> {
    return this.service.create(user, body);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get one sample thing.' })
  @ApiOkResponse({ type: SampleThingDto })
  @ApiErrors({ 404: 'not_found' })
  async getSampleThing(@CurrentUser() user: Principal, @Param('id') id: string): Promise<SampleThingDto> {
    return this.service.find(user, id);
  }

  @FreshAccess()
  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete one sample thing.' })
  @ApiNoContentResponse()
  @ApiErrors({ 404: 'not_found' })
  async deleteSampleThing(@CurrentUser() user: Principal, @Param('id') id: string): Promise<void> {
    await this.service.delete(user, id);
  }
}
