import { Injectable } from '@nestjs/common';
import { AccountsSettings } from './accounts-settings.js';
import { type MailPurpose } from './mail-tokens.js';

/** Paths of the frontend's pages. Each page posts the token from its query. */
const PATHS: Record<MailPurpose, string> = {
  register: '/register/confirm',
  verify: '/email/verify',
  undo: '/email/undo',
  reset: '/password/reset',
};

/** Where links of mails lead. Override `to` for other paths. */
@Injectable()
export class AccountLinks {
  constructor(private readonly settings: AccountsSettings) {}

  /** Built from `APP_URL` alone: a request could name any host. The token is in the query, because link scanners drop fragments. */
  to(purpose: MailPurpose, token: string): string {
    return `${this.settings.appUrl}${PATHS[purpose]}?token=${encodeURIComponent(token)}`;
  }
}
