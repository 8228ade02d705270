import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Mail, Mailer } from './mailer.js';
import { type Mailbox } from './sender.js';
import { toMessage } from './smtp-mailer.js';

/** Outside production: writes each mail as an `.eml` file, and its link to the standard output. */
export class FileMailer extends Mailer {
  constructor(
    private readonly folder: string,
    private readonly from: Mailbox,
    /** Not the log, which removes queries from URLs because they may hold secrets: here the developer needs the secret. */
    private readonly print: (line: string) => void = (line) => void process.stdout.write(`${line}\n`),
  ) {
    super();
  }

  async send(mail: Mail): Promise<void> {
    const { createTransport } = await import('nodemailer');
    const composer = createTransport({ streamTransport: true, buffer: true });
    const { message } = await composer.sendMail(toMessage(mail, this.from));
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const file = join(this.folder, `${mail.id}.eml`);
    // The link is a credential: only the owner may read the file.
    await writeFile(file, message as Buffer, { mode: 0o600 });
    this.print(`mail to ${mail.to}: "${mail.subject}" ${mail.link ?? ''} (${file})`);
  }
}
