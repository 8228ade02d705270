import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Clock } from '../../time/clock.js';
import { DerivedKeys } from '../../keys/derived-keys.js';
import { type KeyRing } from '../../keys/key-ring.js';

/**
 * HMACs under keys derived from the key that signs refresh tokens, one for each purpose: no hash can be used for another
 * purpose. A hash names its key, and is invalid once that key is removed.
 */
export class KeyedHashes {
  private readonly keys: DerivedKeys;

  constructor(purpose: string, keys: KeyRing, clock: Clock) {
    this.keys = new DerivedKeys(purpose, keys, clock);
  }

  /** `<kid>.<hash>`. */
  of(text: string): string {
    const { kid, secret } = this.keys.current();
    return `${encoded(kid)}.${mac(secret, text)}`;
  }

  isOf(text: string, hash: string): boolean {
    const dot = hash.lastIndexOf('.');
    const name = hash.slice(0, Math.max(dot, 0));
    const kid = Buffer.from(name, 'base64url').toString();
    const secret = encoded(kid) === name ? this.keys.find(kid) : undefined;
    if (!secret) return false;
    const given = Buffer.from(hash.slice(dot + 1));
    const expected = Buffer.from(mac(secret, text));
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}

function mac(secret: Buffer, text: string): string {
  return createHmac('sha256', secret).update(text).digest('base64url');
}

/** A kid may hold characters that cookies cannot. */
function encoded(kid: string): string {
  return Buffer.from(kid).toString('base64url');
}
