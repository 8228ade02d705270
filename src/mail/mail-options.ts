import { IsOptional } from 'class-validator';
import { FromEnv } from '../config/from-env.js';
import { IsSender } from './sender.js';
import { IsSmtpUrl } from './smtp-url.js';

/** Where mails go. */
export class MailOptions {
  /**
   * `smtp://USER:PASSWORD@HOST:PORT`, or `smtps://…` for TLS from the first byte. Without it, mails are files in
   * `./data/mail` outside production; in production, what needs mail is off.
   */
  @FromEnv('SMTP_URL', { secret: true })
  @IsOptional()
  @IsSmtpUrl()
  readonly smtpUrl: string | undefined = undefined;

  /** Sender of every mail: `no-reply@app.example` or `App <no-reply@app.example>`. Required with `SMTP_URL`. */
  @FromEnv('MAIL_FROM')
  @IsOptional()
  @IsSender()
  readonly from: string | undefined = undefined;
}
