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
      table: 'audit_events',
      key: 'id',
      selectDead: (tx, cutoff) =>
        tx
          .selectFrom('audit_events')
          .select('id')
          .where('at', '<', cutoff - this.options.retention),
    });
  }
}
