import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { type TokenKind } from './token-claims.js';

export type SigningAlgorithm = 'ES256' | 'HS256';

/** A private JWK (RFC 7517) that says which kind of token it signs. One key, one kind, one algorithm (RFC 8725 §3.1). */
export interface PrivateJwk extends JsonWebKey {
  kid: string;
  alg: SigningAlgorithm;
  token_use: TokenKind;
}

export interface PrivateJwkSet {
  keys: PrivateJwk[];
}

/** A key as the process holds it: `KeyObject`s, made once, so that no request parses key material. */
export interface RingKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly kind: TokenKind;
  readonly signWith: KeyObject;
  readonly verifyWith: KeyObject;
}

/** What is wrong with the key set, in words for the operator; never contains key material. */
export class KeyRingError extends Error {
  override readonly name = 'KeyRingError';
}

/** HMAC keys shorter than the hash weaken it (RFC 7518 §3.2). */
const MINIMAL_SECRET_BYTES = 32;
const ALGORITHM_OF: Record<TokenKind, SigningAlgorithm> = { access: 'ES256', refresh: 'HS256' };

/** A JOSE header with anything else is read differently by different libraries. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** All keys that verify, and for each kind of token the one that signs now: the first of its kind. */
export class KeyRing {
  private readonly keys: ReadonlyMap<string, RingKey>;
  private readonly signing: Record<TokenKind, RingKey>;

  /** @throws KeyRingError */
  constructor(set: PrivateJwkSet) {
    const keys = readSet(set).map(toRingKey);
    this.keys = new Map(keys.map((key) => [key.kid, key]));
    const twin = keys.find((key) => this.keys.get(key.kid) !== key);
    if (twin) throw new KeyRingError(`two keys share the "kid" "${twin.kid}"`);
    this.signing = { access: firstOf('access', keys), refresh: firstOf('refresh', keys) };
  }

  find(kid: string): RingKey | undefined {
    return this.keys.get(kid);
  }

  signingKey(kind: TokenKind): RingKey {
    return this.signing[kind];
  }

  get algorithms(): SigningAlgorithm[] {
    return [...new Set([...this.keys.values()].map((key) => key.alg))];
  }

  /** RFC 7517 §5: the public halves of the keys that verify access tokens. Symmetric keys never leave the server. */
  publicJwks(): { keys: JsonWebKey[] } {
    const publicKeys = [...this.keys.values()].filter((key) => key.verifyWith.type === 'public');
    return {
      keys: publicKeys.map(({ kid, alg, verifyWith }) => ({
        ...verifyWith.export({ format: 'jwk' }),
        kid,
        alg,
        use: 'sig',
      })),
    };
  }
}

function readSet(set: unknown): PrivateJwk[] {
  const keys = (set as Partial<PrivateJwkSet> | null)?.keys;
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new KeyRingError('expected a JWK Set: {"keys": [ … ]} with at least one key (RFC 7517 §5)');
  }
  return keys;
}

function firstOf(kind: TokenKind, keys: RingKey[]): RingKey {
  const key = keys.find((candidate) => candidate.kind === kind);
  if (!key) throw new KeyRingError(`no key with "token_use": "${kind}"`);
  return key;
}

function toRingKey(jwk: PrivateJwk | null, index: number): RingKey {
  if (typeof jwk !== 'object' || jwk === null) throw new KeyRingError(`key ${index} is not a JSON object`);
  const { kid, alg, token_use: kind } = jwk;
  if (typeof kid !== 'string' || !VISIBLE_ASCII.test(kid)) {
    throw new KeyRingError(`key ${index} has no "kid" of visible ASCII characters`);
  }
  if (kind !== 'access' && kind !== 'refresh') {
    throw new KeyRingError(`key "${kid}": "token_use" must be "access" or "refresh"`);
  }
  if (alg !== ALGORITHM_OF[kind]) {
    throw new KeyRingError(`key "${kid}": "alg" must be "${ALGORITHM_OF[kind]}" for ${kind} tokens`);
  }
  return { kid, alg, kind, ...(kind === 'access' ? ecKeys(jwk) : secretKey(jwk)) };
}

function ecKeys(jwk: PrivateJwk): Pick<RingKey, 'signWith' | 'verifyWith'> {
  if (jwk.kty !== 'EC' || jwk.crv !== 'P-256' || typeof jwk.d !== 'string') {
    throw new KeyRingError(`key "${jwk.kid}" is not a private EC key on the curve P-256`);
  }
  try {
    const signWith = createPrivateKey({ key: jwk, format: 'jwk' });
    const verifyWith = createPublicKey(signWith);
    // Both halves are taken as they are written: only a signature shows whether they belong together.
    const probe = Buffer.from('freshgate');
    if (verify('sha256', probe, verifyWith, sign('sha256', probe, signWith))) return { signWith, verifyWith };
  } catch {
    // Said below.
  }
  throw new KeyRingError(`key "${jwk.kid}" is not a valid EC key`);
}

function secretKey(jwk: PrivateJwk): Pick<RingKey, 'signWith' | 'verifyWith'> {
  const bytes = typeof jwk.k === 'string' ? Buffer.from(jwk.k, 'base64url') : Buffer.alloc(0);
  if (jwk.kty !== 'oct' || bytes.length < MINIMAL_SECRET_BYTES) {
    throw new KeyRingError(`key "${jwk.kid}" is not an oct key of at least ${MINIMAL_SECRET_BYTES} bytes`);
  }
  const key = createSecretKey(bytes);
  return { signWith: key, verifyWith: key };
}
