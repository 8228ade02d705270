import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiHeader,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '../../openapi/decorators.js';
import { CurrentUser, FreshAccess, IdempotencyKey, type Principal } from '../../auth/index.js';
import { CreateTransferDto, ListTransfersQuery, TransferDto, TransferListDto } from './transfers.dto.js';
import { TransfersService } from './transfers.service.js';

@ApiTags('transfers')
@Controller('transfers')
export class TransfersController {
  constructor(private readonly transfers: TransfersService) {}

  @Get()
  @ApiOperation({ summary: 'The balance, and the transfers, newest first' })
  @ApiOkResponse({ type: TransferListDto })
  @ApiBadRequestResponse({ description: '`validation_failed`' })
  async list(@CurrentUser() user: Principal, @Query() query: ListTransfersQuery): Promise<TransferListDto> {
    return this.transfers.list(user, query);
  }

  @FreshAccess({ once: true })
  @Post()
  @ApiOperation({ summary: 'Send money; takes a fresh token, which it spends' })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'The same key gets the first transfer again, and no second one is made.',
  })
  @ApiCreatedResponse({ type: TransferDto })
  @ApiBadRequestResponse({ description: '`validation_failed`, also for a transfer to oneself' })
  @ApiNotFoundResponse({ description: '`not_found`: no such receiver' })
  @ApiConflictResponse({ description: '`insufficient_funds`' })
  async create(
    @CurrentUser() user: Principal,
    @Body() body: CreateTransferDto,
    @IdempotencyKey() key: string | null,
  ): Promise<TransferDto> {
    return this.transfers.create(user, body, key);
  }
}
