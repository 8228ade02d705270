import { Injectable } from '@nestjs/common';
import { Accounts, AuditLog, type Caller, Clock, UserStore } from '../auth/index.js';
import { RateLimits, SessionRevoker } from '../auth/internals.js';
import { Database } from '../database/index.js';
import { Outbox } from '../mail/index.js';
import { linkInvalid } from './account-errors.js';
import { MailTokens } from './mail-tokens.js';

/** Resets forgotten passwords by mail. */
@Injectable()
export class PasswordResets {
  constructor(
    private readonly db: Database,
    private readonly users: UserStore,
    private readonly accounts: Accounts,
    private readonly tokens: MailTokens,
    private readonly outbox: Outbox,
    private readonly limits: RateLimits,
    private readonly revoker: SessionRevoker,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /**
   * Stores the request. The account and its address are looked up when the mail is sent, so that the request does the
   * same work for every name.
   * @throws RateLimitedError
   */
  async request(name: string, caller: Caller): Promise<void> {
    await this.limits.forgot(caller);
    await this.db.inTransaction((tx) => this.outbox.add(tx, { kind: 'reset', data: { name } }));
  }

  /**
   * Sets the new password and revokes every session. Opens none and removes no second factor: the mail proves access to
   * the mailbox and nothing else.
   * @throws ApiError `link_invalid`, `validation_failed`
   */
  async reset(token: string, newPassword: string, caller: Caller): Promise<void> {
    const claims = this.tokens.read('reset', token);
    const user = claims && (await this.users.findById(claims.user));
    if (!user || user.credentialVersion !== claims.version || user.email !== claims.email)
      throw linkInvalid('not a token for a reset, expired, or the account has changed');
    if (user.disabledAt !== null) throw linkInvalid('the account is disabled');
    const passwordHash = await this.accounts.hashNew(newPassword, user.username, caller, 'new_password');
    await this.db.inTransaction(async (tx) => {
      if (!(await this.users.update(tx, user, { passwordHash })))
        throw linkInvalid('the account was changed at the same time');
      const at = this.clock.now();
      await this.revoker.revokeAll(tx, user.id, 'password_reset', at);
      const event = { event: 'authn_password_change', cause: 'password_reset' } as const;
      await this.audit.record({ ...event, at, actorId: user.id, subjectId: user.id }, caller, tx);
    });
  }
}
