import { type ErrorCode } from '../../../src/auth/index.js';

/** A plain reference of what is promised about refresh tokens, for one user. Shares no code with the application. */

const SECOND = 1_000;
const GRACE = 10 * SECOND;
const ACCESS_LIFE = 15 * 60 * SECOND;
const FRESH_AGE = 15 * 60 * SECOND;
const DAY = 86_400 * SECOND;
const IDLE_LIFE = 14 * DAY;
const SESSION_LIFE = 30 * DAY;

export const OUTCOMES = [
  'logged in',
  'rotated',
  'replayed',
  'concurrent',
  'key reused',
  'reuse',
  'ended',
  'expired',
  'wrong password',
  'password changed',
  'not fresh',
  'logged out',
  'shown',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What the server is to answer. */
export interface Answer {
  outcome: Outcome;
  status: number;
  errorCode?: ErrorCode;
  /** Where a token pair is to come: for which session, and whether its access token is fresh. */
  pair?: { session: ModelSession; fresh: boolean };
}

export interface ModelSession {
  /** By the server; known once the login has been answered. */
  id: string;
  live: number;
  /** Who made the live generation; a rotation without a key has the key null. */
  maker: { by: 'login' } | { by: 'client'; key: string | null };
  rotatedAt: number;
  idleEnd: number;
  end: number;
  authTime: number;
  ended: boolean;
  /** As issued; of each generation one. */
  refresh: RefreshToken[];
  /** As issued, the newest last. */
  access: AccessToken[];
}

export interface RefreshToken {
  token: string;
  session: ModelSession;
  generation: number;
  expiresAt: number;
}

export interface AccessToken {
  token: string;
  session: ModelSession;
  fresh: boolean;
  authTime: number;
  expiresAt: number;
}

const EXPIRED: Answer = { outcome: 'expired', status: 401, errorCode: 'token_expired' };
const ENDED: Answer = { outcome: 'ended', status: 401, errorCode: 'token_revoked' };
const REUSE: Answer = { outcome: 'reuse', status: 401, errorCode: 'refresh_token_reused' };
const KEY_REUSED: Answer = { outcome: 'key reused', status: 400, errorCode: 'idempotency_key_reused' };
const NOT_FRESH: Answer = { outcome: 'not fresh', status: 401, errorCode: 'fresh_token_required' };
const WRONG: Answer = { outcome: 'wrong password', status: 401, errorCode: 'invalid_credentials' };

/** One request to refresh; with a password, to reauthenticate. */
export interface Attempt {
  token: RefreshToken;
  key: string | null;
  password: string | undefined;
}

export class AccountModel {
  readonly sessions: ModelSession[] = [];
  readonly attempts: Attempt[] = [];
  /** Which refresh token each party holds of each session. */
  readonly pockets = new Map<string, RefreshToken>();
  readonly passwords: string[];

  constructor(
    readonly username: string,
    password: string,
    readonly now: () => number,
  ) {
    this.passwords = [password];
  }

  get password(): string {
    return this.passwords.at(-1)!;
  }

  login(password: string): Answer {
    if (password !== this.password) return WRONG;
    return { outcome: 'logged in', status: 200, pair: { session: this.open(), fresh: true } };
  }

  private open(): ModelSession {
    const now = this.now();
    const session: ModelSession = {
      id: '',
      live: 0,
      maker: { by: 'login' },
      rotatedAt: now,
      idleEnd: now + IDLE_LIFE,
      end: now + SESSION_LIFE,
      authTime: now,
      ended: false,
      refresh: [],
      access: [],
    };
    this.sessions.push(session);
    return session;
  }

  present({ token, key, password }: Attempt): Answer {
    const { session, generation, expiresAt } = token;
    const now = this.now();
    if (expiresAt <= now) return EXPIRED;
    if (session.ended) return ENDED;
    const { maker } = session;
    const sameKey = maker.by === 'client' && key !== null && maker.key === key;
    const behind = session.live - generation;
    const follows =
      sameKey ||
      (maker.by === 'client' && maker.key === null && key === null && now - session.rotatedAt <= GRACE);

    if (behind > 1 || (behind === 1 && !follows)) {
      session.ended = true;
      return REUSE;
    }
    if (password !== undefined && password !== this.password) return WRONG;
    if (behind === 0 && sameKey) return KEY_REUSED;

    if (behind === 0) this.advance(session, { by: 'client', key });
    if (password !== undefined) session.authTime = now;
    const pair = { session, fresh: password !== undefined };
    if (behind === 0) return { outcome: 'rotated', status: 200, pair };
    return { outcome: sameKey ? 'replayed' : 'concurrent', status: 200, pair };
  }

  changePassword(token: AccessToken, current: string, next: string): Answer {
    const { session } = token;
    const now = this.now();
    if (token.expiresAt <= now) return EXPIRED;
    if (!token.fresh || now - token.authTime > FRESH_AGE) return NOT_FRESH;
    if (session.ended) return ENDED;
    if (current !== this.password) return WRONG;
    this.passwords.push(next);
    for (const each of this.sessions) each.ended = true;
    return { outcome: 'password changed', status: 200, pair: { session: this.open(), fresh: true } };
  }

  logout(session: ModelSession): Answer {
    session.ended = true;
    return { outcome: 'logged out', status: 204 };
  }

  /** At an ordinary route. */
  showAccess({ session, expiresAt }: AccessToken): Answer {
    if (expiresAt <= this.now()) return EXPIRED;
    return session.ended ? ENDED : { outcome: 'shown', status: 200 };
  }

  /** At a route that reads a refresh token without rotating it: of each session one works at most. */
  showRefresh({ session, generation, expiresAt }: RefreshToken): Answer {
    if (expiresAt <= this.now()) return EXPIRED;
    return session.ended || generation !== session.live ? ENDED : { outcome: 'shown', status: 200 };
  }

  accessExpiry(session: ModelSession): number {
    return Math.min(this.now() + ACCESS_LIFE, session.end);
  }

  private advance(session: ModelSession, maker: ModelSession['maker']): void {
    const now = this.now();
    session.live++;
    session.maker = maker;
    session.rotatedAt = now;
    session.idleEnd = Math.min(now + IDLE_LIFE, session.end);
  }
}
