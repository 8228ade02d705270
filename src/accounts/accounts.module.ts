import { type DynamicModule, Module, type OnModuleInit, type Provider } from '@nestjs/common';
import { DatabaseModule } from '../database/index.js';
import { Outbox } from '../mail/index.js';
import { AccountLinks } from './account-links.js';
import { AccountMails } from './account-mails.js';
import { AccountsSettings, AccountsSettingsError } from './accounts-settings.js';
import { EmailChanges } from './email-changes.js';
import { EmailController } from './email.controller.js';
import { MailTokens } from './mail-tokens.js';
import { Notices } from './notices.js';
import { PasswordResetController } from './password-reset.controller.js';
import { PasswordResets } from './password-resets.js';
import { RegisterByEmailController, RegisterByUsernameController } from './register.controllers.js';
import { Registrations } from './registrations.js';
import { registrationsMigrations } from './registrations.table.js';
import { MailTemplates } from './templates/mail-templates.js';
import { UsernameRegistration } from './username-registration.js';
import { UsernameController } from './username.controller.js';
import { Usernames } from './usernames.js';

/** Registration, e-mail addresses, password reset and notices. Needs `AuthModule` with `registers: false`, and `MailModule`. */
@Module({})
export class AccountsModule implements OnModuleInit {
  static forRoot(
    settings: AccountsSettings,
    { providers = [] }: { providers?: Provider[] } = {},
  ): DynamicModule {
    return {
      module: AccountsModule,
      imports: [DatabaseModule.forFeature(registrationsMigrations)],
      controllers: [
        settings.loginName === 'email' ? RegisterByEmailController : RegisterByUsernameController,
        EmailController,
        PasswordResetController,
        UsernameController,
      ],
      providers: [
        { provide: AccountsSettings, useValue: settings },
        UsernameRegistration,
        Registrations,
        EmailChanges,
        PasswordResets,
        Usernames,
        MailTokens,
        AccountLinks,
        MailTemplates,
        AccountMails,
        Notices,
        ...providers,
      ],
      exports: [MailTokens, AccountLinks, MailTemplates],
    };
  }

  constructor(
    private readonly settings: AccountsSettings,
    private readonly outbox: Outbox,
  ) {}

  /** @throws AccountsSettingsError */
  onModuleInit(): void {
    const { loginName, appUrl } = this.settings;
    if (loginName === 'email' && !this.outbox.isOn)
      throw new AccountsSettingsError('smtpUrl', 'must be set where accounts are registered by e-mail');
    if (this.outbox.isOn && appUrl === undefined)
      throw new AccountsSettingsError('appUrl', 'must be set where mail is on: links in mails begin with it');
  }
}
