/** A mail that is ready to send, to one recipient. */
export interface Mail {
  /** Stays the same when sending is repeated, so that a recipient's server can recognise a duplicate. */
  id: string;
  /** One address, as `parseEmail` writes it. Give it to a library as an object, not as text that it would parse. */
  to: string;
  subject: string;
  text: string;
  html: string;
  /** The link in the mail, for the log of a developer. */
  link?: string | undefined;
}

/**
 * Sends mails: the SMTP server of `SMTP_URL`, or files outside production. For a provider's API bind your own:
 * `MailModule.forRoot(settings, { providers: [{ provide: Mailer, useClass: SesMailer }] })`. A class, so that it is its
 * own DI token.
 */
export abstract class Mailer {
  /** False if no mail can be sent: features that need mail are off, and no mail is stored. */
  readonly isOn: boolean = true;

  /**
   * Resolves once the mail has been handed over.
   * @throws any error if it was not; sending is tried again for two days
   */
  abstract send(mail: Mail): Promise<void>;

  /** Closes connections. A mail that is being sent may fail. */
  async close(): Promise<void> {}
}

/** In production without `SMTP_URL`. */
export class NoMailer extends Mailer {
  override readonly isOn = false;

  send(): Promise<void> {
    return Promise.reject(new Error('mail is off: SMTP_URL is not set'));
  }
}
