import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { type AuditEvent, AuditLog, type Caller } from '../../audit/audit-log.js';
import { type AuditRow, insertAuditRow } from '../../audit/audit.table.js';
import { Database, Statement } from '../../database/index.js';
import { type Advance, advance, type TokenSession } from '../../sessions/advance.js';
import { type RotationRequest, Sessions } from '../../sessions/sessions.repository.js';
import { RateLimits } from '../../rate-limits/rate-limits.js';
import { type Counted, countOne, type CountValues } from '../../rate-limits/postgres-counters.js';
import { type User, UserStore } from '../../users/user-store.js';

type Values = Advance & AuditRow & CountValues;

interface Row extends Counted {
  /** Null where the rest is left to a transaction. */
  session: TokenSession | null;
  user: User;
}

export interface RotatedSession {
  outcome: 'rotated';
  session: TokenSession;
  user: User;
}

/**
 * What nearly every refresh comes to, as one statement of PostgreSQL: the limit counts one, the session is advanced, that
 * is recorded, and its user read. Whatever else there is to say of a refresh token is left to a transaction.
 *
 * The user is as of the statement's beginning, the session as of its lock: where the UPDATE has had to wait, or its row has
 * changed since, PostgreSQL looks at the row anew (READ COMMITTED). Whoever takes a right away ends the session in the
 * same transaction. Either that has committed by the time of the lock, and nothing is advanced; or it comes after, and
 * ends the session that was advanced, with its tokens. A user who is read too early gets nothing that lives.
 */
@Injectable()
export class RotationStatement {
  private readonly statement: Statement<Values, Row> | undefined;

  constructor(
    private readonly db: Database,
    private readonly sessions: Sessions,
    private readonly audit: AuditLog,
    private readonly limits: RateLimits,
    users: UserStore,
  ) {
    if (db.engine === 'postgres' && users.queryById)
      this.statement = statementFor(users.queryById.bind(users));
  }

  /**
   * @returns undefined, having only counted, where it is not as simple as that
   * @throws ApiError `rate_limited`
   */
  async run(
    request: RotationRequest,
    event: AuditEvent,
    caller: Caller,
  ): Promise<RotatedSession | undefined> {
    const { statement } = this;
    const { sessionId } = request;
    if (!statement) {
      await this.limits.refresh(sessionId);
      return undefined;
    }
    // Spread, it would take V8 ten times as long, and with the largest last four times: more than all else here.
    const values = Object.assign(
      this.audit.toRow(event, caller),
      this.sessions.toAdvance(request),
      this.limits.refreshValues(sessionId),
    );
    const [row] = await this.db.retryOnDeadlock(() => statement.execute(this.db, values));
    if (!row) throw new Error('the statement counts one, whatever else it does');
    const { session, user } = row;
    await this.limits.refresh(sessionId, row);
    if (!session) return undefined;
    this.audit.recorded(event, caller);
    return { outcome: 'rotated', session, user };
  }
}

/** The limit comes first, and who is beyond it leaves the session's row alone: its condition is asked before any row is. */
function statementFor(queryById: NonNullable<UserStore['queryById']>): Statement<Values, Row> {
  return new Statement((db, param) => {
    const userId = sql<string>`(select user_id from sessions where id = ${param('sessionId')})`;
    const rotated = advance(db, param, false)
      .where(sql<boolean>`(select points from counted) <= ${param('limitPoints')}`)
      .where(sql<boolean>`exists (select from owner where "disabledAt" is null)`);
    return sql<Row>`
      with counted as (${countOne(db, param)}),
        owner as (${queryById(db, userId)}),
        rotated as (${rotated}),
        recorded as (${insertAuditRow(db, param, 'rotated')})
      select points, expire, row_to_json(rotated) as session, row_to_json(owner) as "user"
      from counted left join rotated on true left join owner on true`;
  });
}
