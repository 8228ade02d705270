/** The public API of the mail module. */
export { composeBodies, escapeHtml, type MailContent } from './compose.js';
export { type ComposedMail, type MailKind, type MailRequest } from './mail-kind.js';
export { MailSender } from './mail-sender.js';
export { MailModule, type MailSettings } from './mail.module.js';
export { MailOptions } from './mail-options.js';
export { type Mail, Mailer } from './mailer.js';
export { type NewMail, Outbox } from './outbox.js';
