import { type JsonWebKey, type KeyObject } from 'node:crypto';
import {
  isSigningAlgorithm,
  KeyRingError,
  type KeyUse,
  type PrivateJwk,
  problem,
  readForeignKey,
  readKeyPair,
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
} from './key-material.js';

export {
  KeyRingError,
  type KeyUse,
  type PrivateJwk,
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
  type TokenKind,
} from './key-material.js';

/** Seconds for which clients may cache the JWKS. A key is published for longer than that before it signs. */
export const JWKS_MAX_AGE_SECONDS = 300;

export interface PrivateJwkSet {
  keys: PrivateJwk[];
}

/** A loaded key. Its `KeyObject`s are created once, so that no request parses key material. */
export interface RingKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly kind: KeyUse;
  /** The foreign issuer whose tokens it verifies; null for ours. */
  readonly issuer: string | null;
  /** Null for a foreign issuer's key. */
  readonly signWith: KeyObject | null;
  readonly verifyWith: KeyObject;
  /** Milliseconds; 0 if the file has none. */
  readonly signsFrom: number;
  /** Milliseconds; Infinity if the file has none. */
  readonly verifiesUntil: number;
}

export type SigningKey = RingKey & { readonly signWith: KeyObject };

/** Libraries differ in how they read other characters in a JOSE header. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
/** As a NumericDate the year 5138: a larger number is in milliseconds. */
const LATEST_DATE = 1e11;

/**
 * All keys that verify, and for each kind of token the key that signs at a given time. Replaced as a whole, so no request
 * sees half of a change. Times are milliseconds of the caller's clock.
 */
export class KeyRing {
  private keys: ReadonlyMap<string, RingKey> = new Map();

  /** Empty without a set, until the first `replace`. @throws KeyRingError */
  constructor();
  constructor(set: PrivateJwkSet, now: number);
  constructor(set?: PrivateJwkSet, now = 0) {
    if (set) this.replace(set, now);
  }

  /** Replaces all keys. @throws KeyRingError, and keeps the old keys */
  replace(set: PrivateJwkSet, now: number): void {
    const keys = readKeySet(set);
    for (const kind of ['access', 'refresh'] as const) requireSigningKey(keys, kind, now);
    this.keys = new Map(keys.map((key) => [key.kid, key]));
  }

  find(kid: string, now: number): RingKey | undefined {
    const key = this.keys.get(kid);
    return key && now < key.verifiesUntil ? key : undefined;
  }

  kids(): string[] {
    return [...this.keys.keys()];
  }

  /** Returns the key that signs. @throws KeyRingError if the last key of the kind has expired */
  signingKey(kind: KeyUse, now: number): SigningKey {
    return requireSigningKey([...this.keys.values()], kind, now);
  }

  /**
   * The JWKS (RFC 7517 §5): the public halves of our keys that verify access tokens, or will. Symmetric keys never leave the
   * server, and a foreign issuer publishes its own keys.
   */
  publicJwks(now: number): { keys: JsonWebKey[] } {
    const shown = [...this.keys.values()].filter(
      ({ kind, issuer, verifyWith, verifiesUntil }) =>
        kind === 'access' && issuer === null && verifyWith.type === 'public' && now < verifiesUntil,
    );
    return {
      keys: shown.map(({ kid, alg, verifyWith }) => ({
        ...verifyWith.export({ format: 'jwk' }),
        kid,
        alg,
        use: 'sig',
      })),
    };
  }
}

/** Reads all keys of a set, at any time. @throws KeyRingError */
export function readKeySet(set: unknown): RingKey[] {
  const jwks = (set as Partial<PrivateJwkSet> | null)?.keys;
  if (!Array.isArray(jwks) || jwks.length === 0) {
    throw new KeyRingError('expected a JWK Set: {"keys": [ … ]} with at least one key (RFC 7517 §5)');
  }
  const keys = jwks.map(toRingKey);
  const known = new Set<string>();
  for (const { kid } of keys) {
    if (known.has(kid)) throw new KeyRingError(`two keys share the "kid" "${kid}"; give one another name`);
    known.add(kid);
  }
  return keys;
}

/** Returns the newest of our keys that may sign now; of equally new keys, the first in the file. */
export function findSigningKey(keys: readonly RingKey[], kind: KeyUse, now: number): SigningKey | undefined {
  return keys
    .filter((key): key is SigningKey => key.signWith !== null && key.kind === kind)
    .filter(({ signsFrom, verifiesUntil }) => signsFrom <= now && now < verifiesUntil)
    .reduce<SigningKey | undefined>(
      (best, key) => (best && best.signsFrom >= key.signsFrom ? best : key),
      undefined,
    );
}

function requireSigningKey(keys: readonly RingKey[], kind: KeyUse, now: number): SigningKey {
  const key = findSigningKey(keys, kind, now);
  if (key) return key;
  const own = keys.some((each) => each.kind === kind && each.issuer === null);
  const rotate = kind === 'factor' ? 'rotate --kind factor' : 'rotate';
  throw new KeyRingError(
    own
      ? `no key with "token_use": "${kind}" signs now; \`npm run keys -- ${rotate}\` adds one, or change "signs_from" or "verifies_until"`
      : `no key of our own with "token_use": "${kind}"; \`npm run keys -- ${rotate}\` adds one`,
  );
}

function toRingKey(jwk: PrivateJwk | null, index: number): RingKey {
  if (typeof jwk !== 'object' || jwk === null) throw new KeyRingError(`key ${index} is not a JSON object`);
  const { kid, alg, token_use: kind, use, iss } = jwk;
  if (typeof kid !== 'string' || !VISIBLE_ASCII.test(kid)) {
    throw new KeyRingError(`key ${index} has no "kid" of visible ASCII characters`);
  }
  if (kind !== 'access' && kind !== 'refresh' && kind !== 'factor') {
    throw problem(jwk, '"token_use" must be "access", "refresh" or "factor"');
  }
  if (!isSigningAlgorithm(alg)) {
    throw problem(jwk, `"alg" must be one of ${SIGNING_ALGORITHMS.join(', ')}`);
  }
  if (use !== undefined && use !== 'sig') throw problem(jwk, '"use" must be "sig" or absent');
  // Secrets are derived from it, so it must be a symmetric key.
  if (kind === 'factor' && alg !== 'HS256')
    throw problem(jwk, '"alg" of a key with "token_use": "factor" must be HS256');
  if (kind === 'factor' && jwk.verifies_until !== undefined)
    throw problem(
      jwk,
      '"verifies_until" must be absent: authenticators derive from a "factor" key until they are removed',
    );
  const signsFrom = readDate(jwk, 'signs_from', 0);
  const verifiesUntil = readDate(jwk, 'verifies_until', Infinity);
  const times = { signsFrom, verifiesUntil };
  if (iss === undefined) return { kid, alg, kind, issuer: null, ...readKeyPair(jwk), ...times };
  if (typeof iss !== 'string' || iss === '') {
    throw problem(jwk, '"iss" must be the foreign issuer\'s name, or absent for a key of our own');
  }
  if (kind !== 'access') throw problem(jwk, '"token_use" of a foreign issuer\'s key must be "access"');
  return { kid, alg, kind, issuer: iss, signWith: null, verifyWith: readForeignKey(jwk), ...times };
}

function readDate(jwk: PrivateJwk, name: 'signs_from' | 'verifies_until', absent: number): number {
  const value: unknown = jwk[name];
  if (value === undefined) return absent;
  if (typeof value !== 'number' || !(value >= 0 && value < LATEST_DATE)) {
    throw problem(jwk, `"${name}" must be a NumericDate: seconds since 1970, as a number`);
  }
  return value * 1000;
}
