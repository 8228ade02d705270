import { type Kysely, type Selectable } from 'kysely';
import { type Migrations } from '../database/index.js';

/** See `User` for the meaning of the columns. */
export interface UsersTable {
  id: string;
  /** Lower case; see `USERNAME`. Of an account without a username, its `email`. */
  username: string;
  email: string | null;
  email_pending: string | null;
  email_undone_at: number;
  password_hash: string;
  credential_version: number;
  /**
   * Names separated by spaces, as in OAuth's `scope` (RFC 6749 §3.3). Unlike JSON, every text is valid and an operator can
   * write it by hand.
   */
  roles: string;
  disabled_at: number | null;
  created_at: number;
}

export type UsersRow = Selectable<UsersTable>;

declare module '../database/index.js' {
  interface Tables {
    users: UsersTable;
  }
}

export const usersMigrations: Migrations = {
  '2026-11-22.1-users': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('users')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('username', 'text', (c) => c.notNull().unique())
        .addColumn('password_hash', 'text', (c) => c.notNull())
        .addColumn('credential_version', 'integer', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .execute();
    },
  },
  '2026-11-24.1-users-roles': {
    async up(db: Kysely<unknown>) {
      // SQLite adds one column at a time.
      await db.schema
        .alterTable('users')
        .addColumn('roles', 'text', (c) => c.notNull().defaultTo(''))
        .execute();
      await db.schema.alterTable('users').addColumn('disabled_at', 'bigint').execute();
    },
  },
  '2026-11-28.5-users-email': {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('users').addColumn('email', 'text').execute();
      await db.schema.alterTable('users').addColumn('email_pending', 'text').execute();
      await db.schema
        .alterTable('users')
        .addColumn('email_undone_at', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
      await db.schema.createIndex('users_by_email').unique().on('users').column('email').execute();
    },
  },
};
