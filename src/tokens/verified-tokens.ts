import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../time/clock.js';
import { KeyRing } from '../keys/key-ring.js';
import { type VerifiedToken } from './token-verifier.js';

/** Tokens; of 700 characters each they and what they say take some 25 MB. */
const MOST = 10_000;
/** Characters of all of them, for applications whose tokens say more. */
const MOST_CHARACTERS = 8 * 1024 * 1024;
/** Characters at the end of a token, of its signature, that tell tokens apart well enough. */
const KEY_LENGTH = 8;

/**
 * Tokens that were verified, known by the whole token: shown again, one costs a look-up instead of an elliptic curve. Who
 * knows no good token cannot put anything in, and so push nobody's out. Nothing here says that a token still holds:
 * whoever finds one asks for its times and its session as of any other.
 */
@Injectable()
export class VerifiedTokens {
  /** By the end of each: to hash all of it would take longer than all else here. Which one it is, the whole says. */
  private readonly tokens = new LRUCache<number, { token: string; verified: VerifiedToken }>({
    max: MOST,
    maxSize: MOST_CHARACTERS,
    sizeCalculation: ({ token }) => token.length,
  });

  constructor(
    private readonly keys: KeyRing,
    private readonly clock: Clock,
  ) {}

  /** Undefined also when its key is gone, has ended, or is another one of the same name. */
  find(token: string): VerifiedToken | undefined {
    const end = endOf(token);
    const known = this.tokens.get(end);
    if (known?.token !== token) return undefined;
    const { key } = known.verified;
    if (this.keys.find(key.kid, this.clock.now()) === key) return known.verified;
    this.tokens.delete(end);
    return undefined;
  }

  /** Only what has passed every check of its route. */
  add(token: string, verified: VerifiedToken): void {
    this.tokens.set(endOf(token), { token, verified });
  }

  get size(): number {
    return this.tokens.size;
  }
}

/** A number, which costs a map less than a text. Two tokens that share one push each other out, and nothing else. */
function endOf(token: string): number {
  let end = 0;
  for (let i = Math.max(0, token.length - KEY_LENGTH); i < token.length; i++) {
    end = (end * 31 + token.charCodeAt(i)) | 0;
  }
  return end;
}
