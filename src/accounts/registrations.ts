import { Injectable, type OnModuleInit } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Accounts, type Caller, Clock, type User } from '../auth/index.js';
import { Registration } from '../auth/internals.js';
import { Database, Purger } from '../database/index.js';
import { Outbox } from '../mail/index.js';
import { emailTaken, linkInvalid } from './account-errors.js';
import { MailTokens } from './mail-tokens.js';
import { type RegistrationRow } from './registrations.table.js';

/** Sending the mail is retried for two days, and its link is valid for one. */
const MAX_AGE_MS = 3 * 86_400_000;

/** Registration by e-mail address: the account is created when the address is proved. */
@Injectable()
export class Registrations implements OnModuleInit {
  constructor(
    private readonly db: Database,
    private readonly accounts: Accounts,
    private readonly registration: Registration,
    private readonly outbox: Outbox,
    private readonly tokens: MailTokens,
    private readonly purger: Purger,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.purger.add({
      what: 'unconfirmed registrations',
      table: 'registrations',
      key: 'id',
      selectDead: (tx, cutoff) =>
        tx
          .selectFrom('registrations')
          .select('id')
          .where('created_at', '<', cutoff - MAX_AGE_MS),
    });
  }

  /**
   * Stores a registration and its mail. The address is looked up when the mail is sent, so that the request does the same
   * work whether or not there is an account.
   * @throws ApiError `registration_closed`, `validation_failed`; RateLimitedError
   */
  async add(email: string, password: string, caller: Caller): Promise<void> {
    await this.registration.admit(caller);
    const passwordHash = await this.accounts.hashNew(password, email, caller);
    await this.db.inTransaction(async (tx) => {
      const id = uuidv7();
      const row = { id, email, password_hash: passwordHash, ip: caller.ip, created_at: this.clock.now() };
      await tx.insertInto('registrations').values(row).execute();
      await this.outbox.add(tx, { kind: 'registration', data: { registration: id } });
    });
  }

  async find(id: string): Promise<RegistrationRow | undefined> {
    return this.db.selectFrom('registrations').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /**
   * Creates the account of one registration, not of an address: all others for the same address are void.
   * @throws ApiError `link_invalid`, `email_taken`
   */
  async confirm(token: string, caller: Caller): Promise<User> {
    const claims = this.tokens.read('register', token);
    if (!claims) throw linkInvalid('not a token of a registration, or expired');
    return this.db.inTransaction(async (tx) => {
      const row = await tx
        .deleteFrom('registrations')
        .where('id', '=', claims.registration)
        .returningAll()
        .executeTakeFirst();
      if (!row) throw linkInvalid('the registration was confirmed or replaced');
      const { email, password_hash: passwordHash } = row;
      await tx.deleteFrom('registrations').where('email', '=', email).execute();
      const account = { username: email, email, passwordHash, roles: [] };
      return this.accounts.insert(tx, account, { caller }).catch((error: unknown) => {
        throw isTaken(error) ? emailTaken() : error;
      });
    });
  }
}

function isTaken(error: unknown): boolean {
  return (error as { errorCode?: unknown }).errorCode === 'username_taken';
}
