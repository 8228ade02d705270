import { Injectable } from '@nestjs/common';
import { Accounts, type Acting, type Caller, Clock, type Principal } from '../auth/index.js';
import { type User, type UserChange, UserStore } from '../auth/index.js';
import { type AccountChange, AccountChanges, RateLimits } from '../auth/internals.js';
import { isUniqueViolation } from '../database/index.js';
import { Outbox } from '../mail/index.js';
import { emailTaken, linkInvalid } from './account-errors.js';
import { MailTokens } from './mail-tokens.js';

/** Wrong codes of one account. */
const CODE_LIMIT = { name: 'email-code', points: 10, seconds: 3600 };

/** Requests, verifies and undoes changes of an account's address. Of parallel uses of one token, one succeeds. */
@Injectable()
export class EmailChanges {
  constructor(
    private readonly users: UserStore,
    private readonly accounts: Accounts,
    private readonly changes: AccountChanges,
    private readonly tokens: MailTokens,
    private readonly outbox: Outbox,
    private readonly limits: RateLimits,
    private readonly clock: Clock,
  ) {}

  /**
   * Stores the new address and sends a mail to prove it. Until then the old one stays.
   * @throws ApiError `changed_meanwhile`
   */
  async request(who: Principal, email: string, caller: Caller): Promise<void> {
    await this.change(
      () => this.accounts.userOf(who.userId),
      actingAs(who, caller),
      ({ id: userId }) => ({
        change: { pendingEmail: email },
        events: [],
        also: (tx) => this.outbox.add(tx, { kind: 'verification', userId }),
      }),
    );
  }

  /**
   * Replaces the account's address by the pending one, and sends a notice to the old one.
   * @throws ApiError `link_invalid`, `email_taken`, `changed_meanwhile`; RateLimitedError for too many codes
   */
  async verify(who: Principal, proof: { token: string } | { code: string }, caller: Caller): Promise<void> {
    const { userId } = who;
    const isProof = await this.reader(userId, proof);
    await this.change(
      () => this.accounts.userOf(userId),
      actingAs(who, caller),
      (user) => {
        const { email: before, pendingEmail: email } = user;
        if (typeof email !== 'string' || !isProof(user, email))
          throw linkInvalid('does not match the pending address or the state of the account');
        return {
          change: { email, pendingEmail: null, ...renamed(user, email) },
          events: [{ event: 'user_updated', cause: 'email_changed' }],
          also: async (tx) => {
            if (typeof before !== 'string') return;
            const data = { email: before, at: String(this.clock.now()) };
            await this.outbox.add(tx, { kind: 'email_changed', userId, data });
          },
        };
      },
    );
  }

  /**
   * Restores the account's earlier address and revokes its sessions. Works after a change of the password too: an
   * attacker who takes over an account changes both.
   * @throws ApiError `link_invalid`, `email_taken`, `changed_meanwhile`
   */
  async undo(token: string, caller: Caller): Promise<void> {
    const claims = this.tokens.read('undo', token);
    if (!claims) throw linkInvalid('not a token to undo a change, or expired');
    const { user: userId, email, changedAt } = claims;
    const find = async () => {
      const user = await this.users.findById(userId);
      if (!user) throw linkInvalid('the account was deleted');
      return user;
    };
    await this.change(find, { caller }, (user) => {
      if ((user.emailUndoneAt ?? 0) >= changedAt) throw linkInvalid('the change was undone before');
      const now = Math.max(this.clock.now(), changedAt);
      return {
        change: { email, pendingEmail: null, emailUndoneAt: now, ...renamed(user, email) },
        events: [{ event: 'user_updated', cause: 'email_undone' }],
        revokes: 'email_undone',
      };
    });
  }

  /** Returns a function that checks the proof of a pending address. A code is counted before it is compared. */
  private async reader(userId: string, proof: { token: string } | { code: string }) {
    if ('code' in proof) {
      await this.limits.count(CODE_LIMIT, userId);
      return (user: User, email: string) =>
        this.tokens.isCode({ user: user.id, version: user.credentialVersion, email }, proof.code);
    }
    const claims = this.tokens.read('verify', proof.token);
    return (user: User, email: string) =>
      claims?.user === user.id && claims.version === user.credentialVersion && claims.email === email;
  }

  private async change(
    find: () => Promise<User>,
    by: Acting,
    decide: (user: User) => AccountChange,
  ): Promise<void> {
    try {
      await this.changes.apply(find, by, decide);
    } catch (error) {
      throw isUniqueViolation(error) ? emailTaken() : error;
    }
  }
}

function actingAs({ userId, sessionId }: Principal, caller: Caller): Acting {
  return { actorId: userId, sessionId, caller };
}

/** An account without a username is listed by its address. */
function renamed({ username }: User, email: string): UserChange {
  return username.includes('@') ? { username: email } : {};
}
