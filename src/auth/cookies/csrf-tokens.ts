import { Injectable } from '@nestjs/common';
import { Clock } from '../../time/clock.js';
import { KeyRing } from '../../keys/key-ring.js';
import { KeyedHashes } from './keyed-hashes.js';

/**
 * The value that a page repeats in a header to show that it can read the site's cookies: an HMAC of the session (OWASP:
 * signed double submit). A value from another session, or planted by a sub-domain, is refused. It stays the same while
 * tokens rotate, so parallel tabs agree.
 */
@Injectable()
export class CsrfTokens {
  private readonly hashes: KeyedHashes;

  constructor(keys: KeyRing, clock: Clock) {
    this.hashes = new KeyedHashes('freshgate csrf', keys, clock);
  }

  of(sessionId: string): string {
    return this.hashes.of(sessionId);
  }

  isOf(sessionId: string, value: string): boolean {
    return this.hashes.isOf(sessionId, value);
  }
}
