import { Injectable } from '@nestjs/common';
import { PURGE_MARGIN_MS } from '../database/index.js';
import { type RevokeCause } from './sessions.table.js';

/** A revoked session, remembered until no access token of it can be alive. */
export interface Revocation {
  id: string;
  /** Milliseconds: the latest expiry of any access token issued for the session. */
  access_until: number;
  revoke_cause: RevokeCause | null;
}

/** For how long a revocation outlives the last token of its session: a clock may be set back (see `Purger`). */
export const REVOCATION_LEEWAY_MS = PURGE_MARGIN_MS;

/**
 * The revoked sessions whose access tokens may still be alive, in memory: an ordinary request looks here and reads no
 * row. Filled by every revocation on this instance, and by the feed from the other instances.
 */
@Injectable()
export class RevokedSessions {
  private readonly revocations = new Map<string, Revocation>();
  private readonly listeners: ((sessionId: string) => void)[] = [];

  has(sessionId: string): boolean {
    return this.revocations.has(sessionId);
  }

  add(revocations: Iterable<Revocation>): void {
    for (const revocation of revocations) {
      const known = this.revocations.get(revocation.id);
      if (!known || known.access_until < revocation.access_until)
        this.revocations.set(revocation.id, revocation);
      if (!known) for (const listener of this.listeners) listener(revocation.id);
    }
  }

  /** Calls back for each session that becomes known as revoked, on this instance or on another. */
  onRevoked(listener: (sessionId: string) => void): void {
    this.listeners.push(listener);
  }

  /** Forgets sessions whose last access token expired before `cutoff` (milliseconds). */
  forget(cutoff: number): void {
    for (const [id, { access_until }] of this.revocations) {
      if (access_until < cutoff) this.revocations.delete(id);
    }
  }

  /** Every revocation that is remembered and not in `ids`. */
  missingFrom(ids: ReadonlySet<string>): Revocation[] {
    return [...this.revocations.values()].filter(({ id }) => !ids.has(id));
  }

  get size(): number {
    return this.revocations.size;
  }
}
