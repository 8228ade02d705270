import { type RawBuilder, sql } from 'kysely';
import { type Executor, type Param } from '../database/index.js';
import { type Lives, TOKEN_COLUMNS } from './advance.js';
import { type Session } from './sessions.table.js';

/** A session that is to be. Milliseconds. */
export interface Opening extends Lives {
  sessionId: string;
  userId: string;
  /** RFC 8176, separated by spaces. */
  amr: string;
  /** When the session ends. */
  until: number;
  ip: string | null;
  userAgent: string | null;
}

/** @param from what no session is opened for where it is empty, as a part of the same statement */
export function open(db: Executor, param: Param<Opening>, from?: RawBuilder<unknown>) {
  const row = {
    id: param('sessionId'),
    user_id: param('userId'),
    generation: sql.lit(0),
    rotated_at: param('now'),
    idle_expires_at: param('idleUntil'),
    expires_at: param('until'),
    auth_time: param('now'),
    amr: param('amr'),
    created_at: param('now'),
    last_used_at: param('now'),
    access_until: param('accessUntil'),
    ip: param('ip'),
    user_agent: param('userAgent'),
  };
  const values = sql<Session>`select ${sql.join(Object.values(row))}`;
  return db
    .insertInto('sessions')
    .columns(Object.keys(row) as (keyof typeof row)[])
    .expression(from === undefined ? values : sql`${values} from ${from}`)
    .returning(TOKEN_COLUMNS);
}
