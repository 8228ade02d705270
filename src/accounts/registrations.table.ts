import { type Kysely, type Selectable } from 'kysely';
import { type Migrations } from '../database/index.js';

/** Registrations by address that are not confirmed. They reserve nothing. */
export interface RegistrationsTable {
  id: string;
  email: string;
  password_hash: string;
  /** Where it came from, for the mail. */
  ip: string | null;
  created_at: number;
}

export type RegistrationRow = Selectable<RegistrationsTable>;

declare module '../database/index.js' {
  interface Tables {
    registrations: RegistrationsTable;
  }
}

export const registrationsMigrations: Migrations = {
  '2026-11-28.7-registrations': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('registrations')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('email', 'text', (c) => c.notNull())
        .addColumn('password_hash', 'text', (c) => c.notNull())
        .addColumn('ip', 'text')
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema.createIndex('registrations_by_email').on('registrations').column('email').execute();
      await db.schema.createIndex('registrations_by_age').on('registrations').column('created_at').execute();
    },
  },
};
