import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { type AuditEvent, AuditLog, type Caller } from '../../audit/audit-log.js';
import { type AuditRow, insertAuditRow } from '../../audit/audit.table.js';
import { Database, Statement } from '../../database/index.js';
import { type TokenSession } from '../../sessions/advance.js';
import { open, type Opening } from '../../sessions/open.js';
import { hasMany } from '../../sessions/session-revoker.js';
import { type User, UserStore } from '../../users/user-store.js';

type Values = Opening & AuditRow & Pick<User, 'credentialVersion'>;

interface Row {
  /** Null where the rest is left to a transaction. */
  session: TokenSession | null;
}

/**
 * What nearly every login comes to once its password is proved, as one statement of PostgreSQL: the user is locked if
 * unchanged, the session opened, and that recorded. Where a session might have to end for it, that is left to a transaction.
 */
@Injectable()
export class OpeningStatement {
  private readonly statement: Statement<Values, Row> | undefined;

  constructor(
    private readonly db: Database,
    private readonly audit: AuditLog,
    users: UserStore,
  ) {
    if (db.engine === 'postgres' && users.queryLockIfUnchanged)
      this.statement = statementFor(users.queryLockIfUnchanged.bind(users));
  }

  /** @returns undefined, having written nothing, where it is not as simple as that; no session where the user has changed */
  async run(
    { credentialVersion }: User,
    opening: Opening,
    event: AuditEvent,
    caller: Caller,
  ): Promise<{ session: TokenSession | undefined } | undefined> {
    const { statement } = this;
    if (!statement) return undefined;
    const values = Object.assign(this.audit.toRow(event, caller), opening, { credentialVersion });
    const [row] = await this.db.retryOnDeadlock(() => statement.execute(this.db, values));
    if (!row) return { session: undefined };
    if (!row.session) return undefined;
    this.audit.recorded(event, caller);
    return { session: row.session };
  }
}

function statementFor(lock: NonNullable<UserStore['queryLockIfUnchanged']>): Statement<Values, Row> {
  return new Statement((db, param) => {
    const user = { id: param('userId'), credentialVersion: param('credentialVersion') };
    const fewOwner = sql`owner where not ${hasMany(db, param('userId'), param('now'))}`;
    return sql<Row>`
      with owner as (${lock(db, user)}),
        opened as (${open(db, param, fewOwner)}),
        recorded as (${insertAuditRow(db, param, 'opened')})
      select row_to_json(opened) as session from owner left join opened on true`;
  });
}
