import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  ApiErrors,
  CurrentUser,
  FreshAccess,
  IdempotencyKey,
  NotCached,
  type Principal,
} from '../../auth/index.js';
import { CreateTransferDto, ListTransfersQuery, TransferDto, TransferListDto } from './transfers.dto.js';
import { TransfersService } from './transfers.service.js';

@ApiTags('transfers')
@Controller('transfers')
export class TransfersController {
  constructor(private readonly transfers: TransfersService) {}

  @NotCached()
  @Get()
  @ApiOperation({ summary: 'Get the balance and list transfers, newest first.' })
  @ApiOkResponse({ type: TransferListDto })
  async listTransfers(
    @CurrentUser() user: Principal,
    @Query() query: ListTransfersQuery,
  ): Promise<TransferListDto> {
    return this.transfers.list(user, query);
  }

  @FreshAccess({ once: true })
  @Post()
  @ApiOperation({ summary: 'Transfer money to another user.' })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description:
      'A repeated request with the same key and the same body gets the first transfer again, and makes no second one. With another body it is refused.',
  })
  @ApiCreatedResponse({ type: TransferDto })
  @ApiErrors({ 404: 'not_found', 409: 'insufficient_funds', 422: 'idempotency_key_reused' })
  async createTransfer(
    @CurrentUser() user: Principal,
    @Body() body: CreateTransferDto,
    @IdempotencyKey() key: string | null,
  ): Promise<TransferDto> {
    return this.transfers.create(user, body, key);
  }
}
