import { type Kysely, type Selectable } from 'kysely';
import { type Migrations } from '../database/index.js';

/** The outbox. Holds no text of a mail and no token: a mail is composed when it is sent. */
export interface MailsTable {
  id: string;
  /** Which `MailKind` composes it. */
  kind: string;
  /** Whose account the mail is about. No foreign key, because users may be in a team's own table. */
  user_id: string | null;
  /** What the kind needs, as JSON. */
  data: string;
  created_at: number;
  next_try_at: number;
  tries: number;
  /** The end of the claim of the instance that is sending it. */
  claimed_until: number | null;
  /** For the hourly limits: the kind's limit, the recipient, and the time. Set once the mail has passed the limits. */
  limited_as: string | null;
  address: string | null;
  counted_at: number | null;
  /** The row is kept for a while afterwards, for the limits. */
  sent_at: number | null;
}

export type MailRow = Selectable<MailsTable>;

declare module '../database/index.js' {
  interface Tables {
    mails: MailsTable;
  }
}

export const mailsMigrations: Migrations = {
  '2026-11-28.6-mails': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('mails')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('kind', 'text', (c) => c.notNull())
        .addColumn('user_id', 'text')
        .addColumn('data', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('next_try_at', 'bigint', (c) => c.notNull())
        .addColumn('tries', 'integer', (c) => c.notNull())
        .addColumn('claimed_until', 'bigint')
        .addColumn('limited_as', 'text')
        .addColumn('address', 'text')
        .addColumn('counted_at', 'bigint')
        .addColumn('sent_at', 'bigint')
        .execute();
      await db.schema.createIndex('mails_by_try').on('mails').columns(['sent_at', 'next_try_at']).execute();
      await db.schema.createIndex('mails_by_age').on('mails').column('created_at').execute();
      await db.schema.createIndex('mails_by_user').on('mails').columns(['user_id', 'counted_at']).execute();
      await db.schema
        .createIndex('mails_by_address')
        .on('mails')
        .columns(['address', 'counted_at'])
        .execute();
    },
  },
};
