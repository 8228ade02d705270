import { type Mail, Mailer, MailSender } from '../mail/index.js';

/** Keeps mails in memory. */
export class TestMailer extends Mailer {
  readonly sent: Mail[] = [];

  async send(mail: Mail): Promise<void> {
    this.sent.push(mail);
  }
}

/** The mails that the application has sent: `await app.mails.to('cosmo@example.com').last().link`. */
export class TestMails {
  constructor(
    private readonly mailer: TestMailer,
    private readonly sender: () => MailSender,
  ) {}

  to(address: string): TestMailbox {
    return new TestMailbox(address, async () => this.all());
  }

  /** All mails, in the order in which they were sent. Sends those that are due first. */
  async all(): Promise<readonly Mail[]> {
    await this.sender().run();
    return this.mailer.sent;
  }
}

/** The mails to one address. */
export class TestMailbox {
  constructor(
    private readonly address: string,
    private readonly read: () => Promise<readonly Mail[]>,
  ) {}

  /** The newest mail. Its members reject if no mail was sent. */
  last(): TestMail {
    return new TestMail(async () => {
      const mail = (await this.all()).at(-1);
      if (!mail) throw new Error(`no mail was sent to ${this.address}`);
      return mail;
    });
  }

  async all(): Promise<Mail[]> {
    return (await this.read()).filter(({ to }) => to === this.address);
  }
}

/** A mail that may not be sent yet; each member waits for it. */
export class TestMail {
  constructor(private readonly read: () => Promise<Mail>) {}

  get subject(): Promise<string> {
    return this.read().then(({ subject }) => subject);
  }

  get text(): Promise<string> {
    return this.read().then(({ text }) => text);
  }

  get html(): Promise<string> {
    return this.read().then(({ html }) => html);
  }

  /** The one link of the text. */
  get link(): Promise<string> {
    return this.match(/^https?:\/\/\S+$/m, 'link');
  }

  /** The `token` of the link, which the routes take. */
  get token(): Promise<string> {
    return this.link.then((link) => new URL(link).searchParams.get('token') ?? '');
  }

  /** The code beside the link. */
  get code(): Promise<string> {
    return this.match(/(?<=^Code: ).+$/m, 'code');
  }

  private async match(pattern: RegExp, what: string): Promise<string> {
    const text = await this.text;
    const found = pattern.exec(text)?.[0];
    if (found === undefined) throw new Error(`the mail has no ${what}:\n${text}`);
    return found;
  }
}
