import { Injectable } from '@nestjs/common';
import { type Kysely, type Selectable, sql } from 'kysely';
import { Database, type Migrations, type Tables } from '../../database/index.js';
import { type ListAuditQuery } from './audit.dto.js';

type AuditRow = Selectable<Tables['audit_events']>;

/** An index for events with different actor and subject. These are few, so the partial index costs a login almost nothing. */
export const auditTrailMigrations: Migrations = {
  '2026-11-28.8-audit-by-other-actor': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createIndex('audit_by_other_actor')
        .on('audit_events')
        .columns(['actor_id', 'at'])
        .where(sql.ref('actor_id'), '<>', sql.ref('subject_id'))
        .execute();
    },
  },
};

/** Reads the audit trail. */
@Injectable()
export class AuditTrail {
  constructor(private readonly db: Database) {}

  /** Returns a page of events, newest first, and the cursor of the next one: time and id of the last event. */
  async list(query: ListAuditQuery): Promise<{ events: AuditRow[]; nextCursor: string | null }> {
    const { user, event, from, to, limit, cursor } = query;
    const [at = '', id = ''] = cursor?.split('_') ?? [];
    const rows = await this.db
      .selectFrom('audit_events')
      .selectAll()
      .$if(user !== undefined, (all) =>
        all.where((eb) =>
          eb.or([
            eb('subject_id', '=', user ?? ''),
            eb.and([eb('actor_id', '=', user ?? ''), eb('actor_id', '<>', eb.ref('subject_id'))]),
          ]),
        ),
      )
      .$if(event !== undefined, (all) => all.where(sql.ref('event'), '=', event ?? ''))
      .$if(from !== undefined, (all) => all.where('at', '>=', Date.parse(from ?? '')))
      .$if(to !== undefined, (all) => all.where('at', '<', Date.parse(to ?? '')))
      .$if(cursor !== undefined, (all) =>
        all.where((eb) =>
          eb.and([eb('at', '<=', Number(at)), eb.or([eb('at', '<', Number(at)), eb('id', '<', id)])]),
        ),
      )
      .orderBy('at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .execute();
    const events = rows.slice(0, limit);
    const last = rows.length > limit ? events.at(-1) : undefined;
    return { events, nextCursor: last ? `${last.at}_${last.id}` : null };
  }
}
