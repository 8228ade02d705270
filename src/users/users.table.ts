import { type Kysely, type Selectable } from 'kysely';
import { type Migrations } from '../database/index.js';

export interface UsersTable {
  id: string;
  /** Lower case; see `USERNAME`. */
  username: string;
  /** PHC string: the parameters travel with the hash. */
  password_hash: string;
  /**
   * Moves with every change of the password. Whoever verified a password (which takes time) commits only if it
   * has not moved since, so a login that raced a password change leaves no session behind.
   */
  credential_version: number;
  created_at: number;
}

export type User = Selectable<UsersTable>;

declare module '../database/database.js' {
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
};
