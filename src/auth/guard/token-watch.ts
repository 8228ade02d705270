import { type HttpException, Injectable, Logger } from '@nestjs/common';
import { RevocationFeed } from '../../sessions/revocation-feed.js';
import { RevokedSessions } from '../../sessions/revoked-sessions.js';
import { Clock } from '../../time/clock.js';
import { TokenError } from '../../tokens/token.errors.js';
import { AuthOptions } from '../options/auth-options.js';
import { type TokenClaims } from '../request/principal.js';
import { revocationFeedLost } from './token-authenticator.js';

/** How often one timer for all watches checks that this instance still receives revocations. */
const FEED_CHECK_MS = 1_000;

/** Called once, when an accepted token is no longer accepted. */
export type TokenEnd = (error: HttpException) => void;

/**
 * Watches accepted tokens for as long as something stays open with them: an event stream, a socket. Each costs a timer for
 * its expiry and an entry by session, which the revocation uses; nothing is polled for each of them.
 */
@Injectable()
export class TokenWatch {
  private readonly logger = new Logger('TokenWatch');
  private readonly bySession = new Map<string, Set<TokenEnd>>();
  private feedCheck: NodeJS.Timeout | undefined;

  constructor(
    private readonly revokedSessions: RevokedSessions,
    private readonly feed: RevocationFeed,
    private readonly clock: Clock,
    private readonly options: AuthOptions,
  ) {
    revokedSessions.onRevoked((sessionId) => {
      for (const end of this.bySession.get(sessionId) ?? []) end(revoked(sessionId));
    });
  }

  /**
   * Calls back with `token_expired` or `token_revoked`, or with `revocation_feed_lost` if this instance no longer receives
   * revocations. At once, before it returns, if the session was revoked since the token was checked.
   * @param skipRevocationCheck as the route declares it: only the expiry ends it
   * @returns a function that stops the watch
   */
  until(
    { sid, exp }: Pick<TokenClaims, 'sid' | 'exp'>,
    onEnd: TokenEnd,
    { skipRevocationCheck = false }: { skipRevocationCheck?: boolean } = {},
  ): () => void {
    if (!skipRevocationCheck && this.revokedSessions.has(sid)) {
      onEnd(revoked(sid));
      return () => {};
    }
    const end: TokenEnd = (error) => {
      stop();
      try {
        onEnd(error);
      } catch (failure) {
        // Often an error of the application's listener. It must not stop the other watches or the revocation.
        this.logger.error('the callback for the end of a token failed', failure);
      }
    };
    const cancelExpiry = this.clock.at(exp * 1000, () =>
      end(new TokenError('token_expired', `expired at ${exp}, while it was in use`)),
    );
    const stop = () => {
      cancelExpiry();
      this.remove(sid, end);
    };
    if (!skipRevocationCheck) this.add(sid, end);
    return stop;
  }

  /** Session ids of which a token is watched. */
  get size(): number {
    return this.bySession.size;
  }

  private add(sessionId: string, end: TokenEnd): void {
    const watches = this.bySession.get(sessionId);
    if (watches) watches.add(end);
    else this.bySession.set(sessionId, new Set([end]));
    this.feedCheck ??= setInterval(() => this.checkFeed(), FEED_CHECK_MS).unref();
  }

  private remove(sessionId: string, end: TokenEnd): void {
    const watches = this.bySession.get(sessionId);
    watches?.delete(end);
    if (watches?.size === 0) this.bySession.delete(sessionId);
    if (this.bySession.size > 0) return;
    clearInterval(this.feedCheck);
    this.feedCheck = undefined;
  }

  /** Ends every watch once ordinary requests are refused too. */
  private checkFeed(): void {
    const staleness = this.feed.staleness();
    if (staleness <= this.options.sessions.revocationMaxStaleness) return;
    for (const watches of this.bySession.values())
      for (const end of watches) end(revocationFeedLost(staleness));
  }
}

function revoked(sessionId: string): TokenError {
  return new TokenError('token_revoked', `session ${sessionId} was revoked while its token was in use`);
}
