import { Injectable } from '@nestjs/common';
import { AuditLog, type Caller } from '../../audit/audit-log.js';
import { Database, type Tx } from '../../database/index.js';
import { SessionRevoker } from '../../sessions/session-revoker.js';
import { type SessionLives, Sessions } from '../../sessions/sessions.repository.js';
import { type Session } from '../../sessions/sessions.table.js';
import { Clock } from '../../time/clock.js';
import { parseDuration } from '../../time/duration.js';
import { type Acr, PASSWORD_PROOF, requireAcr } from '../../tokens/proof.js';
import { TokenError } from '../../tokens/token.errors.js';
import { type Extras } from '../../tokens/token-issuer.js';
import { type User, UserStore } from '../../users/user-store.js';
import { AuthOptions } from '../options/auth-options.js';
import { type ProofAttempt, ProofRules } from './proof-rules.js';
import { type IssuedAccess, proofOf, TokenPairs } from './token-pairs.js';
import { type IssuedPair } from '../dto/token-pair.dto.js';

/** Overrides of one call. Durations as text, `'5m'`, or milliseconds. */
export interface AccessTokenOptions extends Extras {
  /** Lifetime of the access token; it never outlives its session. */
  ttl?: string | number;
}

export interface LoginOptions extends Extras {
  /** RFC 8176: how the user proved who they are. Default `['pwd']`. */
  amr?: readonly string[];
  /** The level of that proof. Default `pwd`: claim a stronger one only for what the user has proved just now. */
  acr?: Acr;
  /** Lifetime of the first access token. */
  accessTtl?: string | number;
  /** Lifetime of the session and all its refresh tokens, for example for "remember me". */
  sessionTtl?: string | number;
}

/** Opens sessions and issues tokens in them, for `/auth/login` and for other ways to authenticate. */
@Injectable()
export class Logins {
  constructor(
    private readonly db: Database,
    private readonly users: UserStore,
    private readonly sessions: Sessions,
    private readonly revoker: SessionRevoker,
    private readonly proofs: ProofRules,
    private readonly audit: AuditLog,
    private readonly pairs: TokenPairs,
    private readonly clock: Clock,
    private readonly options: AuthOptions,
  ) {}

  /**
   * Opens a session for a user who was just authenticated, for example by a passkey, and issues a fresh token pair. Return
   * it from a route with `@DeliversTokens()`.
   * @throws RangeError for an invalid lifetime, `amr` or `acr`; TypeError for a reserved claim or header;
   * TokenError `token_revoked` if the user does not exist or is disabled
   */
  async open(userId: string, caller: Caller, options: LoginOptions = {}): Promise<IssuedPair> {
    const user = await this.users.findById(userId);
    if (user?.disabledAt !== null)
      throw new TokenError('token_revoked', `account ${userId} ${user ? 'is disabled' : 'does not exist'}`);
    const lives = { accessTtl: lifetime(options.accessTtl), sessionTtl: lifetime(options.sessionTtl) };
    const { amr = PASSWORD_PROOF.amr, acr = PASSWORD_PROOF.acr } = options;
    // Before anything is written: a session for which no token can be issued must not be opened.
    requireWords(amr);
    requireAcr(acr);
    const contents = await this.pairs.contents(user, options);
    const session = await this.openUnlessChanged(user, caller, { method: { acr, amr } }, lives);
    if (!session) throw new TokenError('token_revoked', `account ${userId} changed during the login`);
    return this.pairs.issue(session, contents, { proof: proofOf(session), accessTtl: lives.accessTtl });
  }

  /** @returns undefined if the user has changed since they were read: the proof may no longer be valid */
  async openUnlessChanged(
    user: User,
    caller: Caller,
    attempt: ProofAttempt,
    lives: SessionLives = {},
  ): Promise<Session | undefined> {
    return this.db.inTransaction(async (tx) => {
      if (!(await this.users.lockIfUnchanged(tx, user))) return undefined;
      const session = await this.openIn(tx, user, caller, attempt, lives, lives);
      const event = { event: 'authn_login_success', actorId: user.id, subjectId: user.id } as const;
      await this.audit.record({ ...event, sessionId: session.id, at: this.clock.now() }, caller, tx);
      return session;
    });
  }

  /**
   * Opens a session, for a user whose row the transaction has locked. All sessions are opened here. Asks the rules of
   * other modules, and revokes the oldest sessions beyond the limit.
   * @param login for a login that may be continued later: as in {@link ProofRule}
   */
  async openIn(
    tx: Tx,
    user: User,
    caller: Caller,
    attempt: ProofAttempt,
    lives: SessionLives,
    login?: SessionLives,
  ): Promise<Session> {
    const at = this.clock.now();
    const proof = await this.proofs.prove(user, attempt, at, tx, login);
    const session = await this.sessions.open(tx, user.id, caller, proof, lives);
    const revoked = { event: 'session_revoked', cause: 'too_many_sessions', at } as const;
    for (const sessionId of await this.revoker.revokeOldest(tx, user.id, at))
      await this.audit.record({ ...revoked, actorId: user.id, subjectId: user.id, sessionId }, caller, tx);
    return session;
  }

  /**
   * Issues another access token in a live session, not fresh, for example for a download or with more claims.
   * @throws RangeError for an invalid lifetime; TokenError `token_revoked` if the session is revoked or expired
   */
  async accessToken(sessionId: string, { ttl, ...extras }: AccessTokenOptions = {}): Promise<IssuedAccess> {
    const accessTtl = lifetime(ttl) ?? this.options.tokens.accessTtl;
    const [session, user] = await this.db.inTransaction(async (tx) => {
      const now = this.clock.now();
      const extended = await this.sessions.extendAccess(tx, sessionId, now + accessTtl, now);
      return [extended, extended && (await this.users.findById(extended.user_id, tx))];
    });
    if (!session || user?.disabledAt !== null)
      throw new TokenError('token_revoked', `session ${sessionId} is revoked, expired or unknown`);
    return this.pairs.issueAccess(session, await this.pairs.contents(user, extras), {
      proof: null,
      accessTtl,
    });
  }
}

/** The longest that can be configured. */
const MAX_LIFETIME_MS = parseDuration('100w');

/** @throws RangeError also for zero and less, which in other products mean a token that never expires */
function lifetime(given: string | number | undefined): number | undefined {
  if (given === undefined) return undefined;
  const milliseconds = typeof given === 'string' ? parseDuration(given) : given;
  if (Number.isSafeInteger(milliseconds) && milliseconds >= 1000 && milliseconds <= MAX_LIFETIME_MS)
    return milliseconds;
  throw new RangeError(`a lifetime must be from 1s to 100w, not ${JSON.stringify(given)}`);
}

/** They are kept in one text, separated by spaces. @throws RangeError */
function requireWords(amr: readonly string[]): void {
  if (amr.length > 0 && amr.every((word) => /^\S+$/.test(word))) return;
  throw new RangeError(`amr must list words like "pwd", not ${JSON.stringify(amr)}`);
}
