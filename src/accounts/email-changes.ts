import { Injectable } from '@nestjs/common';
import { ApiError, AuditLog, type Caller, Clock, type Principal, TokenError } from '../auth/index.js';
import { type User, type UserChange, UserStore } from '../auth/index.js';
import { RateLimits, SessionRevoker } from '../auth/internals.js';
import { Database, isUniqueViolation, type Tx } from '../database/index.js';
import { Outbox } from '../mail/index.js';
import { emailTaken, linkInvalid } from './account-errors.js';
import { MailTokens } from './mail-tokens.js';

/** Other changes of the same account may come in between. */
const MAX_TRIES = 5;
/** Wrong codes of one account. */
const CODE_LIMIT = { name: 'email-code', points: 10, seconds: 3600 };

/** The address of an account: asked for, proved, undone. */
@Injectable()
export class EmailChanges {
  constructor(
    private readonly db: Database,
    private readonly users: UserStore,
    private readonly tokens: MailTokens,
    private readonly outbox: Outbox,
    private readonly limits: RateLimits,
    private readonly revoker: SessionRevoker,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /** Notes the new address and asks it for a proof by mail. The old one stays until then. */
  async request(who: Principal, email: string): Promise<void> {
    await this.change(
      () => this.find(who.userId),
      () => ({ pendingEmail: email }),
      async (tx, user) => this.outbox.add(tx, { kind: 'verification', userId: user.id }),
    );
  }

  /**
   * Makes the pending address the account's, and tells the old one.
   * @throws ApiError `link_invalid`, `email_taken`; RateLimitedError for too many codes
   */
  async verify(
    { userId, sessionId }: Principal,
    proof: { token: string } | { code: string },
    caller: Caller,
  ): Promise<void> {
    const isProof = await this.reader(userId, proof);
    await this.change(
      () => this.find(userId),
      (user) => {
        const { pendingEmail: email } = user;
        if (typeof email !== 'string' || !isProof(user, email))
          throw linkInvalid('not of this address and state');
        return { email, pendingEmail: null, ...renamed(user, email) };
      },
      async (tx, user) => {
        const at = this.clock.now();
        const who = { actorId: userId, subjectId: userId, sessionId };
        await this.audit.record({ event: 'user_updated', cause: 'email_changed', at, ...who }, caller, tx);
        if (typeof user.email !== 'string') return;
        const data = { email: user.email, at: String(at) };
        await this.outbox.add(tx, { kind: 'email_changed', userId, data });
      },
    );
  }

  /**
   * Gives the account its earlier address back and revokes its sessions. Works after a change of the password too: who
   * takes an account over changes both.
   * @throws ApiError `link_invalid`, `email_taken`
   */
  async undo(token: string, caller: Caller): Promise<void> {
    const claims = this.tokens.read('undo', token);
    if (!claims) throw linkInvalid('not a token to undo a change, or expired');
    const { user: userId, email, changedAt } = claims;
    await this.change(
      async () => this.users.findById(userId),
      (user) => {
        if ((user.emailUndoneAt ?? 0) >= changedAt) throw linkInvalid('the change was undone before');
        const now = Math.max(this.clock.now(), changedAt);
        return { email, pendingEmail: null, emailUndoneAt: now, ...renamed(user, email) };
      },
      async (tx) => {
        const at = this.clock.now();
        await this.revoker.revokeAll(tx, userId, 'email_undone', at);
        const event = { event: 'user_updated', cause: 'email_undone', at, subjectId: userId } as const;
        await this.audit.record(event, caller, tx);
      },
    );
  }

  /** What tells whether a proof is of a user's pending address. A code is counted before it is compared. */
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

  private async find(userId: string): Promise<User> {
    const user = await this.users.findById(userId);
    if (!user) throw new TokenError('token_revoked', `account ${userId} has been deleted`);
    return user;
  }

  /** One conditional update, tried again if the account has changed since it was read: of parallel uses one succeeds. */
  private async change(
    find: () => Promise<User | undefined>,
    decide: (user: User) => UserChange,
    then: (tx: Tx, before: User) => Promise<void>,
  ): Promise<void> {
    for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
      const user = await find();
      if (!user) throw linkInvalid('the account was deleted');
      const change = decide(user);
      try {
        const done = await this.db.inTransaction(async (tx) => {
          if (!(await this.users.update(tx, user, change))) return false;
          await then(tx, user);
          return true;
        });
        if (done) return;
      } catch (error) {
        throw isUniqueViolation(error) ? emailTaken() : error;
      }
    }
    throw new ApiError(409, 'changed_meanwhile', 'The account was changed at the same time; try again');
  }
}

/** An account without a username is listed by its address. */
function renamed({ username }: User, email: string): UserChange {
  return username.includes('@') ? { username: email } : {};
}
