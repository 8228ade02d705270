import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Executor, isForeignKeyViolation, type Tx } from '../../database/index.js';
import { type TransferRow } from './transfers.table.js';

export interface NewTransfer {
  senderId: string;
  receiverId: string;
  amount: number;
  idempotencyKey: string | null;
  requestHash: string;
  /** Milliseconds. */
  now: number;
}

export type TransferResult = TransferRow | 'insufficient_funds' | 'account_gone';

/** Rolls the transaction back and carries the result. */
class Abort extends Error {
  constructor(readonly result: 'insufficient_funds' | 'account_gone') {
    super(result);
  }
}

@Injectable()
export class TransfersRepository {
  constructor(private readonly db: Database) {}

  async findByKey(
    senderId: string,
    idempotencyKey: string,
    db: Executor = this.db,
  ): Promise<TransferRow | undefined> {
    return db
      .selectFrom('transfers')
      .selectAll()
      .where('sender_id', '=', senderId)
      .where('idempotency_key', '=', idempotencyKey)
      .executeTakeFirst();
  }

  /** Lists transfers, newest first; `before` is the id of the last transfer of the previous page. */
  async list(userId: string, limit: number, before?: string): Promise<TransferRow[]> {
    return (
      this.db
        .selectFrom('transfers')
        .selectAll()
        .where((eb) => eb.or([eb('sender_id', '=', userId), eb('receiver_id', '=', userId)]))
        .$if(before !== undefined, (query) => query.where('id', '<', before ?? ''))
        // UUIDv7: ids sort by time.
        .orderBy('id', 'desc')
        .limit(limit)
        .execute()
    );
  }

  async balance(userId: string): Promise<number | undefined> {
    const row = await this.db
      .selectFrom('balances')
      .select('amount')
      .where('user_id', '=', userId)
      .executeTakeFirst();
    return row?.amount;
  }

  /**
   * Moves the money and records the transfer in one transaction, or does nothing. The same sender with the same key
   * gets the first transfer again, even if both requests were parallel; the caller compares their hashes.
   */
  async transfer(transfer: NewTransfer, openingBalance: number): Promise<TransferResult> {
    try {
      return await this.db.inTransaction(async (tx) => {
        const row = await this.record(tx, transfer);
        // A transfer with this key exists: the money has already moved.
        if (!row) return this.recorded(tx, transfer);
        await this.move(tx, transfer, openingBalance);
        return row;
      });
    } catch (error) {
      if (error instanceof Abort) return error.result;
      // The account was deleted after it was looked up.
      if (isForeignKeyViolation(error)) return 'account_gone';
      throw error;
    }
  }

  private async record(tx: Tx, transfer: NewTransfer) {
    return tx
      .insertInto('transfers')
      .values({
        id: uuidv7(),
        sender_id: transfer.senderId,
        receiver_id: transfer.receiverId,
        amount: transfer.amount,
        idempotency_key: transfer.idempotencyKey,
        request_hash: transfer.requestHash,
        created_at: transfer.now,
      })
      .onConflict((conflict) => conflict.columns(['sender_id', 'idempotency_key']).doNothing())
      .returningAll()
      .executeTakeFirst();
  }

  private async recorded(tx: Tx, { senderId, idempotencyKey }: NewTransfer): Promise<TransferRow> {
    const row = await this.findByKey(senderId, idempotencyKey ?? '', tx);
    if (!row) throw new Error('a transfer conflicted with one that does not exist');
    return row;
  }

  /** Locks in the order of the ids: two opposite transfers at once would otherwise deadlock. */
  private async move(
    tx: Tx,
    { senderId, receiverId, amount }: NewTransfer,
    openingBalance: number,
  ): Promise<void> {
    const steps = [
      { userId: senderId, delta: -amount },
      { userId: receiverId, delta: amount },
    ].toSorted((a, b) => (a.userId < b.userId ? -1 : 1));
    for (const { userId, delta } of steps) {
      await this.open(tx, userId, openingBalance);
      const { numUpdatedRows } = await tx
        .updateTable('balances')
        .set((eb) => ({ amount: eb('amount', '+', delta) }))
        .where('user_id', '=', userId)
        // The row decides at the moment of the update, so that parallel transfers cannot overdraw it.
        .where('amount', '>=', -delta)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw new Abort(delta < 0 ? 'insufficient_funds' : 'account_gone');
    }
  }

  /** Opens the account with its first transfer, in or out. */
  private async open(tx: Tx, userId: string, amount: number): Promise<void> {
    await tx
      .insertInto('balances')
      .values({ user_id: userId, amount })
      .onConflict((conflict) => conflict.column('user_id').doNothing())
      .execute();
  }
}
