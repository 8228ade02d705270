import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Tx } from '../database/index.js';
import { Clock } from '../time/clock.js';
import { type MailKind } from './mail-kind.js';
import { Mailer } from './mailer.js';

export interface NewMail {
  kind: string;
  /** Whose account it is about: deleting the account deletes the mail. */
  userId?: string;
  /** No secret: it is stored as it is. */
  data?: Readonly<Record<string, string>>;
}

/**
 * Mails to send: `await outbox.add(tx, { kind: 'invoice', userId, data: { invoiceId } })`. The row commits together with
 * what caused it, so neither is lost without the other.
 */
@Injectable()
export class Outbox {
  private readonly kinds = new Map<string, MailKind>();
  private readonly hooks: (() => void)[] = [];

  constructor(
    private readonly db: Database,
    private readonly mailer: Mailer,
    private readonly clock: Clock,
  ) {}

  /** False if no mail can be sent; then `add` stores nothing. */
  get isOn(): boolean {
    return this.mailer.isOn;
  }

  /** Adds a kind of mail. Call it in `onModuleInit`. @throws Error if the name is taken */
  register(kind: MailKind): void {
    if (this.kinds.has(kind.name)) throw new Error(`two kinds of mail are named "${kind.name}"`);
    this.kinds.set(kind.name, kind);
  }

  find(kind: string): MailKind | undefined {
    return this.kinds.get(kind);
  }

  /** @throws TypeError for a kind that no module has registered */
  async add(tx: Tx, { kind, userId, data = {} }: NewMail): Promise<void> {
    if (!this.kinds.has(kind)) throw new TypeError(`no kind of mail is named "${kind}"`);
    if (!this.isOn) return;
    const now = this.clock.now();
    await tx
      .insertInto('mails')
      .values({
        id: uuidv7(),
        kind,
        user_id: userId ?? null,
        data: JSON.stringify(data),
        created_at: now,
        next_try_at: now,
        tries: 0,
      })
      .execute();
    this.db.afterCommit(tx, () => {
      for (const hook of this.hooks) hook();
    });
  }

  /** Deletes all mails about an account, sent or not. */
  async deleteOf(tx: Tx, userId: string): Promise<void> {
    await tx.deleteFrom('mails').where('user_id', '=', userId).execute();
  }

  /** Calls the hook after the commit of each mail that this instance adds. */
  onAdded(hook: () => void): void {
    this.hooks.push(hook);
  }
}
