import { type Kysely, type Selectable, sql } from 'kysely';
import { type Migrations } from '../database/index.js';

/** Authenticators. Their secrets are derived, so a dump of the database forges no code. Times are milliseconds. */
export interface OtpFactorsTable {
  id: string;
  user_id: string;
  name: string;
  /** The `kid` of the key from which the secret is derived. */
  key_id: string;
  /** The user's credential version at the start of the enrolment, which can be confirmed until that changes. */
  credential_version: number;
  /** The step of the last accepted code. Only codes of later steps are accepted. */
  last_step: number;
  created_at: number;
  /** Null until the enrolment is confirmed by a code: no login asks for it before. */
  confirmed_at: number | null;
  last_used_at: number | null;
}

export type OtpFactor = Selectable<OtpFactorsTable>;

/** A row for each unused code. */
export interface RecoveryCodesTable {
  user_id: string;
  /** SHA-256: of 80 random bits, so it needs no salt and no slow hash. */
  code_hash: string;
}

/**
 * How often codes of a user were guessed, in two windows. In the database, because a window of 30 days must outlive
 * restarts.
 */
export interface FactorAttemptsTable {
  user_id: string;
  short_count: number;
  short_ends_at: number;
  long_count: number;
  long_ends_at: number;
}

declare module '../database/index.js' {
  interface Tables {
    otp_factors: OtpFactorsTable;
    recovery_codes: RecoveryCodesTable;
    factor_attempts: FactorAttemptsTable;
  }
}

export const factorsMigrations: Migrations = {
  '2026-11-29.3-factors': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('otp_factors')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('user_id', 'text', (c) => c.notNull().references('users.id').onDelete('cascade'))
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('key_id', 'text', (c) => c.notNull())
        .addColumn('credential_version', 'integer', (c) => c.notNull())
        .addColumn('last_step', 'bigint', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('confirmed_at', 'bigint')
        .addColumn('last_used_at', 'bigint')
        .execute();
      await db.schema.createIndex('otp_factors_by_user').on('otp_factors').column('user_id').execute();
      await db.schema
        .createIndex('otp_factors_unconfirmed')
        .on('otp_factors')
        .column('created_at')
        .where(sql.ref('confirmed_at'), 'is', null)
        .execute();
      await db.schema
        .createTable('recovery_codes')
        .addColumn('user_id', 'text', (c) => c.notNull().references('users.id').onDelete('cascade'))
        .addColumn('code_hash', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('recovery_codes_pk', ['user_id', 'code_hash'])
        .execute();
      await db.schema
        .createTable('factor_attempts')
        .addColumn('user_id', 'text', (c) => c.primaryKey())
        .addColumn('short_count', 'integer', (c) => c.notNull())
        .addColumn('short_ends_at', 'bigint', (c) => c.notNull())
        .addColumn('long_count', 'integer', (c) => c.notNull())
        .addColumn('long_ends_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema
        .createIndex('factor_attempts_by_end')
        .on('factor_attempts')
        .column('long_ends_at')
        .execute();
    },
  },
};
