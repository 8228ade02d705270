import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../time/clock.js';
import { KeyRing } from '../keys/key-ring.js';
import { type VerifiedToken } from './token-verifier.js';

/** With 700 characters each, the tokens and their claims take some 25 MB. */
const MAX_TOKENS = 10_000;
/** Limit for all tokens together, for applications with longer tokens. */
const MAX_CHARACTERS = 8 * 1024 * 1024;

/**
 * Verified tokens, by the whole token: a known one costs a look-up instead of an elliptic-curve verification. Only
 * holders of valid tokens add entries, so a stranger cannot displace any. An entry does not say that the token is still
 * accepted: expiry and revocation are checked at each use, as for a new token.
 */
@Injectable()
export class VerifiedTokens {
  private readonly tokens = new LRUCache<string, VerifiedToken>({
    max: MAX_TOKENS,
    maxSize: MAX_CHARACTERS,
    sizeCalculation: (_, token) => token.length,
  });

  constructor(
    private readonly keys: KeyRing,
    private readonly clock: Clock,
  ) {}

  /** Undefined also when its key was removed, has expired, or was replaced by another key of the same name. */
  find(token: string): VerifiedToken | undefined {
    const verified = this.tokens.get(token);
    if (!verified) return undefined;
    const { key } = verified;
    if (this.keys.find(key.kid, this.clock.now()) === key) return verified;
    this.tokens.delete(token);
    return undefined;
  }

  /** Call it only for tokens that passed every check of their route. */
  add(token: string, verified: VerifiedToken): void {
    this.tokens.set(token, verified);
  }

  get size(): number {
    return this.tokens.size;
  }
}
