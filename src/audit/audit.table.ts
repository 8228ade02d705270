import { type Kysely } from 'kysely';
import { type Migrations } from '../database/index.js';

/** Names of the OWASP Logging Vocabulary. It has none for second factors; ours follow its style. */
export type AuditEventName =
  | 'user_created'
  | 'user_updated'
  | 'user_deleted'
  | 'authz_change'
  | 'authn_login_lock'
  | 'authn_login_success'
  | 'authn_login_fail'
  | 'authn_login_fail_max'
  | 'authn_password_change'
  | 'authn_password_change_fail'
  | 'authn_reauthentication_success'
  | 'authn_reauthentication_fail'
  | 'authn_token_reuse'
  | 'authn_factor_required'
  | 'authn_factor_added'
  | 'authn_factor_removed'
  | 'authn_factor_fail'
  | 'authn_factor_fail_max'
  | 'authn_recovery_code_used'
  | 'authn_recovery_codes_renewed'
  | 'session_created'
  | 'session_renewed'
  | 'session_revoked';

/** Append-only, until the purge. Holds no token and no password. */
export interface AuditEventsTable {
  id: string;
  /** Milliseconds. */
  at: number;
  event: AuditEventName;
  outcome: 'success' | 'fail';
  /** The reason: the verdict on a refresh token, why a session was revoked. */
  cause: string | null;
  /** Who did it; null if no user was authenticated. */
  actor_id: string | null;
  /** The user that it concerns. No foreign key: the record outlives the account. */
  subject_id: string | null;
  session_id: string | null;
  ip: string | null;
  user_agent: string | null;
  request_id: string | null;
}

declare module '../database/index.js' {
  interface Tables {
    audit_events: AuditEventsTable;
  }
}

export const auditMigrations: Migrations = {
  '2026-11-22.4-audit': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('audit_events')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('at', 'bigint', (c) => c.notNull())
        .addColumn('event', 'text', (c) => c.notNull())
        .addColumn('outcome', 'text', (c) => c.notNull())
        .addColumn('cause', 'text')
        .addColumn('actor_id', 'text')
        .addColumn('subject_id', 'text')
        .addColumn('session_id', 'text')
        .addColumn('ip', 'text')
        .addColumn('user_agent', 'text')
        .addColumn('request_id', 'text')
        .execute();
      await db.schema
        .createIndex('audit_by_subject')
        .on('audit_events')
        .columns(['subject_id', 'at'])
        .execute();
    },
  },
  '2026-11-28.2-audit-by-time': {
    async up(db: Kysely<unknown>) {
      await db.schema.createIndex('audit_by_time').on('audit_events').column('at').execute();
    },
  },
};
