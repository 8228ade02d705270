import { type ApiError, errorOf, SignedOutError } from './errors.js';
import { SessionStore, type Store, type StoredSession } from './stored-session.js';

/** A token pair, as login, refresh, reauthentication and password change answer. */
interface Pair {
  expires_in: number;
  access_token?: string;
  refresh_token?: string;
}

export interface Call {
  method: string;
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  token?: string | undefined;
}

/** Sends one request, without refreshing or storing tokens. Rejects if there is no answer. */
export type Send = (call: Call) => Promise<Response>;

/** Codes of a revoked session. After any other error the tokens are kept, because it may be temporary. */
const REVOKED: readonly string[] = ['token_revoked', 'refresh_token_reused'];
/** Codes for an expired refresh token, or for cookies without one. */
const USELESS: readonly string[] = ['token_expired', 'token_missing'];
/** `expiresAt` of cookies that this page has not seen, if there are any. */
const UNKNOWN = Number.MAX_SAFE_INTEGER;
/** How often a refresh without an answer is repeated with the same key, and the milliseconds before each repetition. */
const REPEATS = 2;
const PAUSE = 300;

/**
 * The tokens of this device. Refreshes once at a time in a tab; other tabs may refresh too, because the server answers
 * the same key with the same successor. An answer is kept only if it belongs to the session that is stored by then.
 */
export class SessionKeeper {
  private readonly store: SessionStore;
  private rotating: Promise<StoredSession> | undefined;
  /** The id and turn of a refresh token that the server refuses for good. */
  private dead: string | undefined;
  /** The session after the last proof in this page. */
  private proved: StoredSession | undefined;
  /** Whether this page has seen a session, so that its end must be reported. */
  private isIn = false;

  constructor(
    store: Store,
    private readonly send: Send,
    private readonly usesCookies: boolean,
    private readonly onSignedOut: (reason: string) => void,
  ) {
    this.store = new SessionStore(store);
  }

  /** The session for a request, refreshed if its access token has expired. @throws SignedOutError */
  async current(): Promise<StoredSession> {
    const session = await this.read();
    return session.expiresAt > Date.now() ? session : this.after(session);
  }

  /** The session after the one that the server refused: stored by another tab meanwhile, or refreshed now. */
  async after(refused: StoredSession): Promise<StoredSession> {
    this.rotating ??= this.track(this.rotate('/auth/refresh', undefined, refused));
    return this.rotating;
  }

  /** Reauthenticates: a refresh that also proves who the user is. */
  async prove(body: unknown): Promise<void> {
    while (this.rotating) await this.rotating.catch(() => undefined);
    this.proved = await (this.rotating = this.track(this.rotate('/auth/reauthenticate', body)));
  }

  /** Whether this page has proved the user again since it read this session: repeating a request may then succeed. */
  hasProvedSince(session: StoredSession): boolean {
    return this.proved !== undefined && this.proved.id === session.id && this.proved.turn > session.turn;
  }

  /**
   * Stores the pair of a new session.
   * @param before the session that it replaces; if another one is stored by now, the user has logged out meanwhile
   */
  async begin(response: Response, before?: StoredSession): Promise<void> {
    const pair = (await response.json()) as Pair;
    if (before && (await this.store.read())?.id !== before.id) throw new SignedOutError();
    const device = response.headers.get('X-Device-Token');
    if (device !== null && !this.usesCookies) await this.store.keepDevice(device);
    await this.store.write(this.stored(pair, newName(), 0));
    this.isIn = true;
  }

  /** Forgets the session at once, and returns what was stored, so that the caller can revoke it at the server. */
  async end(): Promise<StoredSession | null> {
    const session = await this.store.read();
    this.isIn = false;
    await this.clear();
    return session;
  }

  async device(): Promise<string | null> {
    return this.usesCookies ? null : this.store.device();
  }

  private async read(): Promise<StoredSession> {
    let session = await this.store.read();
    if (session === null && this.usesCookies) {
      // This page cannot see whether there are cookies. The guess is stored, so that all tabs use one key.
      session = { id: newName(), turn: 0, expiresAt: UNKNOWN };
      await this.store.write(session);
    }
    if (session === null || session.isOver || this.dead === nameOf(session)) {
      this.signOut('signed_out');
      throw new SignedOutError();
    }
    this.isIn = true;
    return session;
  }

  private signOut(reason: string): void {
    if (!this.isIn) return;
    this.isIn = false;
    this.onSignedOut(reason);
  }

  private track(rotation: Promise<StoredSession>): Promise<StoredSession> {
    return rotation.finally(() => (this.rotating = undefined));
  }

  /** @param refused undefined for a proof, which is sent even if another tab has refreshed */
  private async rotate(path: string, body: unknown, refused?: StoredSession): Promise<StoredSession> {
    for (let unanswered = 0; ;) {
      const session = await this.read();
      if (refused && isLater(session, refused)) return session;
      const turn = session.isBehind ? session.turn - 1 : session.turn;
      let response: Response;
      let pair: Pair | undefined;
      try {
        const headers = { 'Idempotency-Key': `${session.id}.${turn}` };
        response = await this.send({ method: 'POST', path, body, token: session.refreshToken, headers });
        pair = response.ok ? ((await response.json()) as Pair) : undefined;
      } catch (error) {
        if (unanswered++ === REPEATS) throw error;
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
        continue;
      }
      if (pair) return this.keep(pair, session, turn + 1, !refused);
      const corrected = await this.consider(await errorOf(response), session, turn);
      // Not rotated again: another tab's request that still carries the earlier token would be two generations behind.
      if (corrected && refused) return corrected;
    }
  }

  /**
   * Returns if another try may succeed, with the corrected session if its turn was wrong.
   * @throws ApiError the given one, if no try can succeed
   */
  private async consider(
    error: ApiError,
    session: StoredSession,
    turn: number,
  ): Promise<StoredSession | undefined> {
    const stored = await this.store.read();
    if (!stored || isLater(stored, session)) return undefined;
    if (error.errorCode === 'idempotency_key_reused') {
      // All cookies are of the next turn: the page that fetched them was closed, or has not stored the turn yet.
      const corrected = { ...session, turn: turn + 1, isBehind: undefined, expiresAt: UNKNOWN };
      await this.store.write(corrected);
      return corrected;
    }
    if (REVOKED.includes(error.errorCode)) await this.clear();
    else if (USELESS.includes(error.errorCode)) this.dead = nameOf(session);
    else throw error;
    // This page has not seen a login, so it has no end of a session to report.
    if (error.errorCode === 'token_missing' && session.expiresAt === UNKNOWN) this.isIn = false;
    this.signOut(error.errorCode);
    throw error;
  }

  private async keep(
    pair: Pair,
    sent: StoredSession,
    turn: number,
    isProof: boolean,
  ): Promise<StoredSession> {
    const stored = await this.store.read();
    // The user has logged out meanwhile, or another user has logged in.
    if (stored?.id !== sent.id || stored.isOver) throw new SignedOutError();
    if (stored.turn > turn) {
      if (this.usesCookies) await this.store.write({ ...stored, isBehind: true });
      return stored;
    }
    const isKnown = !stored.isBehind && stored.expiresAt !== UNKNOWN;
    if (stored.turn === turn && isKnown && !isProof) return stored;
    const session = this.stored(pair, sent.id, turn);
    await this.store.write(session);
    return session;
  }

  private stored(pair: Pair, id: string, turn: number): StoredSession {
    const session = { id, turn, expiresAt: Date.now() + pair.expires_in * 1000 };
    if (this.usesCookies) return session;
    const { access_token: accessToken, refresh_token: refreshToken } = pair;
    if (accessToken === undefined || refreshToken === undefined)
      throw new Error("the answer holds no tokens: use mode 'cookie', or add 'header' to TOKEN_LOCATIONS");
    return { ...session, accessToken, refreshToken };
  }

  private async clear(): Promise<void> {
    await this.store.write(this.usesCookies ? { id: '', turn: 0, expiresAt: 0, isOver: true } : null);
  }
}

/** Random. Not `crypto.randomUUID`, which browsers have on HTTPS and localhost only. */
function newName(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join('.');
}

function nameOf({ id, turn }: StoredSession): string {
  return `${id}.${turn}`;
}

function isLater(a: StoredSession, b: StoredSession): boolean {
  return a.id !== b.id || a.turn > b.turn || a.accessToken !== b.accessToken;
}
