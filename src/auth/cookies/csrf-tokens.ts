import { Injectable } from '@nestjs/common';
import { createHmac, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import { Clock } from '../../tokens/clock.js';
import { KeyRing } from '../../tokens/key-ring.js';

/**
 * The value that a page must repeat in a header, to show that it can read the site's cookies: an HMAC of the session
 * (OWASP: signed double submit). A value from another session, or one that a sub-domain has planted, is worth nothing,
 * and it stays the same while tokens rotate, so that parallel tabs agree.
 */
@Injectable()
export class CsrfTokens {
  private readonly derived = new WeakMap<KeyObject, Buffer>();

  constructor(
    private readonly keys: KeyRing,
    private readonly clock: Clock,
  ) {}

  of(sessionId: string): string {
    const { kid, signWith } = this.keys.signingKey('refresh', this.clock.now());
    return `${encoded(kid)}.${this.mac(signWith, sessionId)}`;
  }

  isOf(sessionId: string, value: string): boolean {
    const dot = value.lastIndexOf('.');
    const name = value.slice(0, Math.max(dot, 0));
    const kid = Buffer.from(name, 'base64url').toString();
    const key = encoded(kid) === name ? this.keys.find(kid, this.clock.now()) : undefined;
    if (key?.kind !== 'refresh' || !key.signWith) return false;
    const [given, expected] = [value.slice(dot + 1), this.mac(key.signWith, sessionId)].map((text) =>
      Buffer.from(text),
    );
    return !!given && !!expected && given.length === expected.length && timingSafeEqual(given, expected);
  }

  private mac(key: KeyObject, sessionId: string): string {
    return createHmac('sha256', this.derive(key)).update(sessionId).digest('base64url');
  }

  /** A key of its own, derived from the one that signs refresh tokens: neither can be used for the other. */
  private derive(signWith: KeyObject): Buffer {
    const known = this.derived.get(signWith);
    if (known) return known;
    const secret =
      signWith.type === 'secret' ? signWith.export() : signWith.export({ type: 'pkcs8', format: 'der' });
    const key = Buffer.from(hkdfSync('sha256', secret, '', 'freshgate csrf', 32));
    this.derived.set(signWith, key);
    return key;
  }
}

/** A kid may hold what cookies cannot: a page that repeats the cookie as it stands would name another key. */
function encoded(kid: string): string {
  return Buffer.from(kid).toString('base64url');
}
