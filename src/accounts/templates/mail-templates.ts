import { Injectable } from '@nestjs/common';
import { type User } from '../../auth/index.js';
import { type MailContent } from '../../mail/index.js';
import * as links from './link-templates.js';
import * as notices from './notice-templates.js';
import { type TemplateFacts, type TemplateName } from './template-facts.js';

const ENGLISH: { [N in TemplateName]: (facts: TemplateFacts[N]) => MailContent } = {
  registration: links.registration,
  already_registered: links.alreadyRegistered,
  verification: links.verification,
  reset: links.reset,
  new_device: notices.newDevice,
  factor_added: notices.factorAdded,
  factor_removed: notices.factorRemoved,
  recovery_code_used: notices.recoveryCodeUsed,
  password_changed: notices.passwordChanged,
  password_reset: notices.passwordReset,
  email_changed: notices.emailChanged,
  token_reused: notices.tokenReused,
};

/**
 * The texts of all mails about accounts, in English. Extend it for other texts and languages:
 * `AccountsModule.forRoot(settings, { providers: [{ provide: MailTemplates, useClass: GermanTemplates }] })`.
 */
@Injectable()
export class MailTemplates {
  content<N extends TemplateName>(name: N, facts: TemplateFacts[N], _language: string): MailContent {
    return ENGLISH[name](facts);
  }

  /** The language of a mail. @param user undefined if the mail is not about an account */
  languageOf(_user: User | undefined): string | Promise<string> {
    return 'en';
  }
}
