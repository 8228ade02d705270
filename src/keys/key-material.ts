import {
  constants,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  type SigningOptions,
  sign,
  verify,
} from 'node:crypto';

/** The kinds of token; each key signs one. */
export type TokenKind = 'access' | 'refresh';

/** What a key is for: signing tokens, or deriving the secrets of second factors. */
export type KeyUse = TokenKind | 'factor';

/** An error in the keys, for the operator. Its message never contains key material. */
export class KeyRingError extends Error {
  override readonly name = 'KeyRingError';
}

/** The supported algorithms. The key decides which one verifies a token, never the token (RFC 8725 §3.1). */
export const SIGNING_ALGORITHMS = ['ES256', 'ES384', 'RS256', 'PS256', 'HS256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

export function isSigningAlgorithm(value: unknown): value is SigningAlgorithm {
  return (SIGNING_ALGORITHMS as readonly unknown[]).includes(value);
}

/** A JWK (RFC 7517) with the kind of token that it signs: one key, one kind, one algorithm. */
export interface PrivateJwk extends JsonWebKey {
  kid: string;
  alg: SigningAlgorithm;
  token_use: KeyUse;
  /** NumericDate from which it signs. Absent: always. */
  signs_from?: number;
  /** NumericDate until which it verifies and is published. Absent: for ever. */
  verifies_until?: number;
  /** The foreign issuer whose public key this is: it verifies only that issuer's tokens. */
  iss?: string;
}

type KeyPair = { signWith: KeyObject; verifyWith: KeyObject };

/** HMAC keys shorter than the hash weaken it (RFC 7518 §3.2). */
export const SECRET_BYTES = 32;
/** RFC 7518 §3.3. */
export const RSA_BITS = 2048;
/** An exponent of 1 makes every message its own signature; small ones break with careless padding. */
const RSA_EXPONENT = 65_537n;
/** RFC 7518 §6.2.2, §6.3.2 and §6.4.1. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

const CURVE_OF = { ES256: 'P-256', ES384: 'P-384' } as const;
const HASH_OF = { ES256: 'sha256', ES384: 'sha384', RS256: 'sha256', PS256: 'sha256' } as const;
const PSS: SigningOptions = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };

/** Imports one of our keys. @throws KeyRingError */
export function readKeyPair(jwk: PrivateJwk): KeyPair {
  const { alg } = jwk;
  if (alg === 'HS256') return readSecret(jwk);
  requireType(jwk, alg);
  if (typeof jwk.d !== 'string') throw problem(jwk, '"d", its private half, is missing');
  const pair = attempt(jwk, () => {
    const signWith = createPrivateKey({ key: jwk, format: 'jwk' });
    return { signWith, verifyWith: createPublicKey(signWith) };
  });
  requireStrength(jwk, pair.verifyWith);
  // Only a signature shows whether the two halves belong together.
  const probe = Buffer.from('freshgate');
  const options = alg === 'PS256' ? PSS : {};
  const belong = attempt(jwk, () =>
    verify(
      HASH_OF[alg],
      probe,
      { key: pair.verifyWith, ...options },
      sign(HASH_OF[alg], probe, { key: pair.signWith, ...options }),
    ),
  );
  if (!belong) throw invalid(jwk);
  return pair;
}

/** Imports the key of another issuer. @throws KeyRingError */
export function readForeignKey(jwk: PrivateJwk): KeyObject {
  const { alg } = jwk;
  if (alg === 'HS256') throw problem(jwk, '"alg" of a foreign issuer\'s key must not be symmetric');
  const found = PRIVATE_MEMBERS.find((name) => jwk[name] !== undefined);
  if (found !== undefined) {
    throw problem(jwk, `"${found}" is private; store only the public half of a foreign issuer's key`);
  }
  requireType(jwk, alg);
  const key = attempt(jwk, () => createPublicKey({ key: jwk, format: 'jwk' }));
  requireStrength(jwk, key);
  return key;
}

/** An error that names the key. */
export function problem({ kid }: { kid: string }, text: string): KeyRingError {
  return new KeyRingError(`key "${kid}": ${text}`);
}

function requireType(jwk: PrivateJwk, alg: Exclude<SigningAlgorithm, 'HS256'>): void {
  if (alg === 'ES256' || alg === 'ES384') {
    if (jwk.kty !== 'EC' || jwk.crv !== CURVE_OF[alg]) {
      throw problem(jwk, `for "alg" ${alg}, "kty" must be "EC" and "crv" "${CURVE_OF[alg]}"`);
    }
  } else if (jwk.kty !== 'RSA') throw problem(jwk, `for "alg" ${alg}, "kty" must be "RSA"`);
}

function requireStrength(jwk: PrivateJwk, key: KeyObject): void {
  if (jwk.kty !== 'RSA') return;
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < RSA_BITS) {
    throw problem(jwk, `"n" has ${modulusLength} bits, it must have at least ${RSA_BITS}`);
  }
  if (publicExponent < RSA_EXPONENT) throw problem(jwk, `"e" must be at least ${RSA_EXPONENT}`);
}

function readSecret(jwk: PrivateJwk): KeyPair {
  const bytes = typeof jwk.k === 'string' ? Buffer.from(jwk.k, 'base64url') : Buffer.alloc(0);
  if (jwk.kty !== 'oct' || bytes.length < SECRET_BYTES) {
    throw problem(jwk, `for "alg" HS256, "kty" must be "oct" and "k" at least ${SECRET_BYTES} bytes`);
  }
  const key = createSecretKey(bytes);
  return { signWith: key, verifyWith: key };
}

/** Replaces the library's message, which may repeat what it could not read. */
function attempt<T>(jwk: PrivateJwk, run: () => T): T {
  try {
    return run();
  } catch {
    throw invalid(jwk);
  }
}

function invalid(jwk: PrivateJwk): KeyRingError {
  return problem(jwk, `not a valid ${jwk.kty} key; restore it from a backup`);
}
