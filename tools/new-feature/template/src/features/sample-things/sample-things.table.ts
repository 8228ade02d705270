import { type Kysely, type Selectable } from 'kysely';
import { type Migrations } from '../../database/index.js';

export interface SampleThingsTable {
  /** UUIDv7: ids sort by the time of their making. */
  id: string;
  owner_id: string;
  name: string;
  /** Milliseconds. */
  created_at: number;
}

export type SampleThingRow = Selectable<SampleThingsTable>;

declare module '../../database/index.js' {
  interface Tables {
    sample_things: SampleThingsTable;
  }
}

/** Migrations run once, at the start. Never change one that has run somewhere: add another one below it. */
export const sampleThingsMigrations: Migrations = {
  'MIGRATION-sample-things': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('sample_things')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('owner_id', 'text', (c) => c.notNull().references('users.id').onDelete('cascade'))
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema
        .createIndex('sample_things_by_owner')
        .on('sample_things')
        .columns(['owner_id', 'id'])
        .execute();
    },
  },
};
