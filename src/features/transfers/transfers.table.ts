import { type Kysely, type Selectable } from 'kysely';
import { type Migrations } from '../../database/index.js';

/** Money is in whole minor units (cents), so that nothing is rounded. */
export interface BalancesTable {
  user_id: string;
  amount: number;
}

export interface TransfersTable {
  id: string;
  /** Null after the account was deleted; the other side keeps its record. */
  sender_id: string | null;
  receiver_id: string | null;
  amount: number;
  /** The sender's `Idempotency-Key`: the same key never moves money twice. */
  idempotency_key: string | null;
  /** The hash of the request with that key. Null for transfers from before this column. */
  request_hash: string | null;
  /** Milliseconds. */
  created_at: number;
}

export type TransferRow = Selectable<TransfersTable>;

declare module '../../database/index.js' {
  interface Tables {
    balances: BalancesTable;
    transfers: TransfersTable;
  }
}

export const transfersMigrations: Migrations = {
  '2026-11-22.3-transfers': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('balances')
        .addColumn('user_id', 'text', (c) => c.primaryKey().references('users.id').onDelete('cascade'))
        .addColumn('amount', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('transfers')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('sender_id', 'text', (c) => c.references('users.id').onDelete('set null'))
        .addColumn('receiver_id', 'text', (c) => c.references('users.id').onDelete('set null'))
        .addColumn('amount', 'bigint', (c) => c.notNull())
        .addColumn('idempotency_key', 'text')
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addUniqueConstraint('transfers_by_key', ['sender_id', 'idempotency_key'])
        .execute();
      await db.schema
        .createIndex('transfers_by_sender')
        .on('transfers')
        .columns(['sender_id', 'id'])
        .execute();
      await db.schema
        .createIndex('transfers_by_receiver')
        .on('transfers')
        .columns(['receiver_id', 'id'])
        .execute();
    },
  },
  '2026-11-28.4-transfers-request-hash': {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('transfers').addColumn('request_hash', 'text').execute();
    },
  },
};
