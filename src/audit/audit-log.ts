import { Injectable, Logger } from '@nestjs/common';
import { sql } from 'kysely';
import { v5 as uuidv5, v7 as uuidv7 } from 'uuid';
import { Database, type Tx } from '../database/index.js';
import { type AuditEventName } from './audit.table.js';

/** The namespace of the ids of events that are recorded once (RFC 9562 §5.5). */
const ONCE = '5f2a4c0e-9d0b-4f3a-8f0e-3d1c6f2b7a90';

/** Where a request comes from. */
export interface Caller {
  ip: string | null;
  userAgent: string | null;
  requestId: string | null;
  /** Whether the client has closed the connection. Absent without a connection. */
  hasLeft?: () => boolean;
  /** Whether the client has presented a device token of the user. Absent where this is not checked. */
  knownDevice?: boolean;
}

export interface AuditEvent {
  event: AuditEventName;
  outcome?: 'success' | 'fail';
  cause?: string;
  actorId?: string;
  subjectId?: string;
  sessionId?: string;
  /** Milliseconds. */
  at: number;
}

/**
 * Called before an event is recorded in a transaction: what it writes commits together with the event, and an error undoes
 * both.
 */
export type AuditReaction = (entry: AuditEvent, caller: Caller, tx: Tx) => Promise<void>;

interface Size {
  size: number;
}

/** The audit trail. An event recorded in the transaction of a change commits together with it. */
@Injectable()
export class AuditLog {
  private readonly logger = new Logger('Audit');
  private readonly listeners: ((entry: AuditEvent) => void)[] = [];
  private readonly reactions: AuditReaction[] = [];

  constructor(private readonly db: Database) {}

  /** Adds a listener, for counting. It is called after the commit, and must not throw. */
  listen(listener: (entry: AuditEvent) => void): void {
    this.listeners.push(listener);
  }

  /** Adds work for the transaction in which an event is recorded. Call it in `onModuleInit`. */
  react(reaction: AuditReaction): void {
    this.reactions.push(reaction);
  }

  /** Estimates the number of recorded events without reading them. */
  async estimateSize(): Promise<number> {
    const query =
      this.db.engine === 'postgres'
        ? sql<Size>`select greatest(reltuples, 0)::bigint as size from pg_class where oid = 'audit_events'::regclass`
        : // Purges remove the oldest rows, so those that remain are numbered nearly without gaps.
          sql<Size>`select coalesce(max(rowid) - min(rowid) + 1, 0) as size from audit_events`;
    const { rows } = await query.execute(this.db);
    return rows[0]?.size ?? 0;
  }

  /** Announces an event to the listeners without recording it, because it changed nothing or is too frequent. */
  announce(entry: AuditEvent, tx?: Tx): void {
    this.afterCommit(tx, () => this.tellListeners(entry));
  }

  /** @param once a name under which the event is recorded at most once: repeating it cannot fill the trail */
  async record(entry: AuditEvent, caller: Caller, tx?: Tx, once?: string): Promise<void> {
    if (tx) for (const react of this.reactions) await react(entry, caller, tx);
    const { numInsertedOrUpdatedRows } = await (tx ?? this.db)
      .insertInto('audit_events')
      .values({
        id: once === undefined ? uuidv7() : uuidv5(once, ONCE),
        at: entry.at,
        event: entry.event,
        outcome: entry.outcome ?? 'success',
        cause: entry.cause ?? null,
        actor_id: entry.actorId ?? null,
        subject_id: entry.subjectId ?? null,
        session_id: entry.sessionId ?? null,
        ip: caller.ip,
        user_agent: caller.userAgent,
        request_id: caller.requestId,
      })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .executeTakeFirstOrThrow();
    this.afterCommit(tx, () => {
      if (numInsertedOrUpdatedRows === 1n) this.log(entry, caller);
      this.tellListeners(entry);
    });
  }

  /** Log and listeners get committed events only. */
  private afterCommit(tx: Tx | undefined, act: () => void): void {
    if (tx) this.db.afterCommit(tx, act);
    else act();
  }

  private log(
    { event, outcome = 'success', cause, sessionId = '-' }: AuditEvent,
    { requestId }: Caller,
  ): void {
    this.logger.log(
      [event, outcome, cause, `session ${sessionId}`, `[${requestId}]`].filter(Boolean).join(' '),
    );
  }

  private tellListeners(entry: AuditEvent): void {
    for (const listener of this.listeners) listener(entry);
  }
}
