import { type Mail } from './mailer.js';

/** An outbox row as its kind reads it. */
export interface MailRequest {
  userId: string | null;
  data: Readonly<Record<string, string>>;
  /** Milliseconds. */
  createdAt: number;
}

/** A composed mail, and whose account it is about: hourly limits count by account and by address. */
export type ComposedMail = Omit<Mail, 'id'> & { userId: string | null };

/** How one kind of mail is composed and limited. */
export interface MailKind {
  readonly name: string;
  /** Mails of the kinds with the same limit are counted together: at most 3 an hour for an account and for an address. */
  readonly limit: string;
  /** What happens to a mail beyond the limit. `wait`: it is sent when the hour is over. */
  readonly beyondLimit: 'drop' | 'wait';
  /** Called when the mail is sent, and again with each retry. Returns undefined if there is nothing to send any more. */
  compose(request: MailRequest): Promise<ComposedMail | undefined>;
}
