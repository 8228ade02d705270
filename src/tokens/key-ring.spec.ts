import { describe, expect, it } from '@jest/globals';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { generateKeySet } from './key-file.js';
import { KeyRing, KeyRingError, type PrivateJwk, type PrivateJwkSet } from './key-ring.js';

const SET = generateKeySet();
const ACCESS = SET.keys[0]!;
const REFRESH = SET.keys[1]!;
const P384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ format: 'jwk' });
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });

/** A set of two keys, changed: what a file on disk may say, whatever the types promise. */
const access = (change: object) => ({ keys: [{ ...ACCESS, ...change }, REFRESH] });
const refresh = (change: object) => ({ keys: [ACCESS, { ...REFRESH, ...change }] });

const publicHalf = ({ kid, kty, crv, x, y }: PrivateJwk) => ({
  kid,
  kty,
  crv,
  x,
  y,
  alg: 'ES256',
  use: 'sig',
});

function refusal(set: unknown): string {
  try {
    return `accepted: ${new KeyRing(set as PrivateJwkSet).algorithms.join(' ')}`;
  } catch (error) {
    if (error instanceof KeyRingError) return error.message;
    throw error;
  }
}

const NO_SET = 'expected a JWK Set: {"keys": [ … ]} with at least one key (RFC 7517 §5)';
const NOT_EC = `key "${ACCESS.kid}" is not a private EC key on the curve P-256`;
const BAD_EC = `key "${ACCESS.kid}" is not a valid EC key`;
const NOT_OCT = `key "${REFRESH.kid}" is not an oct key of at least 32 bytes`;
const ACCESS_ALG = `key "${ACCESS.kid}": "alg" must be "ES256" for access tokens`;
const REFRESH_ALG = `key "${REFRESH.kid}": "alg" must be "HS256" for refresh tokens`;
const ACCESS_USE = `key "${ACCESS.kid}": "token_use" must be "access" or "refresh"`;

const STRANGERS_D = generateKeySet().keys[0]?.d;

const WRONG_SETS: [string, unknown, string][] = [
  ['nothing', undefined, NO_SET],
  ['null', null, NO_SET],
  ['a list', [ACCESS, REFRESH], NO_SET],
  ['one key without a set', ACCESS, NO_SET],
  ['no keys', { keys: [] }, NO_SET],
  ['keys by name', { keys: { access: ACCESS } }, NO_SET],
  ['a key that is text', { keys: ['secret', REFRESH] }, 'key 0 is not a JSON object'],
  ['a key that is null', { keys: [ACCESS, null] }, 'key 1 is not a JSON object'],
  ['a key without "kid"', refresh({ kid: undefined }), 'key 1 has no "kid" of visible ASCII characters'],
  ['an empty "kid"', access({ kid: '' }), 'key 0 has no "kid" of visible ASCII characters'],
  ['a "kid" that is a number', access({ kid: 1 }), 'key 0 has no "kid" of visible ASCII characters'],
  [
    'a "kid" that is not ASCII',
    access({ kid: 'schlüssel' }),
    'key 0 has no "kid" of visible ASCII characters',
  ],
  ['one "kid" twice', refresh({ kid: ACCESS.kid }), `two keys share the "kid" "${ACCESS.kid}"`],
  ['no access key', { keys: [REFRESH] }, 'no key with "token_use": "access"'],
  ['no refresh key', { keys: [ACCESS] }, 'no key with "token_use": "refresh"'],
  ['no "token_use"', access({ token_use: undefined }), ACCESS_USE],
  ['an unknown "token_use"', access({ token_use: 'id' }), ACCESS_USE],
  ['no "alg"', access({ alg: undefined }), ACCESS_ALG],
  ['"alg" none', access({ alg: 'none' }), ACCESS_ALG],
  ['"alg" in lower case', access({ alg: 'es256' }), ACCESS_ALG],
  ['a symmetric access key', access({ ...REFRESH, kid: ACCESS.kid, token_use: 'access' }), ACCESS_ALG],
  ['an asymmetric refresh key', refresh({ ...ACCESS, kid: REFRESH.kid, token_use: 'refresh' }), REFRESH_ALG],
  ['a refresh key for HS512', refresh({ alg: 'HS512' }), REFRESH_ALG],
  ['an access key without its private half', access({ d: undefined }), NOT_EC],
  ['an access key of another "kty"', access({ kty: 'OKP' }), NOT_EC],
  ['an access key on another curve', access(P384), NOT_EC],
  ['an RSA access key', access(RSA), NOT_EC],
  ['an access key without "x"', access({ x: undefined }), BAD_EC],
  ['an access key whose point is not on the curve', access({ x: ACCESS.y }), BAD_EC],
  ['an access key whose private half is empty', access({ d: '' }), BAD_EC],
  ['an access key whose private half is another key’s', access({ d: STRANGERS_D }), BAD_EC],
  ['a refresh key of another "kty"', refresh({ kty: 'EC' }), NOT_OCT],
  ['a refresh key without its secret', refresh({ k: undefined }), NOT_OCT],
  ['a refresh key whose secret is a number', refresh({ k: 1 }), NOT_OCT],
  ['a refresh key of 31 bytes', refresh({ k: Buffer.alloc(31, 7).toString('base64url') }), NOT_OCT],
];

describe('KeyRing', () => {
  it.each(WRONG_SETS)('refuses %s, and says of which key', (_, set, message) => {
    expect(refusal(set)).toBe(message);
  });

  it('shows no key material in any refusal', () => {
    const secrets = [ACCESS.d, REFRESH.k, P384.d, RSA.d, RSA.p, RSA.q].map((secret) => String(secret));
    const shown = WRONG_SETS.map(([, set]) => refusal(set)).filter((message) =>
      secrets.some((secret) => message.includes(secret.slice(0, 8))),
    );
    expect(shown).toEqual([]);
  });

  it('finds a key by its "kid", and nothing for another', () => {
    const ring = new KeyRing(SET);
    expect(ring.find(ACCESS.kid)).toMatchObject({ kid: ACCESS.kid, alg: 'ES256', kind: 'access' });
    expect(ring.find(REFRESH.kid)).toMatchObject({ kid: REFRESH.kid, alg: 'HS256', kind: 'refresh' });
    expect(['', 'toString', '__proto__', ACCESS.kid.toUpperCase()].map((kid) => ring.find(kid))).toEqual(
      Array(4).fill(undefined),
    );
  });

  it('verifies access tokens with the public half alone', () => {
    expect(new KeyRing(SET).find(ACCESS.kid)?.verifyWith.type).toBe('public');
  });

  it('signs with the first key of each kind, and still finds the older ones', () => {
    const newer = generateKeySet();
    const ring = new KeyRing({ keys: [...newer.keys, ...SET.keys] });
    expect(ring.signingKey('access').kid).toBe(newer.keys[0]?.kid);
    expect(ring.signingKey('refresh').kid).toBe(newer.keys[1]?.kid);
    expect(SET.keys.map(({ kid }) => ring.find(kid)?.kid)).toEqual([ACCESS.kid, REFRESH.kid]);
  });

  it('names each algorithm once, however many keys there are', () => {
    const ring = new KeyRing({ keys: [...SET.keys, ...generateKeySet().keys] });
    expect(ring.algorithms.toSorted()).toEqual(['ES256', 'HS256']);
  });
});

describe('publicJwks', () => {
  const older = generateKeySet().keys[0]!;
  const { keys } = new KeyRing({ keys: [...SET.keys, older] }).publicJwks();

  it('shows the public half of every access key and nothing of the refresh keys', () => {
    expect(keys).toEqual([publicHalf(ACCESS), publicHalf(older)]);
  });

  it('shows no private member (RFC 7518 §6)', () => {
    const members = keys.flatMap((key) => Object.keys(key));
    expect(members.filter((name) => ['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth'].includes(name))).toEqual(
      [],
    );
  });

  it('shows keys that others can use', () => {
    expect(keys.map((key) => createPublicKey({ key, format: 'jwk' }).asymmetricKeyType)).toEqual([
      'ec',
      'ec',
    ]);
  });
});
