/** The public API of the accounts module. */
export { AccountLinks } from './account-links.js';
export { AccountsModule } from './accounts.module.js';
export { AccountsOptions } from './accounts-options.js';
export { AccountsSettings, AccountsSettingsError } from './accounts-settings.js';
export { type MailClaims, type MailPurpose, MailTokens } from './mail-tokens.js';
export { type Notice, NOTICES } from './notice-names.js';
export { MailTemplates } from './templates/mail-templates.js';
export { type TemplateFacts, type TemplateName } from './templates/template-facts.js';
