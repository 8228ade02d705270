import { Injectable } from '@nestjs/common';
import { ApiError, type User } from '../../auth/index.js';
import { type Tx } from '../../database/index.js';
import { Outbox } from '../../mail/index.js';

declare module '../../auth/index.js' {
  interface ErrorCodes {
    no_mail: 409;
  }
}

/** The kind of the accounts module: its link sets a password. */
const KIND = 'reset';

/** Mails by which users set a password, so that no administrator knows it. */
@Injectable()
export class PasswordMails {
  constructor(private readonly outbox: Outbox) {}

  /** @throws ApiError `no_mail` if the server sends none */
  requireOn(): void {
    if (!this.outbox.isOn || !this.outbox.find(KIND)) throw noMail('This server sends no mail');
  }

  /** @throws ApiError `no_mail` if the user would get none */
  requireReachable({ email, disabledAt }: User): void {
    this.requireOn();
    if (typeof email !== 'string') throw noMail('The account has no proved e-mail address');
    if (disabledAt !== null) throw noMail('The account is disabled: enable it first');
  }

  async add(tx: Tx, userId: string): Promise<void> {
    await this.outbox.add(tx, { kind: KIND, userId });
  }
}

function noMail(reason: string): ApiError {
  return new ApiError(409, 'no_mail', `${reason}; an operator can set a password with "npm run users"`);
}
