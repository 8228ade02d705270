import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { DatabaseModule } from '../database/index.js';
import { FileMailer } from './file-mailer.js';
import { MailPurge } from './mail-purge.js';
import { MailQueue } from './mail-queue.js';
import { MailSender } from './mail-sender.js';
import { type MailOptions } from './mail-options.js';
import { Mailer, NoMailer } from './mailer.js';
import { mailsMigrations } from './mails.table.js';
import { Outbox } from './outbox.js';
import { parseMailbox } from './sender.js';
import { SmtpMailer } from './smtp-mailer.js';
import { parseSmtpUrl } from './smtp-url.js';

export interface MailSettings extends MailOptions {
  /** Without `smtpUrl`, mail is off in production; otherwise mails are files. */
  production: boolean;
  /** The folder of these files. */
  folder?: string;
}

/** The outbox and its sender. `providers` may bind another `Mailer`. */
@Module({})
export class MailModule {
  static forRoot(settings: MailSettings, { providers = [] }: { providers?: Provider[] } = {}): DynamicModule {
    return {
      module: MailModule,
      global: true,
      imports: [DatabaseModule.forFeature(mailsMigrations)],
      providers: [
        { provide: Mailer, useFactory: () => createMailer(settings) },
        Outbox,
        MailQueue,
        MailSender,
        MailPurge,
        ...providers,
      ],
      exports: [Mailer, Outbox, MailSender],
    };
  }
}

/** @throws TypeError for settings that `MailOptions` would refuse */
function createMailer({ smtpUrl, from, production, folder = './data/mail' }: MailSettings): Mailer {
  const sender = parseMailbox(from ?? 'freshgate <freshgate@app.example>');
  if (!sender) throw new TypeError(`"${from}" is not a sender`);
  if (smtpUrl === undefined) return production ? new NoMailer() : new FileMailer(folder, sender);
  const server = parseSmtpUrl(smtpUrl);
  if (!server) throw new TypeError('smtpUrl is not an SMTP URL');
  if (from === undefined) throw new TypeError('from must be given with smtpUrl');
  return new SmtpMailer(server, sender);
}
