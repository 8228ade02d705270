import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { Clock } from '../../time/clock.js';
import { KeyRing } from '../../keys/key-ring.js';
import { KeyedHashes } from '../cookies/keyed-hashes.js';

/** Bytes. */
const NONCE = 16;
/** Characters: what is longer was not made here, and is not worth a hash. */
const LONGEST = 512;

/**
 * What a device shows at its next login, to be told apart from strangers (OWASP: device cookies): a nonce, and an HMAC
 * of it with the user. Proves nothing but that this user has logged in there before. For any other user it is worth
 * nothing, and it says to nobody whose it is.
 */
@Injectable()
export class Devices {
  private readonly hashes: KeyedHashes;

  constructor(keys: KeyRing, clock: Clock) {
    this.hashes = new KeyedHashes('freshgate device', keys, clock);
  }

  /** A value for a device on which the user has just logged in: `nonce.kid.mac`. */
  issue(userId: string): string {
    const nonce = randomBytes(NONCE).toString('base64url');
    return `${nonce}.${this.hashes.of(content(nonce, userId))}`;
  }

  /** The nonce of the first value that is of this user; other values beside it, planted ones say, take nothing away. */
  find(userId: string, values: readonly string[]): string | undefined {
    for (const value of values) {
      const dot = value.indexOf('.');
      if (dot < 1 || value.length > LONGEST) continue;
      const nonce = value.slice(0, dot);
      if (this.hashes.isOf(content(nonce, userId), value.slice(dot + 1))) return nonce;
    }
    return undefined;
  }
}

/** A nonce has no dot, so no two users share a text. */
function content(nonce: string, userId: string): string {
  return `${nonce}.${userId}`;
}
