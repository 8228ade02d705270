import { type Kysely, PostgresAdapter, type Selectable, sql } from 'kysely';
import { type Acr } from '../tokens/proof.js';
import { type Migrations } from '../database/index.js';

/** Why a session was revoked. */
export type RevokeCause =
  | 'logout'
  | 'logout_all'
  | 'revoked_by_user'
  | 'revoked_by_admin'
  | 'password_changed'
  | 'password_reset'
  | 'email_undone'
  | 'role_revoked'
  | 'account_disabled'
  | 'account_deleted'
  | 'too_many_sessions'
  | 'reuse'
  | 'rolled_back';

/** One login on one device. All times are milliseconds since the epoch. */
export interface SessionsTable {
  id: string;
  /** No foreign key: the row of a revoked session outlives the account, as long as its access tokens do. */
  user_id: string;
  /**
   * How often the session has rotated. A refresh token names its generation; this counter says which is live, so the row
   * holds nothing that could be used as a token.
   */
  generation: number;
  /** When the live generation began. The grace for concurrent refreshes is measured from here. */
  rotated_at: number;
  /** SHA-256 of the `Idempotency-Key` that made the live generation; null when none was sent. */
  rotation_key_hash: string | null;
  /** When the live generation's refresh token expires. */
  idle_expires_at: number;
  /** When the session expires; no rotation changes it. */
  expires_at: number;
  /**
   * The strongest proof of the session, and of these the latest: its level, its time, and its methods (RFC 8176), separated
   * by spaces. A weaker proof is not written here: these three describe one event.
   */
  acr: Acr;
  auth_time: number;
  amr: string;
  /**
   * If the proof that made the live generation raised the level: the generation that was presented with it. That token
   * and later ones must not be exchanged for the live one.
   */
  raised_from: number | null;
  created_at: number;
  last_used_at: number;
  /** The latest expiry of any access token issued for the session: until then its revocation must be remembered. */
  access_until: number;
  /** The current window of `limits.refresh`, and its count. */
  refresh_window_ends_at: number;
  refresh_count: number;
  /** The address of the last login or refresh. */
  ip: string | null;
  user_agent: string | null;
  revoked_at: number | null;
  revoke_cause: RevokeCause | null;
}

export type Session = Selectable<SessionsTable>;

/** Fresh tokens used on a `once` route. The table keeps its first name for servers of the previous version beside this one. */
export interface SpentTokensTable {
  jti: string;
  expires_at: number;
}

declare module '../database/index.js' {
  interface Tables {
    sessions: SessionsTable;
    spent_tokens: SpentTokensTable;
  }
}

export const sessionsMigrations: Migrations = {
  '2026-11-22.2-sessions': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('sessions')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('generation', 'integer', (c) => c.notNull())
        .addColumn('rotated_at', 'bigint', (c) => c.notNull())
        .addColumn('rotation_key_hash', 'text')
        .addColumn('idle_expires_at', 'bigint', (c) => c.notNull())
        .addColumn('expires_at', 'bigint', (c) => c.notNull())
        .addColumn('auth_time', 'bigint', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('last_used_at', 'bigint', (c) => c.notNull())
        .addColumn('access_until', 'bigint', (c) => c.notNull())
        .addColumn('ip', 'text')
        .addColumn('user_agent', 'text')
        .addColumn('revoked_at', 'bigint')
        .addColumn('revoke_cause', 'text')
        .execute();
      await db.schema
        .createIndex('sessions_by_user')
        .on('sessions')
        .columns(['user_id', 'created_at'])
        .execute();
      await db.schema.createIndex('sessions_by_access_until').on('sessions').column('access_until').execute();
      await db.schema
        .createTable('spent_tokens')
        .addColumn('jti', 'text', (c) => c.primaryKey())
        .addColumn('expires_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema.createIndex('spent_tokens_by_expiry').on('spent_tokens').column('expires_at').execute();
    },
  },
  '2026-11-24.2-sessions-amr': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable('sessions')
        .addColumn('amr', 'text', (c) => c.notNull().defaultTo('pwd'))
        .execute();
    },
  },
  '2026-11-28.3-sessions-refresh-limit': {
    async up(db: Kysely<unknown>) {
      // SQLite adds one column at a time.
      for (const [column, type] of [
        ['refresh_window_ends_at', 'bigint'],
        ['refresh_count', 'integer'],
      ] as const) {
        await db.schema
          .alterTable('sessions')
          .addColumn(column, type, (c) => c.notNull().defaultTo(0))
          .execute();
      }
    },
  },
  '2026-11-29.1-sessions-acr': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable('sessions')
        .addColumn('acr', 'text', (c) => c.notNull().defaultTo('pwd'))
        .execute();
      await db.schema.alterTable('sessions').addColumn('raised_from', 'integer').execute();
    },
  },
  // For the purges, on columns that no rotation changes: an index on others would be written by each refresh.
  '2026-11-28.1-sessions-purge-indexes': {
    async up(db: Kysely<unknown>) {
      await db.schema.dropIndex('sessions_by_access_until').execute();
      await db.schema.createIndex('sessions_by_end').on('sessions').column('expires_at').execute();
      await db.schema
        .createIndex('sessions_by_revocation')
        .on('sessions')
        .column('revoked_at')
        .where(sql.ref('revoked_at'), 'is not', null)
        .execute();
    },
  },
  // `revoked_xid`: the transaction that revoked the session, so that new revocations can be read after LISTEN was lost. A
  // trigger fills it, also for servers of the previous version and operators. Only on PostgreSQL: SQLite has one instance.
  '2026-11-28.5-sessions-revoked-xid': {
    async up(db: Kysely<unknown>) {
      if (!(db.getExecutor().adapter instanceof PostgresAdapter)) return;
      await db.schema
        .alterTable('sessions')
        .addColumn('revoked_xid', sql`xid8`)
        .execute();
      await db.schema
        .createIndex('sessions_by_revoked_xid')
        .on('sessions')
        .column('revoked_xid')
        .where(sql.ref('revoked_xid'), 'is not', null)
        .execute();
      await sql`
        create function stamp_revocation() returns trigger language plpgsql as $$
        begin
          new.revoked_xid := pg_current_xact_id();
          return new;
        end $$`.execute(db);
      await sql`
        create trigger sessions_stamp_revocation before insert or update of revoked_at on sessions
        for each row when (new.revoked_at is not null) execute function stamp_revocation()`.execute(db);
    },
  },
};
