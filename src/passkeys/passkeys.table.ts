import { type Kysely, type Selectable } from 'kysely';
import { type Migrations } from '../database/index.js';

/** Public keys only: a dump of the database forges no login. Times are milliseconds. */
export interface PasskeysTable {
  id: string;
  user_id: string;
  /** The id that the authenticator gave it, in base64url. */
  credential_id: string;
  /** COSE, in base64url. */
  public_key: string;
  /** WebAuthn §6.1.1: always 0 for passkeys that are synchronised between devices. */
  counter: number;
  /** Random, in base64url; the same for all passkeys of the user. WebAuthn §14.6.1: it must not tell who the user is. */
  user_handle: string;
  /** The ways in which browsers reach the authenticator, separated by spaces. */
  transports: string;
  name: string;
  created_at: number;
  last_used_at: number | null;
}

export type Passkey = Selectable<PasskeysTable>;

declare module '../database/index.js' {
  interface Tables {
    passkeys: PasskeysTable;
  }
}

export const passkeysMigrations: Migrations = {
  '2026-11-29.4-passkeys': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('passkeys')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('user_id', 'text', (c) => c.notNull().references('users.id').onDelete('cascade'))
        .addColumn('credential_id', 'text', (c) => c.notNull().unique())
        .addColumn('public_key', 'text', (c) => c.notNull())
        .addColumn('counter', 'bigint', (c) => c.notNull())
        .addColumn('user_handle', 'text', (c) => c.notNull())
        .addColumn('transports', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('last_used_at', 'bigint')
        .execute();
      await db.schema.createIndex('passkeys_by_user').on('passkeys').column('user_id').execute();
    },
  },
};
