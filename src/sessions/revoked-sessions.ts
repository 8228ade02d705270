import { Injectable } from '@nestjs/common';
import { PURGE_MARGIN_MS } from '../database/index.js';

/** A session that has ended, remembered until no access token of it can be alive. */
export interface Revocation {
  id: string;
  /** Milliseconds: the latest expiry of any access token issued for the session. */
  access_until: number;
}

/** For how long a revocation outlives the last token of its session: a clock may be set back (see `Purger`). */
export const REVOCATION_LEEWAY_MS = PURGE_MARGIN_MS;

/**
 * The sessions that have ended while access tokens of them may live, in memory: an ordinary request asks here and
 * reads no row. Filled by whatever ends a session on this instance, and by the feed from the others.
 */
@Injectable()
export class RevokedSessions {
  private readonly until = new Map<string, number>();

  has(sessionId: string): boolean {
    return this.until.has(sessionId);
  }

  add(tombstones: Iterable<Revocation>): void {
    for (const { id, access_until } of tombstones) {
      this.until.set(id, Math.max(access_until, this.until.get(id) ?? 0));
    }
  }

  /** Forgets sessions whose last access token was dead before `cutoff` (milliseconds). */
  forget(cutoff: number): void {
    for (const [id, until] of this.until) {
      if (until < cutoff) this.until.delete(id);
    }
  }

  get size(): number {
    return this.until.size;
  }
}
