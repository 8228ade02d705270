import { type MailContent } from '../../mail/index.js';
import { type TemplateFacts } from './template-facts.js';
import { describeOrigin } from './describe-origin.js';

export function registration({ app, link, origin }: TemplateFacts['registration']): MailContent {
  return {
    subject: `Confirm your registration at ${app}`,
    before: [
      `This address was used to register at ${app}.`,
      describeOrigin(origin),
      'Confirm only if that was you: the account gets the password that was chosen then.',
    ],
    link: { label: 'Confirm the registration', url: link },
    after: ['The link is valid for one day. If you did not register, ignore this mail.'],
  };
}

export function alreadyRegistered({ app }: TemplateFacts['already_registered']): MailContent {
  return {
    subject: `You already have an account at ${app}`,
    before: [
      `Your address was entered at ${app}, for a new account or for another one. You already have an account with it.`,
      'If that was you, log in, or ask for a new password. If not, you need to do nothing.',
    ],
  };
}

export function verification({ app, link, code }: TemplateFacts['verification']): MailContent {
  return {
    subject: `Confirm your e-mail address at ${app}`,
    before: [`This address was entered for an account at ${app}. Log in to that account and open the link.`],
    link: { label: 'Confirm the address', url: link },
    code,
    after: [
      'The link is valid for one day, the code for one hour. If the account is not yours, ignore this mail.',
    ],
  };
}

export function reset({ app, link }: TemplateFacts['reset']): MailContent {
  return {
    subject: `Reset your password at ${app}`,
    before: [`A new password was asked for at ${app}.`],
    link: { label: 'Choose a new password', url: link },
    after: [
      'The link is valid for one hour and can be used once. If you did not ask for it, ignore this mail: your password stays as it is.',
    ],
  };
}
