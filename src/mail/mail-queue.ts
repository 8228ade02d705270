import { Injectable } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { Database, type Tx } from '../database/index.js';
import { Clock } from '../time/clock.js';
import { type ComposedMail, type MailKind } from './mail-kind.js';
import { type MailRow } from './mails.table.js';

/** How long a claim lasts: longer than sending one mail may take. After a crash, the mail is sent again at its end. */
export const CLAIM_MS = 120_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** For how long a mail is tried. */
export const MAX_AGE_MS = 2 * DAY_MS;
/** Pauses before the second try, the third …; the last one repeats. */
const PAUSES_MS = [1, 5, 15, 60, 120].map((minutes) => minutes * 60_000);
const MAX_PER_HOUR = 3;
/** Pause while another instance counts. */
const LOCK_PAUSE_MS = 10;

/** The rows of the outbox, for the sender: claims one, counts it, and records the outcome. */
@Injectable()
export class MailQueue {
  constructor(
    private readonly db: Database,
    private readonly clock: Clock,
  ) {}

  /** Claims the next mail that is due. Of several instances, one gets it. */
  async claim(): Promise<MailRow | undefined> {
    for (;;) {
      const now = this.clock.now();
      const due = await this.db
        .selectFrom('mails')
        .select(['id', 'tries'])
        .where('sent_at', 'is', null)
        .where('next_try_at', '<=', now)
        .where((eb) => eb.or([eb('claimed_until', 'is', null), eb('claimed_until', '<=', now)]))
        .orderBy('next_try_at')
        .limit(1)
        .executeTakeFirst();
      if (!due) return undefined;
      const row = await this.db
        .updateTable('mails')
        .set({ claimed_until: now + CLAIM_MS, tries: due.tries + 1 })
        .where('id', '=', due.id)
        // Each claim counts as a try: if the number has changed, another instance has the mail.
        .where('tries', '=', due.tries)
        .where('sent_at', 'is', null)
        .returningAll()
        .executeTakeFirst();
      if (row) return row;
    }
  }

  /** Counts a mail towards the hourly limits, once. @returns when the hour has room again if it has none now */
  async count(row: MailRow, { to, userId }: ComposedMail, { limit }: MailKind): Promise<number | undefined> {
    if (row.counted_at !== null) return undefined;
    for (;;) {
      // One instance at a time: two that count at once would both find room.
      const counted = await this.db.withAdvisoryLock('freshgate mail limits', async (tx) => {
        const since = this.clock.now() - HOUR_MS;
        const ofAddress = await this.fullUntil(tx, limit, 'address', to, since);
        const ofAccount =
          userId === null ? undefined : await this.fullUntil(tx, limit, 'user_id', userId, since);
        const until = Math.max(ofAddress ?? 0, ofAccount ?? 0);
        if (until > 0) return { until };
        await tx
          .updateTable('mails')
          .set({ limited_as: limit, address: to, user_id: userId, counted_at: this.clock.now() })
          .where('id', '=', row.id)
          .execute();
        return { until: undefined };
      });
      if (counted) return counted.until;
      await delay(LOCK_PAUSE_MS);
    }
  }

  async markSent({ id }: MailRow): Promise<void> {
    const sent = { sent_at: this.clock.now(), claimed_until: null, data: '{}' };
    await this.db.updateTable('mails').set(sent).where('id', '=', id).execute();
  }

  async remove({ id }: MailRow): Promise<void> {
    await this.db.deleteFrom('mails').where('id', '=', id).execute();
  }

  /** Releases the claim; the mail is due again at `until`. */
  async postpone({ id }: MailRow, until: number): Promise<void> {
    const later = { next_try_at: until, claimed_until: null };
    await this.db.updateTable('mails').set(later).where('id', '=', id).execute();
  }

  /** When the next try is; undefined if the mail has been tried for two days. */
  nextTry({ created_at, tries }: MailRow): number | undefined {
    const pause = PAUSES_MS[Math.min(tries, PAUSES_MS.length) - 1] ?? 0;
    const next = this.clock.now() + pause;
    return next > created_at + MAX_AGE_MS ? undefined : next;
  }

  /** Releases the claims of a process that has crashed. Only on SQLite, where there is no other instance. */
  async releaseClaims(): Promise<void> {
    if (this.db.engine === 'sqlite')
      await this.db.updateTable('mails').set({ claimed_until: null }).where('sent_at', 'is', null).execute();
  }

  private async fullUntil(
    tx: Tx,
    limit: string,
    by: 'address' | 'user_id',
    value: string,
    since: number,
  ): Promise<number | undefined> {
    const counted = await tx
      .selectFrom('mails')
      .select('counted_at')
      .where(by, '=', value)
      .where('counted_at', '>', since)
      .where('limited_as', '=', limit)
      .orderBy('counted_at', 'desc')
      .limit(MAX_PER_HOUR)
      .execute();
    const oldest = counted[MAX_PER_HOUR - 1]?.counted_at;
    return typeof oldest === 'number' ? oldest + HOUR_MS : undefined;
  }
}
