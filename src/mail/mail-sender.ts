import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { reasonOf } from '../database/index.js';
import { Clock } from '../time/clock.js';
import { parseEmail } from '../users/email-address.js';
import { type MailKind } from './mail-kind.js';
import { MailQueue, MAX_AGE_MS } from './mail-queue.js';
import { Mailer } from './mailer.js';
import { type MailRow } from './mails.table.js';
import { Outbox } from './outbox.js';

/** How often the sender looks for mails whose pause is over, and for those of instances that have crashed. */
const PERIOD_MS = 5_000;
/**
 * Pause between a commit and its mail, plus up to the same again at random. Sending must not slow down the request that
 * asked for the mail: the time of its answer would show whether there is an account.
 */
const SEND_DELAY_MS = 200;
/** Limit for sending one mail to a slow server; shorter than a claim. */
const SEND_TIMEOUT_MS = 60_000;
/** How long the stop of the server waits for a mail that is being sent. */
const STOP_TIMEOUT_MS = 5_000;

/**
 * Sends the mails of the outbox, one after the other. A mail is claimed before sending, so that one instance sends it, and
 * marked as sent afterwards: after a crash in between it is sent twice, but never lost.
 */
@Injectable()
export class MailSender implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Mail');
  private timer: NodeJS.Timeout | undefined;
  private soon: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  /** A mail was added while the outbox was being read. */
  private again = false;
  private stopping = false;

  constructor(
    private readonly outbox: Outbox,
    private readonly queue: MailQueue,
    private readonly mailer: Mailer,
    private readonly clock: Clock,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (!this.mailer.isOn) {
      this.logger.warn('mail is off, and with it password reset and e-mail addresses: SMTP_URL is not set');
      return;
    }
    await this.queue.releaseClaims();
    this.outbox.onAdded(() => this.kickSoon());
    this.timer = setInterval(() => this.kick(), PERIOD_MS).unref();
    this.kick();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    clearTimeout(this.soon);
    this.stopping = true;
    if (this.running) await endsWithin(STOP_TIMEOUT_MS, this.running);
    await this.mailer.close();
    await this.running;
  }

  /** Sends everything that is due now. */
  async run(): Promise<void> {
    this.kick();
    await this.running;
  }

  private kickSoon(): void {
    this.soon ??= setTimeout(
      () => {
        this.soon = undefined;
        this.kick();
      },
      SEND_DELAY_MS * (1 + Math.random()),
    ).unref();
  }

  private kick(): void {
    this.again = true;
    if (!this.stopping) this.running ??= this.work().finally(() => this.rest());
  }

  private rest(): void {
    this.running = undefined;
    if (this.again) this.kick();
  }

  private async work(): Promise<void> {
    try {
      while (this.again && !this.stopping) {
        this.again = false;
        let row: MailRow | undefined;
        while (!this.stopping && (row = await this.queue.claim())) await this.deliver(row);
      }
    } catch (error) {
      this.again = false;
      this.logger.warn(`the outbox cannot be read, next try in 5s: ${reasonOf(error)}`);
    }
  }

  private async deliver(row: MailRow): Promise<void> {
    const name = `mail ${row.id} (${row.kind})`;
    if (row.created_at + MAX_AGE_MS < this.clock.now()) {
      this.logger.error(`${name} was not sent: it expired after two days in the outbox`);
      return this.queue.remove(row);
    }
    const kind = this.outbox.find(row.kind);
    // A newer version has added this mail, and its instances send it.
    if (!kind) return this.queue.postpone(row, this.clock.now() + PERIOD_MS);
    try {
      await this.compose(row, kind, name);
    } catch (error) {
      const next = this.queue.nextTry(row);
      const reason = `was not sent (try ${row.tries}): ${reasonOf(error)}`;
      if (next === undefined) {
        this.logger.error(`${name} ${reason}; given up after two days`);
        return this.queue.remove(row);
      }
      this.logger.warn(`${name} ${reason}; next try at ${new Date(next).toISOString()}`);
      await this.queue.postpone(row, next);
    }
  }

  private async compose(row: MailRow, kind: MailKind, name: string): Promise<void> {
    const data = JSON.parse(row.data) as Record<string, string>;
    const mail = await kind.compose({ userId: row.user_id, data, createdAt: row.created_at });
    if (!mail) return this.queue.remove(row);
    if (parseEmail(mail.to) !== mail.to) throw new Error('the recipient is not one address');
    const full = await this.queue.count(row, mail, kind);
    if (full !== undefined) {
      this.logger.warn(`${name} exceeds the limit of 3 an hour for its account or address`);
      return kind.beyondLimit === 'drop' ? this.queue.remove(row) : this.queue.postpone(row, full);
    }
    const { to, subject, text, html, link } = mail;
    const sent = this.mailer.send({ id: row.id, to, subject, text, html, link });
    if (!(await endsWithin(SEND_TIMEOUT_MS, sent))) throw new Error('the mail server took longer than 60s');
    await this.queue.markSent(row);
    this.logger.log(`${name} was sent`);
  }
}

/** Waits for the work, at most `limit` milliseconds. @returns whether it has ended. @throws its error */
async function endsWithin(limit: number, work: Promise<void>): Promise<boolean> {
  const done = new AbortController();
  try {
    return await Promise.race([work.then(() => true), delay(limit, false, { signal: done.signal })]);
  } finally {
    done.abort();
  }
}
