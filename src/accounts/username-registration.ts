import { Injectable } from '@nestjs/common';
import { Accounts, type Caller, type User, validationFailed } from '../auth/index.js';
import { Registration } from '../auth/internals.js';
import { Database } from '../database/index.js';
import { Outbox } from '../mail/index.js';

export interface NewAccount {
  username: string;
  password: string;
  email?: string | undefined;
}

/** Registration by username. An address is optional, and a mail asks for its proof. */
@Injectable()
export class UsernameRegistration {
  constructor(
    private readonly db: Database,
    private readonly accounts: Accounts,
    private readonly registration: Registration,
    private readonly outbox: Outbox,
  ) {}

  /** @throws ApiError `registration_closed`, `validation_failed`, `username_taken`; RateLimitedError */
  async register({ username, password, email }: NewAccount, caller: Caller): Promise<User> {
    if (email === undefined) return this.registration.register(username, password, caller);
    if (!this.outbox.isOn)
      throw validationFailed([
        { field: 'email', messages: ['email cannot be proved: this server sends no mail'] },
      ]);
    await this.registration.admit(caller);
    const passwordHash = await this.accounts.hashNew(password, username, caller);
    return this.db.inTransaction(async (tx) => {
      const account = { username, pendingEmail: email, passwordHash, roles: [] };
      const user = await this.accounts.insert(tx, account, { caller });
      await this.outbox.add(tx, { kind: 'verification', userId: user.id });
      return user;
    });
  }
}
