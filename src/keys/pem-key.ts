import { createHash, createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  KeyRingError,
  type PrivateJwk,
  readKeyPair,
  RSA_BITS,
  type SigningAlgorithm,
  type TokenKind,
} from './key-material.js';

/** PKCS#8, SEC1 and PKCS#1. An encrypted key of the last two says so in its first lines. */
const PRIVATE_KEY = /-----BEGIN ((?:EC |RSA |ENCRYPTED )?PRIVATE KEY)-----[^]*?-----END \1-----/g;
const ENCRYPTED = /BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/;
const PUBLIC_KEY = /-----BEGIN (?:(?:RSA )?PUBLIC KEY|CERTIFICATE)-----/;

/** The algorithms of each curve, by OpenSSL's name; the first one is the default. */
const ALGORITHMS_OF_CURVE: Partial<Record<string, readonly SigningAlgorithm[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
};
const RSA_ALGORITHMS = ['RS256', 'PS256'] as const;

/**
 * Reads a private key in PEM. Its `kid` is its thumbprint (RFC 7638), so that the same key is not added twice.
 * @param alg by default the one of the key's curve, and RS256 for RSA
 * @throws KeyRingError that names the file and how to convert it; never repeats any of it
 */
export function readPemKey(path: string, kind: TokenKind, alg?: SigningAlgorithm): PrivateJwk {
  const key = privateKeyIn(path, readText(path));
  const possible = algorithmsOf(path, key);
  const chosen = alg ?? possible[0];
  if (chosen === undefined || !possible.includes(chosen)) {
    throw new KeyRingError(
      `${path}: this key cannot sign with ${alg}; it can with ${possible.join(' and ')}`,
    );
  }
  const jwk = key.export({ format: 'jwk' });
  const made: PrivateJwk = { ...jwk, kid: thumbprintOf(jwk), alg: chosen, use: 'sig', token_use: kind };
  readKeyPair(made);
  return made;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new KeyRingError(`${path} cannot be read: ${(error as Error).message}`);
  }
}

function privateKeyIn(path: string, text: string): KeyObject {
  if (ENCRYPTED.test(text)) {
    throw new KeyRingError(
      `${path} is encrypted; decrypt it first: openssl pkey -in ${path} -out key.pem (and delete key.pem afterwards)`,
    );
  }
  const [pem, ...more] = [...text.matchAll(PRIVATE_KEY)].map(([block]) => block);
  if (pem === undefined) throw new KeyRingError(`${path} ${whyNoKey(text)}`);
  if (more.length > 0) {
    throw new KeyRingError(`${path} holds ${more.length + 1} private keys; import each from its own file`);
  }
  try {
    return createPrivateKey(pem);
  } catch {
    // Not the library's message, which may repeat what it could not read.
    throw new KeyRingError(`${path} holds a damaged private key; openssl pkey -in ${path} -check says more`);
  }
}

function whyNoKey(text: string): string {
  if (text.includes('BEGIN OPENSSH PRIVATE KEY'))
    return "is in OpenSSH's own format; convert a copy of it to PEM: ssh-keygen -p -m PKCS8 -f FILE";
  if (PUBLIC_KEY.test(text))
    return 'holds only a public key; signing needs the private one ("-----BEGIN PRIVATE KEY-----")';
  return 'holds no private key in PEM ("-----BEGIN PRIVATE KEY-----")';
}

function algorithmsOf(path: string, key: KeyObject): readonly SigningAlgorithm[] {
  const { namedCurve = '', modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') {
    if (modulusLength < RSA_BITS) {
      throw new KeyRingError(
        `${path} has an RSA key of ${modulusLength} bits; it needs at least ${RSA_BITS}`,
      );
    }
    return RSA_ALGORITHMS;
  }
  const algorithms = ALGORITHMS_OF_CURVE[namedCurve];
  if (algorithms) return algorithms;
  const type = [key.asymmetricKeyType, namedCurve].filter(Boolean).join(' ');
  throw new KeyRingError(`${path} has a key of type ${type}; supported are RSA, EC P-256 and EC P-384`);
}

/** RFC 7638 §3: the required members alone, in lexicographic order. */
function thumbprintOf({ kty, crv, x, y, e, n }: JsonWebKey): string {
  const members = kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}
