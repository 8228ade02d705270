import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { Database, type Tx } from '../database/index.js';
import { type Verdict } from '../sessions/rotation.js';
import { type Device, type RotationRequest, Sessions } from '../sessions/sessions.repository.js';
import { type Session } from '../sessions/sessions.table.js';
import { Clock, toNumericDate } from '../tokens/clock.js';
import { type RefreshClaims } from '../tokens/token-claims.js';
import { TokenError } from '../tokens/token.errors.js';
import { TokenIssuer } from '../tokens/token-issuer.js';
import { PasswordHasher } from '../users/password-hasher.js';
import { Users } from '../users/users.repository.js';
import { type User } from '../users/users.table.js';
import { AuthOptions } from './auth-options.js';
import { type TokenPairDto } from './dto/token-pair.dto.js';
import { ApiError } from './errors/api-error.js';
import { type Principal } from './principal.js';

/** Verdicts on a refresh token that buys nothing, whatever the password. */
const DEAD: ReadonlySet<Verdict> = new Set(['superseded', 'reuse', 'rolled_back', 'revoked']);

/** RFC 8176: a password. */
const AMR = ['pwd'];

/** What one can do about one's own login; combines users, sessions and tokens, which know nothing of each other. */
@Injectable()
export class AuthService {
  constructor(
    private readonly db: Database,
    private readonly users: Users,
    private readonly hasher: PasswordHasher,
    private readonly sessions: Sessions,
    private readonly issuer: TokenIssuer,
    private readonly clock: Clock,
    private readonly options: AuthOptions,
  ) {}

  async register(username: string, password: string): Promise<User> {
    if (this.options.registration === 'closed') {
      throw new ApiError(403, 'registration_closed', 'Registration is closed');
    }
    const user = await this.users.create(username, await this.hasher.hash(password), this.clock.now());
    if (!user) throw new ApiError(409, 'username_taken', `The username ${username} is taken`);
    return user;
  }

  /** A new session, and a fresh token pair for it. Every failure looks and takes the same. */
  async login(username: string, password: string, device: Device): Promise<TokenPairDto> {
    const user = await this.prove(await this.users.findByUsername(username), password);
    const session = await this.db.inTransaction(async (tx) => {
      await this.requireUnchanged(tx, user);
      return this.sessions.open(tx, user.id, device, this.clock.now());
    });
    return this.tokenPair(session, { fresh: true });
  }

  /** The next refresh token of the session, with an access token that is not fresh. */
  async refresh(token: RefreshClaims, idempotencyKey: string | null): Promise<TokenPairDto> {
    const request = this.rotationRequest(token, idempotencyKey);
    const rotation = await this.db.inTransaction((tx) => this.sessions.rotate(tx, request));
    if (!('session' in rotation)) throw refusal(rotation.outcome, token);
    return this.tokenPair(rotation.session, { fresh: false });
  }

  /** A refresh that proves the password again, and so gives a fresh access token. */
  async reauthenticate(
    token: RefreshClaims,
    password: string,
    idempotencyKey: string | null,
  ): Promise<TokenPairDto> {
    const seen = await this.db.inTransaction((tx) =>
      this.sessions.inspect(tx, this.rotationRequest(token, idempotencyKey)),
    );
    // Before the password is looked at: a dead token is no oracle for it.
    if (DEAD.has(seen)) throw refusal(seen, token);

    const user = await this.prove(await this.users.findById(token.sub), password);
    const request = { ...this.rotationRequest(token, idempotencyKey), passwordProved: true };
    const rotation = await this.db.inTransaction(async (tx) => {
      await this.requireUnchanged(tx, user);
      return this.sessions.rotate(tx, request);
    });
    if (!('session' in rotation)) throw refusal(rotation.outcome, token);
    return this.tokenPair(rotation.session, { fresh: true });
  }

  /** Ends the session; ending it again is no error. */
  async logout(sessionId: string): Promise<void> {
    await this.db.inTransaction((tx) => this.sessions.end(tx, sessionId, 'logout', this.clock.now()));
  }

  /** Ends every other session, and gives this one a fresh token pair. */
  async changePassword(who: Principal, currentPassword: string, newPassword: string): Promise<TokenPairDto> {
    const user = await this.prove(await this.users.findById(who.userId), currentPassword);
    const passwordHash = await this.hasher.hash(newPassword);
    const session = await this.db.inTransaction(async (tx) => {
      if (!(await this.users.changePassword(tx, user, passwordHash)))
        throw invalidCredentials('changed meanwhile');
      const now = this.clock.now();
      await this.sessions.endAll(tx, user.id, 'password_changed', now, who.sessionId);
      const renewed = await this.sessions.renew(tx, who.sessionId, now);
      // Thrown inside: a session that was ended meanwhile changes no password.
      if (!renewed) throw new TokenError('token_revoked', `session ${who.sessionId} ended during the change`);
      return renewed;
    });
    return this.tokenPair(session, { fresh: true });
  }

  private rotationRequest(token: RefreshClaims, idempotencyKey: string | null): RotationRequest {
    return {
      sessionId: token.sid,
      generation: token.gen,
      keyHash:
        idempotencyKey === null ? null : createHash('sha256').update(idempotencyKey).digest('base64url'),
      now: this.clock.now(),
    };
  }

  /** @throws ApiError `invalid_credentials`, after the same work whether or not there is such a user */
  private async prove(user: User | undefined, password: string): Promise<User> {
    const proved = await this.hasher.verify(user?.password_hash, password);
    if (!user || !proved) throw invalidCredentials(user ? 'wrong password' : 'no such user');
    return user;
  }

  /** A password takes time to verify; what it allows holds only if it is still the password. */
  private async requireUnchanged(tx: Tx, user: User): Promise<void> {
    if (!(await this.users.lockIfUnchanged(tx, user)))
      throw invalidCredentials('the password was changed meanwhile');
  }

  private tokenPair(session: Session, { fresh }: { fresh: boolean }): TokenPairDto {
    const now = toNumericDate(this.clock.now());
    const subject = { userId: session.user_id, sessionId: session.id };
    const access = this.issuer.issueAccess({
      ...subject,
      fresh,
      authTime: session.auth_time,
      amr: AMR,
      notAfter: session.expires_at,
    });
    const refresh = this.issuer.issueRefresh({
      ...subject,
      generation: session.generation,
      issuedAt: session.rotated_at,
      expiresAt: session.idle_expires_at,
    });
    return {
      access_token: access.token,
      token_type: 'Bearer',
      expires_in: access.expiresAt - now,
      refresh_token: refresh.token,
      refresh_expires_in: refresh.expiresAt - now,
    };
  }
}

function invalidCredentials(reason: string): ApiError {
  return new ApiError(401, 'invalid_credentials', 'Bad username or password', { reason });
}

function refusal(verdict: Verdict, token: RefreshClaims): ApiError | TokenError {
  const reason = `${verdict}: session ${token.sid}, presented generation ${token.gen}`;
  if (verdict === 'reuse') return new TokenError('refresh_token_reused', reason);
  if (verdict !== 'key_reused') return new TokenError('token_revoked', reason);
  const message =
    'This Idempotency-Key made the refresh token that it is sent with; use a new key for each token';
  return new ApiError(400, 'idempotency_key_reused', message, { reason });
}
