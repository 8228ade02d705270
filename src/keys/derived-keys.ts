import { hkdfSync, type KeyObject } from 'node:crypto';
import { type Clock } from '../time/clock.js';
import { type KeyRing } from './key-ring.js';

/** A secret for one purpose, and the key that it was derived from. */
export interface DerivedKey {
  kid: string;
  secret: Buffer;
}

/**
 * Secrets derived from the keys that sign refresh tokens (RFC 5869), one for each purpose: what is made for one purpose
 * cannot be used for another. They end with their key.
 */
export class DerivedKeys {
  private readonly derived = new WeakMap<KeyObject, Buffer>();

  constructor(
    private readonly purpose: string,
    private readonly keys: KeyRing,
    private readonly clock: Clock,
  ) {}

  current(): DerivedKey {
    const { kid, signWith } = this.keys.signingKey('refresh', this.clock.now());
    return { kid, secret: this.derive(signWith) };
  }

  find(kid: string): Buffer | undefined {
    const key = this.keys.find(kid, this.clock.now());
    return key?.kind === 'refresh' && key.signWith ? this.derive(key.signWith) : undefined;
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
