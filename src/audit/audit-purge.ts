import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Purger } from '../database/index.js';
import { AuditOptions } from './audit-options.js';

/** Removes audit events older than `AUDIT_RETENTION`, or the trail would fill the disk. */
@Injectable()
export class AuditPurge implements OnModuleInit {
  constructor(
    private readonly purger: Purger,
    private readonly options: AuditOptions,
  ) {}

  onModuleInit(): void {
    this.purger.add({
      what: 'audit events past their retention',
      removeBatch: async (tx, cutoff, limit) => {
        const dead = tx
          .selectFrom('audit_events')
          .select('id')
          .where('at', '<', cutoff - this.options.retention)
          .limit(limit);
        const { numDeletedRows } = await tx
          .deleteFrom('audit_events')
          .where('id', 'in', dead)
          .executeTakeFirst();
        return Number(numDeletedRows);
      },
    });
  }
}
