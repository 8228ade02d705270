import { Injectable, Logger } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database, Statement, type Tx } from '../database/index.js';
import { type AuditEventName, type AuditRow, insertAuditRow } from './audit.table.js';

/** Where a request comes from, as far as it says. */
export interface Caller {
  ip: string | null;
  userAgent: string | null;
  requestId: string | null;
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

/** The audit trail. Given the transaction of the change, it holds the event exactly if the change holds. */
@Injectable()
export class AuditLog {
  private readonly logger = new Logger('Audit');

  private readonly inserting = new Statement<AuditRow, never>((db, param) => insertAuditRow(db, param));

  private readonly listeners: ((entry: AuditEvent) => void)[] = [];

  constructor(private readonly db: Database) {}

  /** Hears what has become true, for counting. Must not throw. */
  listen(listener: (entry: AuditEvent) => void): void {
    this.listeners.push(listener);
  }

  /** For the listeners alone: what changes nothing, and so leaves no record. */
  tell(entry: AuditEvent, tx: Tx): void {
    this.db.afterCommit(tx, () => this.announce(entry));
  }

  async record(entry: AuditEvent, caller: Caller, tx?: Tx): Promise<void> {
    await this.inserting.execute(tx ?? this.db, this.toRow(entry, caller));
    // The log tells only what has become true.
    if (tx) this.db.afterCommit(tx, () => this.recorded(entry, caller));
    else this.recorded(entry, caller);
  }

  /** For a statement that makes a change and its record at once: the row; and then, once it is true, `recorded`. */
  toRow(entry: AuditEvent, caller: Caller): AuditRow {
    return {
      id: uuidv7(),
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
    };
  }

  recorded(entry: AuditEvent, { requestId }: Caller): void {
    const { event, outcome = 'success', cause, sessionId = '-' } = entry;
    this.logger.log(
      [event, outcome, cause, `session ${sessionId}`, `[${requestId}]`].filter(Boolean).join(' '),
    );
    this.announce(entry);
  }

  private announce(entry: AuditEvent): void {
    for (const listener of this.listeners) listener(entry);
  }
}
