import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { Clock } from '../../time/clock.js';
import { KeyRing } from '../../keys/key-ring.js';
import { KeyedHashes } from '../cookies/keyed-hashes.js';

const NONCE_BYTES = 16;
/** Characters. A longer value was not issued by us, and is not hashed. */
const MAX_VALUE_LENGTH = 512;

/**
 * Device tokens (OWASP: device cookies), which a device presents at its next login: a nonce, and an HMAC of the nonce
 * with the user. One proves that this user has logged in on the device before, and nothing else. It is worth nothing for
 * another user, and does not tell whose it is.
 */
@Injectable()
export class Devices {
  private readonly hashes: KeyedHashes;

  constructor(keys: KeyRing, clock: Clock) {
    this.hashes = new KeyedHashes('freshgate device', keys, clock);
  }

  /** Issues the token for a device on which the user has just logged in: `nonce.kid.mac`. */
  issue(userId: string): string {
    const nonce = randomBytes(NONCE_BYTES).toString('base64url');
    return `${nonce}.${this.hashes.of(content(nonce, userId))}`;
  }

  /** The nonce of the first value that was issued to this user; planted values beside it do no harm. */
  find(userId: string, values: readonly string[]): string | undefined {
    for (const value of values) {
      const dot = value.indexOf('.');
      if (dot < 1 || value.length > MAX_VALUE_LENGTH) continue;
      const nonce = value.slice(0, dot);
      if (this.hashes.isOf(content(nonce, userId), value.slice(dot + 1))) return nonce;
    }
    return undefined;
  }
}

/** A nonce has no dot, so the texts of two users differ. */
function content(nonce: string, userId: string): string {
  return `${nonce}.${userId}`;
}
