import { type CanActivate, Injectable } from '@nestjs/common';
import { ApiError } from '../auth/index.js';
import { Outbox } from '../mail/index.js';

/** Refuses routes that need mail while mail is off: a request would wait for a mail that never comes. */
@Injectable()
export class MailOnGuard implements CanActivate {
  constructor(private readonly outbox: Outbox) {}

  /** @throws ApiError `not_found` */
  canActivate(): boolean {
    if (this.outbox.isOn) return true;
    throw new ApiError(404, 'not_found', 'This server sends no mail');
  }
}
