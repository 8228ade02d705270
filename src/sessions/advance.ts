import { type Expression, type ExpressionBuilder } from 'kysely';
import { type Executor, type Param, type Tables } from '../database/index.js';
import { type Session } from './sessions.table.js';

/** What the session's row gets when tokens are issued for it. Milliseconds. */
export interface Lives {
  now: number;
  /** When the next refresh token expires, unless the session does before. */
  idleUntil: number;
  /** When the next access token expires. */
  accessUntil: number;
}

export interface Renewal extends Lives {
  sessionId: string;
  /** Of the `Idempotency-Key` that makes the next generation. */
  keyHash: string | null;
}

export interface Advance extends Renewal {
  /** The one that is presented. */
  generation: number;
}

/** RFC 8176. */
const PASSWORD = 'pwd';

/** What tokens say of a session, and whose it is. */
export const TOKEN_COLUMNS = [
  'id',
  'user_id',
  'generation',
  'rotated_at',
  'idle_expires_at',
  'expires_at',
  'auth_time',
  'amr',
] as const satisfies (keyof Session)[];

/** As much of the row as tokens are made from. */
export type TokenSession = Pick<Session, (typeof TOKEN_COLUMNS)[number]>;

/** The conditional UPDATE: the presented generation is live, and becomes the next. */
export function advance(db: Executor, param: Param<Advance>, passwordProved: boolean) {
  return renew(db, param, passwordProved)
    .where('generation', '=', param('generation'))
    .where((eb) =>
      eb.or([
        eb('rotation_key_hash', 'is', null),
        eb('rotation_key_hash', 'is distinct from', param('keyHash')),
      ]),
    );
}

/** The next generation, whatever the live one is. */
export function renew(db: Executor, param: Param<Renewal>, passwordProved: boolean) {
  return db
    .updateTable('sessions')
    .set((eb) => ({
      generation: eb('generation', '+', 1),
      rotated_at: param('now'),
      rotation_key_hash: param('keyHash'),
      idle_expires_at: least(eb, 'expires_at', param('idleUntil')),
      ...used(eb, param, passwordProved),
    }))
    .where('id', '=', param('sessionId'))
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', param('now'))
    .returning(TOKEN_COLUMNS);
}

/** What every issue of tokens leaves on the row. */
export function used(
  eb: ExpressionBuilder<Tables, 'sessions'>,
  param: Param<Lives>,
  passwordProved: boolean,
) {
  return {
    last_used_at: param('now'),
    access_until: greatest(eb, 'access_until', param('accessUntil')),
    ...(passwordProved ? { auth_time: param('now'), amr: PASSWORD } : {}),
  };
}

type TimeColumn = 'access_until' | 'expires_at';

/** `least()` is PostgreSQL's and the two-argument `min()` SQLite's; CASE is everybody's. */
function least(eb: ExpressionBuilder<Tables, 'sessions'>, column: TimeColumn, value: Expression<number>) {
  return eb.case().when(column, '<', value).then(eb.ref(column)).else(value).end();
}

export function greatest(
  eb: ExpressionBuilder<Tables, 'sessions'>,
  column: TimeColumn,
  value: Expression<number>,
) {
  return eb.case().when(column, '>', value).then(eb.ref(column)).else(value).end();
}
