import { Injectable } from '@nestjs/common';
import { Accounts, ApiError, Clock, type Principal, validationFailed } from '../../auth/index.js';
import {
  type CreateTransferDto,
  type ListTransfersQuery,
  type TransferDto,
  type TransferListDto,
} from './transfers.dto.js';
import { TransfersOptions } from './transfers.options.js';
import { TransfersRepository } from './transfers.repository.js';
import { type TransferRow } from './transfers.table.js';

declare module '../../auth/index.js' {
  interface ErrorCodes {
    insufficient_funds: 409;
  }
}

@Injectable()
export class TransfersService {
  constructor(
    private readonly transfers: TransfersRepository,
    private readonly accounts: Accounts,
    private readonly clock: Clock,
    private readonly options: TransfersOptions,
  ) {}

  async create(
    { userId }: Principal,
    { to, amount }: CreateTransferDto,
    key: string | null,
  ): Promise<TransferDto> {
    const earlier = key === null ? undefined : await this.transfers.findByKey(userId, key);
    if (earlier) return this.toDto(userId, earlier);

    const receiver = await this.accounts.findByUsername(to);
    if (!receiver) throw noSuchReceiver(to);
    if (receiver.id === userId) throw validationFailed([{ field: 'to', messages: ['must be another user'] }]);

    const result = await this.transfers.transfer(
      { senderId: userId, receiverId: receiver.id, amount, idempotencyKey: key, now: this.clock.now() },
      this.options.openingBalance,
    );
    if (result === 'insufficient_funds') {
      throw new ApiError(409, 'insufficient_funds', 'Not enough money for this transfer');
    }
    if (result === 'account_gone') {
      // Whose? If the sender's own, their token has died with it.
      await this.accounts.get(userId);
      throw noSuchReceiver(to);
    }
    return this.toDto(userId, result);
  }

  async list({ userId }: Principal, { limit, cursor }: ListTransfersQuery): Promise<TransferListDto> {
    const rows = await this.transfers.list(userId, limit + 1, cursor);
    const page = rows.slice(0, limit);
    const names = await this.accounts.usernames(
      page.map((row) => counterpartyOf(userId, row)).filter((id) => id !== null),
    );
    return {
      balance: (await this.transfers.balance(userId)) ?? this.options.openingBalance,
      items: page.map((row) => toDto(userId, row, names)),
      next_cursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
    };
  }

  private async toDto(userId: string, row: TransferRow): Promise<TransferDto> {
    const other = counterpartyOf(userId, row);
    return toDto(userId, row, await this.accounts.usernames(other === null ? [] : [other]));
  }
}

function noSuchReceiver(username: string): ApiError {
  return new ApiError(404, 'not_found', `There is no account named ${username}`);
}

function counterpartyOf(userId: string, row: TransferRow): string | null {
  return row.sender_id === userId ? row.receiver_id : row.sender_id;
}

function toDto(userId: string, row: TransferRow, names: Map<string, string>): TransferDto {
  return {
    id: row.id,
    direction: row.sender_id === userId ? 'out' : 'in',
    counterparty: names.get(counterpartyOf(userId, row) ?? '') ?? null,
    amount: row.amount,
    created_at: new Date(row.created_at).toISOString(),
  };
}
