import { Injectable } from '@nestjs/common';
import { AuditLog, type Caller } from '../../audit/audit-log.js';
import { Database } from '../../database/index.js';
import { PasswordHasher } from '../../passwords/password-hasher.js';
import { PasswordPolicy } from '../../passwords/password-policy.js';
import { SessionRevoker } from '../../sessions/session-revoker.js';
import { Sessions } from '../../sessions/sessions.repository.js';
import { Clock } from '../../time/clock.js';
import { PASSWORD_PROOF } from '../../tokens/proof.js';
import { TokenError } from '../../tokens/token.errors.js';
import { UserStore } from '../../users/user-store.js';
import { requireAcceptable } from '../accounts/new-password.js';
import { type Principal } from '../request/principal.js';
import { FactorRegistry, type PresentedFactors } from '../accounts/factor-registry.js';
import { Logins } from './logins.js';
import { hashingClient, invalidCredentials, PasswordVerifier } from './password-verifier.js';
import { proofOf, TokenPairs } from './token-pairs.js';
import { type IssuedPair } from '../dto/token-pair.dto.js';

export interface PasswordChange {
  currentPassword: string;
  newPassword: string;
  factors: PresentedFactors;
}

/** Changes the password of a logged-in user. */
@Injectable()
export class PasswordService {
  constructor(
    private readonly db: Database,
    private readonly users: UserStore,
    private readonly sessions: Sessions,
    private readonly revoker: SessionRevoker,
    private readonly logins: Logins,
    private readonly passwords: PasswordVerifier,
    private readonly factors: FactorRegistry,
    private readonly policy: PasswordPolicy,
    private readonly hasher: PasswordHasher,
    private readonly pairs: TokenPairs,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /**
   * Changes the password, revokes every session of the user, including the current one, and opens a new one in the same
   * transaction: no earlier token works, even if a thief has it.
   * @throws ApiError `invalid_credentials`, `rate_limited`, `validation_failed`
   */
  async change(
    who: Principal,
    { currentPassword, newPassword, factors }: PasswordChange,
    caller: Caller,
  ): Promise<IssuedPair> {
    const { userId, sessionId } = who;
    const user = await this.passwords.inSession(who, currentPassword, 'authn_password_change_fail', caller);
    await requireAcceptable(this.policy, 'new_password', newPassword, user.username);
    const passwordHash = await this.hasher.hash(newPassword, hashingClient(caller, userId, true));
    const factor = await this.factors.verify(user, factors, caller);
    const contents = await this.pairs.contents(user);
    const session = await this.db.inTransaction(async (tx) => {
      if (!(await this.users.update(tx, user, { passwordHash })))
        throw invalidCredentials('the user changed during the change of the password');
      const at = this.clock.now();
      const before = await this.sessions.find(sessionId, tx);
      const revoked = await this.revoker.revokeAll(tx, userId, 'password_changed', at);
      // Rolls back: a session that was revoked meanwhile must not change the password.
      if (!before || !revoked.includes(sessionId))
        throw new TokenError('token_revoked', `session ${sessionId} was revoked during the change`);
      // Expires when the replaced session would have: a short session must not become a long one.
      const sessionTtl = before.expires_at - before.created_at;
      const opened = await this.logins.openIn(
        tx,
        user,
        caller,
        { method: PASSWORD_PROOF, factor },
        { sessionTtl },
      );
      const event = { event: 'authn_password_change', actorId: userId, subjectId: userId, at } as const;
      await this.audit.record({ ...event, sessionId }, caller, tx);
      return opened;
    });
    return this.pairs.issue(session, contents, { proof: proofOf(session) });
  }
}
