import { type MailContent } from '../../mail/index.js';
import { describeOrigin } from './describe-origin.js';
import { type Origin, type TemplateFacts } from './template-facts.js';

const RESCUE = 'If this was not you, reset your password now: that ends every session.';

function notice(subject: string, sentence: string, origin: Origin, advice = RESCUE): MailContent {
  return { subject, before: [sentence, describeOrigin(origin), advice] };
}

export function newDevice({ app, origin }: TemplateFacts['new_device']): MailContent {
  return notice(`New login at ${app}`, 'Your account was logged in to on a new device.', origin);
}

export function factorAdded({ app, origin }: TemplateFacts['factor_added']): MailContent {
  return notice(
    `Way to log in added at ${app}`,
    'A second factor, a passkey or new recovery codes were added to your account.',
    origin,
  );
}

export function factorRemoved({ app, origin }: TemplateFacts['factor_removed']): MailContent {
  const sentence = 'A second factor or a passkey of your account was removed.';
  return notice(`Way to log in removed at ${app}`, sentence, origin);
}

export function recoveryCodeUsed({ app, origin }: TemplateFacts['recovery_code_used']): MailContent {
  const sentence = 'One of your recovery codes was used in place of your second factor.';
  return notice(`Recovery code used at ${app}`, sentence, origin);
}

export function passwordChanged({ app, origin }: TemplateFacts['password_changed']): MailContent {
  return notice(`Password changed at ${app}`, 'The password of your account was changed.', origin);
}

export function passwordReset({ app, origin }: TemplateFacts['password_reset']): MailContent {
  const sentence = 'The password of your account was reset. Every session was ended.';
  return notice(`Password reset at ${app}`, sentence, origin);
}

export function tokenReused({ app, origin }: TemplateFacts['token_reused']): MailContent {
  const sentence =
    'A session of your account was ended, because one of its tokens was used twice. It may have been copied.';
  const advice = 'Log in again. If it happens again, change your password.';
  return notice(`Session ended at ${app}`, sentence, origin, advice);
}

export function emailChanged({ app, link }: TemplateFacts['email_changed']): MailContent {
  return {
    subject: `E-mail address changed at ${app}`,
    before: [
      `Your account at ${app} has another e-mail address now. This one no longer belongs to it.`,
      'If this was not you, undo it, and then reset your password.',
    ],
    link: { label: 'Undo the change and end every session', url: link },
    after: ['The link is valid for seven days.'],
  };
}
