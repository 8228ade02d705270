import { type Kysely, PostgresAdapter, sql } from 'kysely';
import { type Migrations } from '../database/index.js';

/**
 * What has been counted in windows that last, where several instances count together; an embedded database has one
 * process, which counts in memory.
 */
export interface RateLimitsTable {
  /** The limit's name and a hash: no name or address that a stranger wrote. */
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
      // Counting waits for no disk: a server that crashes, or a replica that takes over, begins to count anew.
      const onPostgres = db.getExecutor().adapter instanceof PostgresAdapter;
      await (onPostgres ? table.modifyFront(sql`unlogged`) : table).execute();
      await db.schema.createIndex('rate_limits_by_expiry').on('rate_limits').column('expire').execute();
    },
  },
};
