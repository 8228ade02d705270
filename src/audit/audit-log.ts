import { Injectable, Logger } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Tx } from '../database/index.js';
import { type AuditEventName } from './audit.table.js';

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
    const { event, outcome = 'success', cause = null, at } = entry;
    await (tx ?? this.db)
      .insertInto('audit_events')
      .values({
        id: uuidv7(),
        at,
        event,
        outcome,
        cause,
        actor_id: entry.actorId ?? null,
        subject_id: entry.subjectId ?? null,
        session_id: entry.sessionId ?? null,
        ip: caller.ip,
        user_agent: caller.userAgent,
        request_id: caller.requestId,
      })
      .execute();
    const line = [event, outcome, cause, `session ${entry.sessionId ?? '-'}`, `[${caller.requestId}]`];
    const print = () => {
      this.logger.log(line.filter(Boolean).join(' '));
      this.announce(entry);
    };
    // The log tells only what has become true.
    if (tx) this.db.afterCommit(tx, print);
    else print();
  }
  private announce(entry: AuditEvent): void {
    for (const listener of this.listeners) listener(entry);
  }
}
