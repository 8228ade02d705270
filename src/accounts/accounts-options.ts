import { ArrayUnique } from 'class-validator';
import { FromEnv } from '../config/from-env.js';
import { MustBe, ToList } from '../config/validators.js';
import { NOTICES, type Notice } from './notice-names.js';

/** The login name of accounts, and the notices that are sent to their owners. */
export class AccountsOptions {
  /** `email`: accounts are registered by e-mail address, and come to be when it is proved. */
  @FromEnv('LOGIN_NAME')
  @MustBe(['username', 'email'])
  readonly loginName: 'username' | 'email' = 'username';

  /** Notices that are not sent by mail. */
  @FromEnv('MAIL_NOTICES_OFF')
  @MustBe(NOTICES, true)
  @ArrayUnique({ message: 'must name each notice once' })
  @ToList()
  readonly noticesOff: readonly Notice[] = [];
}
