import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type User, UserStore } from '../auth/index.js';
import { type ComposedMail, composeBodies, type MailRequest, Outbox } from '../mail/index.js';
import { AccountLinks } from './account-links.js';
import { AccountsSettings } from './accounts-settings.js';
import { type MailClaims, type MailPurpose, MailTokens } from './mail-tokens.js';
import { type Notice, NOTICES } from './notice-names.js';
import { Registrations } from './registrations.js';
import { MailTemplates } from './templates/mail-templates.js';
import { type Origin, type TemplateFacts, type TemplateName } from './templates/template-facts.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Counted from the time of sending, so that the link of a delayed mail is still valid. */
const LIFE_MS: Record<MailPurpose, number> = {
  register: DAY_MS,
  verify: DAY_MS,
  reset: HOUR_MS,
  undo: 7 * DAY_MS,
};

/** The mails about accounts. Links are made when a mail is sent, so the outbox holds none. */
@Injectable()
export class AccountMails implements OnModuleInit {
  constructor(
    private readonly outbox: Outbox,
    private readonly users: UserStore,
    private readonly registrations: Registrations,
    private readonly tokens: MailTokens,
    private readonly links: AccountLinks,
    private readonly templates: MailTemplates,
    private readonly settings: AccountsSettings,
  ) {}

  onModuleInit(): void {
    // Beyond the limit the user already has three valid links.
    const asked = { limit: 'link', beyondLimit: 'drop' } as const;
    this.outbox.register({ name: 'registration', ...asked, compose: (row) => this.registration(row) });
    this.outbox.register({ name: 'verification', ...asked, compose: (row) => this.verification(row) });
    this.outbox.register({ name: 'reset', ...asked, compose: (row) => this.reset(row) });
    // Counted apart from links: otherwise a thief could use up the limit, and the owner would get no notice of a change.
    for (const name of NOTICES)
      this.outbox.register({
        name,
        limit: name,
        beyondLimit: 'wait',
        compose: (row) => this.notice(name, row),
      });
  }

  private async registration({ data }: MailRequest): Promise<ComposedMail | undefined> {
    const row = await this.registrations.find(data['registration'] ?? '');
    if (!row) return undefined;
    const owner = await this.users.findByUsername(row.email);
    if (owner) return this.mail('already_registered', row.email, owner, { app: this.app });
    const link = this.link('register', { registration: row.id });
    const origin = { at: new Date(row.created_at).toISOString(), ip: row.ip, userAgent: null };
    return this.mail('registration', row.email, undefined, { app: this.app, link, origin }, link);
  }

  private async verification({ userId }: MailRequest): Promise<ComposedMail | undefined> {
    const user = await this.find(userId);
    const email = user?.pendingEmail;
    if (!user || typeof email !== 'string' || email === user.email) return undefined;
    const owner = await this.users.findByUsername(email);
    if (owner) return this.mail('already_registered', email, owner, { app: this.app });
    const claims = { user: user.id, version: user.credentialVersion, email };
    const link = this.link('verify', claims);
    const code = this.tokens.code(claims);
    return this.mail('verification', email, user, { app: this.app, link, code }, link);
  }

  /** The request holds the id of an account, or the name that a client sent. */
  private async reset({ userId, data }: MailRequest): Promise<ComposedMail | undefined> {
    const user = await (userId === null ? this.users.findByUsername(data['name'] ?? '') : this.find(userId));
    if (!user || user.disabledAt !== null || typeof user.email !== 'string') return undefined;
    const { id, credentialVersion: version, email } = user;
    const link = this.link('reset', { user: id, version, email });
    return this.mail('reset', email, user, { app: this.app, link }, link);
  }

  private async notice(name: Notice, { userId, data }: MailRequest): Promise<ComposedMail | undefined> {
    const user = await this.find(userId);
    if (!user || this.settings.noticesOff.includes(name)) return undefined;
    if (name === 'email_changed') return this.emailChanged(user, data);
    if (typeof user.email !== 'string') return undefined;
    const origin: Origin = {
      at: data['at'] ?? '',
      ip: data['ip'] ?? null,
      userAgent: data['userAgent'] ?? null,
    };
    return this.mail(name, user.email, user, { app: this.app, origin });
  }

  /** Sent to the previous address of the account. */
  private async emailChanged(user: User, data: MailRequest['data']): Promise<ComposedMail> {
    const { email = '', at } = data;
    const link = this.link('undo', { user: user.id, email, changedAt: Number(at) });
    return this.mail('email_changed', email, user, { app: this.app, link }, link);
  }

  private async mail<N extends TemplateName>(
    name: N,
    to: string,
    user: User | undefined,
    facts: TemplateFacts[N],
    link?: string,
  ): Promise<ComposedMail> {
    const language = await this.templates.languageOf(user);
    const content = this.templates.content(name, facts, language);
    const { subject } = content;
    return { to, userId: user?.id ?? null, subject, ...composeBodies(content, language), link };
  }

  private link<P extends MailPurpose>(purpose: P, claims: MailClaims[P]): string {
    return this.links.to(purpose, this.tokens.issue(purpose, claims, LIFE_MS[purpose]));
  }

  private get app(): string {
    return new URL(this.settings.appUrl ?? 'http://localhost').host;
  }

  private async find(userId: string | null): Promise<User | undefined> {
    return userId === null ? undefined : this.users.findById(userId);
  }
}
