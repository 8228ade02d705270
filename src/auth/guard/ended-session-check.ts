import { Injectable } from '@nestjs/common';
import { RevokedSessions } from '../../sessions/revoked-sessions.js';
import { RevocationFeed } from '../../sessions/revocation-feed.js';
import { TokenError } from '../../tokens/token.errors.js';
import { type VerifiedToken } from '../../tokens/token-verifier.js';
import { AuthOptions } from '../options/auth-options.js';
import { ApiError } from '../errors/api-error.js';

/** Refuses access tokens of ended sessions, from memory: no I/O. */
@Injectable()
export class EndedSessionCheck {
  constructor(
    private readonly ended: RevokedSessions,
    private readonly feed: RevocationFeed,
    private readonly options: AuthOptions,
  ) {}

  /** @throws TokenError `token_revoked`; ApiError `revocation_feed_lost` when nobody can tell any more */
  require(verified: VerifiedToken): void {
    const { revision } = this.ended;
    // Among a hundred thousand a look-up waits for memory several times; mostly nothing has ended since the last one.
    if (verified.aliveAt !== revision) {
      const { sid } = verified.claims;
      if (this.ended.has(sid)) throw new TokenError('token_revoked', `session ${sid} has ended`);
      verified.aliveAt = revision;
    }
    const staleness = this.feed.staleness();
    if (staleness <= this.options.sessions.revocationMaxStaleness) return;
    throw new ApiError(
      503,
      'revocation_feed_lost',
      'Cannot tell whether the session has ended; try again shortly',
      {
        reason: `no news of ended sessions for ${Math.round(staleness)} ms`,
      },
    );
  }
}
