import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Purger } from '../database/index.js';
import { MAX_AGE_MS } from './mail-queue.js';

/** Removes mails that are too old to be tried again or to count towards a limit. */
@Injectable()
export class MailPurge implements OnModuleInit {
  constructor(private readonly purger: Purger) {}

  onModuleInit(): void {
    this.purger.add({
      what: 'old mails',
      table: 'mails',
      key: 'id',
      selectDead: (tx, cutoff) =>
        tx
          .selectFrom('mails')
          .select('id')
          .where('created_at', '<', cutoff - MAX_AGE_MS),
    });
  }
}
