import { type Kysely, PostgresAdapter, sql } from 'kysely';
import { type Migrations } from '../database/index.js';

/**
 * The counters of current windows, shared by all instances. Only on PostgreSQL: with SQLite there is one process, which
 * counts in memory.
 */
export interface RateLimitsTable {
  /** The limit's name and a hash: no user input. */
  key: string;
  points: number;
  /** Milliseconds: the end of the window. */
  expire: number | null;
}

declare module '../database/index.js' {
  interface Tables {
    rate_limits: RateLimitsTable;
  }
}

export const rateLimitsMigrations: Migrations = {
  '2026-11-24.3-rate-limits': {
    async up(db: Kysely<unknown>) {
      const table = db.schema
        .createTable('rate_limits')
        .addColumn('key', 'text', (c) => c.primaryKey())
        .addColumn('points', 'integer', (c) => c.notNull())
        .addColumn('expire', 'bigint');
      // Counting does not wait for the disk; after a crash or a failover the table is empty.
      const onPostgres = db.getExecutor().adapter instanceof PostgresAdapter;
      await (onPostgres ? table.modifyFront(sql`unlogged`) : table).execute();
      await db.schema.createIndex('rate_limits_by_expiry').on('rate_limits').column('expire').execute();
    },
  },
};
