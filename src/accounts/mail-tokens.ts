import { Injectable } from '@nestjs/common';
import { timingSafeEqual } from 'node:crypto';
import { Clock } from '../auth/index.js';
import { KeyedHashes, KeyRing } from '../auth/internals.js';

/** What a link is for, and what its token says. */
export interface MailClaims {
  register: { registration: string };
  verify: { user: string; version: number; email: string };
  reset: { user: string; version: number; email: string };
  undo: { user: string; changedAt: number; email: string };
}
export type MailPurpose = keyof MailClaims;

const MAX_TOKEN_LENGTH = 2_048;
/** Crockford's alphabet: no I, L, O, U. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const CODE_LENGTH = 8;
/** A code is valid in the slot in which it was made and in the next one. */
const CODE_SLOT_MS = 3_600_000;

/**
 * Tokens of mails: claims and their HMAC, with a separate key for each purpose. Nothing is stored: a token is valid while
 * the account matches its claims, and using it changes the account.
 */
@Injectable()
export class MailTokens {
  private readonly hashes: Record<MailPurpose | 'code', KeyedHashes>;

  constructor(
    keys: KeyRing,
    private readonly clock: Clock,
  ) {
    const hashesOf = (purpose: string) => new KeyedHashes(`freshgate mail ${purpose}`, keys, clock);
    this.hashes = {
      register: hashesOf('register'),
      verify: hashesOf('verify'),
      reset: hashesOf('reset'),
      undo: hashesOf('undo'),
      code: hashesOf('code'),
    };
  }

  issue<P extends MailPurpose>(purpose: P, claims: MailClaims[P], lifeMs: number): string {
    const text = JSON.stringify({ ...claims, until: this.clock.now() + lifeMs });
    const payload = Buffer.from(text).toString('base64url');
    return `${payload}.${this.hashes[purpose].of(payload)}`;
  }

  /** @returns undefined for a token that is malformed, forged, expired, or for another purpose */
  read<P extends MailPurpose>(purpose: P, token: string): MailClaims[P] | undefined {
    const dot = token.indexOf('.');
    if (dot < 1 || token.length > MAX_TOKEN_LENGTH) return undefined;
    const payload = token.slice(0, dot);
    if (!this.hashes[purpose].isOf(payload, token.slice(dot + 1))) return undefined;
    const text = Buffer.from(payload, 'base64url').toString();
    const claims = JSON.parse(text) as MailClaims[P] & { until: number };
    return this.clock.now() < claims.until ? claims : undefined;
  }

  /** A code to type if the link does not work: `ABCD-EFGH`, 40 bits, valid for 1 to 2 hours. */
  code(claims: MailClaims['verify'], slot = this.slot()): string {
    const hash = this.hashes.code.of(JSON.stringify([claims.user, claims.version, claims.email, slot]));
    const bytes = Buffer.from(hash.slice(hash.lastIndexOf('.') + 1), 'base64url');
    const letters = [...bytes.subarray(0, CODE_LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length] ?? '');
    return `${letters.slice(0, CODE_LENGTH / 2).join('')}-${letters.slice(CODE_LENGTH / 2).join('')}`;
  }

  isCode(claims: MailClaims['verify'], given: string): boolean {
    const typed = Buffer.from(given.toUpperCase().replace(/[\s-]/g, ''));
    return [0, 1].some((ago) => {
      const expected = Buffer.from(this.code(claims, this.slot() - ago).replace('-', ''));
      return typed.length === expected.length && timingSafeEqual(typed, expected);
    });
  }

  private slot(): number {
    return Math.floor(this.clock.now() / CODE_SLOT_MS);
  }
}
