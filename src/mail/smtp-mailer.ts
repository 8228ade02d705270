import { type SendMailOptions, type Transporter } from 'nodemailer';
import { type Mail, Mailer } from './mailer.js';
import { type Mailbox } from './sender.js';
import { type SmtpServer } from './smtp-url.js';

const CONNECT_TIMEOUT_MS = 10_000;
/** How long the mail server may be silent. */
const SOCKET_TIMEOUT_MS = 20_000;

/** Sends by SMTP. The library is loaded with the first mail. */
export class SmtpMailer extends Mailer {
  private transport: Promise<Transporter> | undefined;

  constructor(
    private readonly server: SmtpServer,
    private readonly from: Mailbox,
  ) {
    super();
  }

  async send(mail: Mail): Promise<void> {
    this.transport ??= this.connect();
    const transport = await this.transport;
    await transport.sendMail(toMessage(mail, this.from));
  }

  override async close(): Promise<void> {
    (await this.transport)?.close();
    this.transport = undefined;
  }

  private async connect(): Promise<Transporter> {
    const { createTransport } = await import('nodemailer');
    const { host, auth } = this.server;
    return createTransport({
      ...this.server,
      pool: true,
      maxConnections: 1,
      // Without it, an attacker on the network could remove STARTTLS and read the password.
      requireTLS: auth !== undefined && !['localhost', '127.0.0.1', '::1'].includes(host),
      connectionTimeout: CONNECT_TIMEOUT_MS,
      greetingTimeout: CONNECT_TIMEOUT_MS,
      dnsTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
    });
  }
}

/** Passes addresses as objects, because the library could read several addresses from one text. */
export function toMessage({ id, to, subject, text, html }: Mail, from: Mailbox): SendMailOptions {
  const recipient = { name: '', address: to };
  return {
    from,
    to: recipient,
    envelope: { from: { name: '', address: from.address }, to: [recipient] },
    subject,
    text,
    html,
    messageId: `<${id}@${from.address.slice(from.address.indexOf('@') + 1)}>`,
    // RFC 3834 §5: no out-of-office answers.
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
