import { createHmac, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type Clock } from '../../time/clock.js';
import { type KeyRing } from '../../keys/key-ring.js';

/**
 * HMACs under keys derived from the key that signs refresh tokens (RFC 5869), one for each purpose: no hash can be used
 * for another purpose. A hash names its key, and is invalid once that key is removed.
 */
export class KeyedHashes {
  private readonly derived = new WeakMap<KeyObject, Buffer>();

  constructor(
    private readonly purpose: string,
    private readonly keys: KeyRing,
    private readonly clock: Clock,
  ) {}

  /** `<kid>.<hash>`. */
  of(text: string): string {
    const { kid, signWith } = this.keys.signingKey('refresh', this.clock.now());
    return `${encoded(kid)}.${this.mac(signWith, text)}`;
  }

  isOf(text: string, hash: string): boolean {
    const dot = hash.lastIndexOf('.');
    const name = hash.slice(0, Math.max(dot, 0));
    const kid = Buffer.from(name, 'base64url').toString();
    const key = encoded(kid) === name ? this.keys.find(kid, this.clock.now()) : undefined;
    if (key?.kind !== 'refresh' || !key.signWith) return false;
    const [given, expected] = [hash.slice(dot + 1), this.mac(key.signWith, text)].map((part) =>
      Buffer.from(part),
    );
    return !!given && !!expected && given.length === expected.length && timingSafeEqual(given, expected);
  }

  private mac(key: KeyObject, text: string): string {
    return createHmac('sha256', this.derive(key)).update(text).digest('base64url');
  }

  private derive(signWith: KeyObject): Buffer {
    const known = this.derived.get(signWith);
    if (known) return known;
    const secret =
      signWith.type === 'secret' ? signWith.export() : signWith.export({ type: 'pkcs8', format: 'der' });
    const key = Buffer.from(hkdfSync('sha256', secret, '', this.purpose, 32));
    this.derived.set(signWith, key);
    return key;
  }
}

/** A kid may hold characters that cookies cannot. */
function encoded(kid: string): string {
  return Buffer.from(kid).toString('base64url');
}
