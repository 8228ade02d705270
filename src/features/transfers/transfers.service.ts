import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
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
    const requestHash = hashOf(to, amount);
    // Read before the look-up of the key. A parallel request with the same key that spends the money after this line is
    // detected by the transaction; one that spent it earlier is found by its key.
    const balance = await this.balance(userId);
    const earlier = key === null ? undefined : await this.transfers.findByKey(userId, key);
    if (earlier) return this.repeated(userId, earlier, requestHash);
    // Checked before the receiver: 404 for unknown names and 409 for known ones would tell a sender without money which
    // usernames exist. With money, each known name costs a transfer and a fresh token.
    if (balance < amount) throw insufficientFunds();

    const receiver = await this.accounts.findByUsername(to);
    if (!receiver) throw noSuchReceiver(to);
    if (receiver.id === userId) throw validationFailed([{ field: 'to', messages: ['must be another user'] }]);

    const transfer = { senderId: userId, receiverId: receiver.id, amount, idempotencyKey: key, requestHash };
    const result = await this.transfers.transfer(
      { ...transfer, now: this.clock.now() },
      this.options.openingBalance,
    );
    if (result === 'insufficient_funds') throw insufficientFunds();
    if (result === 'account_gone') {
      // Either account may be the deleted one. If it is the sender's, `get` answers `token_revoked`.
      await this.accounts.get(userId);
      throw noSuchReceiver(to);
    }
    return this.repeated(userId, result, requestHash);
  }

  async list({ userId }: Principal, { limit, cursor }: ListTransfersQuery): Promise<TransferListDto> {
    const rows = await this.transfers.list(userId, limit + 1, cursor);
    const page = rows.slice(0, limit);
    const names = await this.accounts.usernames(
      page.map((row) => counterpartyOf(userId, row)).filter((id) => id !== null),
    );
    return {
      balance: await this.balance(userId),
      items: page.map((row) => toDto(userId, row, names)),
      next_cursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
    };
  }

  /** Returns the balance; an account without transfers has the opening balance. */
  private async balance(userId: string): Promise<number> {
    return (await this.transfers.balance(userId)) ?? this.options.openingBalance;
  }

  /** Returns the transfer of a key if the request is a repetition. A key must not be used for a second transfer. */
  private async repeated(userId: string, row: TransferRow, requestHash: string): Promise<TransferDto> {
    if (row.request_hash !== null && row.request_hash !== requestHash) {
      const message = 'The Idempotency-Key belongs to another transfer; send a new key';
      throw new ApiError(422, 'idempotency_key_reused', message);
    }
    return this.toDto(userId, row);
  }

  private async toDto(userId: string, row: TransferRow): Promise<TransferDto> {
    const other = counterpartyOf(userId, row);
    return toDto(userId, row, await this.accounts.usernames(other === null ? [] : [other]));
  }
}

/** Recognises a repeated request. A hash, so that the username of a deleted receiver is not stored. */
function hashOf(to: string, amount: number): string {
  return createHash('sha256')
    .update(JSON.stringify([to, amount]))
    .digest('base64url');
}

function insufficientFunds(): ApiError {
  return new ApiError(409, 'insufficient_funds', 'Not enough money for this transfer');
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
