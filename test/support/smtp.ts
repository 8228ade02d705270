import { simpleParser, type ParsedMail } from 'mailparser';
import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { callbackify } from 'node:util';
import { SMTPServer } from 'smtp-server';

/** A mail as it arrived, with the recipients of the envelope. */
export interface ArrivedMail extends ParsedMail {
  recipients: string[];
}

export interface SmtpBehaviour {
  /** A refusal of a recipient, as `550` or `450`. */
  refuse?: (address: string) => number | undefined;
  /** Called with each mail before it is accepted; to be slow, or to crash the sender. */
  beforeAnswer?: (mail: ArrivedMail) => Promise<void> | void;
}

/** A real SMTP server that keeps what it accepts. */
export class TestSmtp {
  readonly mails: ArrivedMail[] = [];
  private server: SMTPServer | undefined;

  private constructor(
    public behaviour: SmtpBehaviour,
    private port = 0,
  ) {}

  static async start(behaviour: SmtpBehaviour = {}): Promise<TestSmtp> {
    const smtp = new TestSmtp(behaviour);
    await smtp.up();
    return smtp;
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}`;
  }

  to(address: string): ArrivedMail[] {
    return this.mails.filter(({ recipients }) => recipients.includes(address));
  }

  /** Listens again at the same port. */
  async up(): Promise<void> {
    const accept = callbackify((stream: NodeJS.ReadableStream, recipients: string[]) =>
      this.accept(stream, recipients),
    );
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      closeTimeout: 10,
      onRcptTo: ({ address }, _session, callback) => {
        const code = this.behaviour.refuse?.(address);
        callback(code === undefined ? null : Object.assign(new Error('not here'), { responseCode: code }));
      },
      onData: (stream, session, callback) => {
        const recipients = session.envelope.rcptTo.map(({ address }) => address);
        accept(stream, recipients, callback);
      },
    });
    // A client may disconnect in the middle.
    server.on('error', () => {});
    server.listen(this.port, '127.0.0.1');
    await once(server.server, 'listening');
    this.port = (server.server.address() as AddressInfo).port;
    this.server = server;
  }

  async down(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server) await new Promise<void>((resolve) => server.close(resolve));
  }

  private async accept(stream: NodeJS.ReadableStream, recipients: string[]): Promise<void> {
    const parsed = await simpleParser(await buffer(stream));
    const mail = { ...parsed, recipients };
    await this.behaviour.beforeAnswer?.(mail);
    this.mails.push(mail);
  }
}
