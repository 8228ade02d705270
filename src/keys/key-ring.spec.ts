import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { generateKey, generateKeySet } from './key-file.js';
import {
  JWKS_MAX_AGE_SECONDS,
  KeyRing,
  KeyRingError,
  type PrivateJwk,
  type PrivateJwkSet,
  SIGNING_ALGORITHMS,
} from './key-ring.js';

/** Milliseconds. */
const NOW = 1_800_000_000_000;
const SET = generateKeySet();
const ACCESS = SET.keys[0]!;
const REFRESH = SET.keys[1]!;
const P384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ format: 'jwk' });
const rsa = (modulusLength: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey.export({ format: 'jwk' });
const RSA = rsa(2048);
const OTHER_RSA = rsa(2048);
const SHORT_RSA = rsa(1024);
const WEAK_RSA = rsa(2048, 3);
const ES384 = generateKey('access', 'ES384');

/** A set of two keys, changed: what a file on disk may say, whatever the types promise. */
const access = (change: object) => ({ keys: [{ ...ACCESS, ...change }, REFRESH] });
const refresh = (change: object) => ({ keys: [ACCESS, { ...REFRESH, ...change }] });
/** With a third key, of another issuer. */
const foreign = (change: object = {}, key: JsonWebKey = publicMembers(ES384)) => ({
  keys: [...SET.keys, { ...key, kid: 'theirs', alg: 'ES384', token_use: 'access', iss: 'them', ...change }],
});

function publicMembers(jwk: JsonWebKey): JsonWebKey {
  return createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'jwk' });
}

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
    const ring = new KeyRing();
    ring.replace(set as PrivateJwkSet, NOW);
    return `accepted: ${ring.kids().join(' ')}`;
  } catch (error) {
    if (error instanceof KeyRingError) return error.message;
    throw error;
  }
}

const NO_SET = 'expected a JWK Set: {"keys": [ … ]} with at least one key (RFC 7517 §5)';
const about = (kid: string, text: string) => `key "${kid}": ${text}`;
const NOT_P256 = about(ACCESS.kid, 'for "alg" ES256, "kty" must be "EC" and "crv" "P-256"');
const BAD_EC = about(ACCESS.kid, 'not a valid EC key; restore it from a backup');
const BAD_RSA = about(ACCESS.kid, 'not a valid RSA key; restore it from a backup');
const NO_HALF = about(ACCESS.kid, '"d", its private half, is missing');
const NOT_OCT = about(REFRESH.kid, 'for "alg" HS256, "kty" must be "oct" and "k" at least 32 bytes');
const ALG = 'must be one of ES256, ES384, RS256, PS256, HS256';
const ACCESS_ALG = about(ACCESS.kid, `"alg" ${ALG}`);
const ACCESS_USE = about(ACCESS.kid, '"token_use" must be "access", "refresh" or "factor"');
const date = (name: string) =>
  about(ACCESS.kid, `"${name}" must be a NumericDate: seconds since 1970, as a number`);
const noneSigns = (kind: string) =>
  `no key with "token_use": "${kind}" signs now; \`npm run keys -- rotate\` adds one, or change "signs_from" or "verifies_until"`;
const noneOfOurs = (kind: string) =>
  `no key of our own with "token_use": "${kind}"; \`npm run keys -- rotate\` adds one`;
const isPrivate = (member: string) =>
  about('theirs', `"${member}" is private; store only the public half of a foreign issuer's key`);

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
  [
    'one "kid" twice',
    refresh({ kid: ACCESS.kid }),
    `two keys share the "kid" "${ACCESS.kid}"; give one another name`,
  ],
  ['no access key', { keys: [REFRESH] }, noneOfOurs('access')],
  ['no refresh key', { keys: [ACCESS] }, noneOfOurs('refresh')],
  ['no "token_use"', access({ token_use: undefined }), ACCESS_USE],
  ['an unknown "token_use"', access({ token_use: 'id' }), ACCESS_USE],
  ['no "alg"', access({ alg: undefined }), ACCESS_ALG],
  ['"alg" none', access({ alg: 'none' }), ACCESS_ALG],
  ['"alg" in lower case', access({ alg: 'es256' }), ACCESS_ALG],
  ['a refresh key for HS512', refresh({ alg: 'HS512' }), about(REFRESH.kid, `"alg" ${ALG}`)],
  [
    'a secret under an EC "alg"',
    refresh({ alg: 'ES256' }),
    about(REFRESH.kid, 'for "alg" ES256, "kty" must be "EC" and "crv" "P-256"'),
  ],
  [
    'an EC key under HS256',
    access({ alg: 'HS256' }),
    about(ACCESS.kid, 'for "alg" HS256, "kty" must be "oct" and "k" at least 32 bytes'),
  ],
  [
    'an EC key under RS256',
    access({ alg: 'RS256' }),
    about(ACCESS.kid, 'for "alg" RS256, "kty" must be "RSA"'),
  ],
  [
    'a key that is for encryption',
    access({ use: 'enc' }),
    about(ACCESS.kid, '"use" must be "sig" or absent'),
  ],
  ['an access key without its private half', access({ d: undefined }), NO_HALF],
  ['an access key of another "kty"', access({ kty: 'OKP' }), NOT_P256],
  ['an access key on another curve', access(P384), NOT_P256],
  ['an RSA key under ES256', access(RSA), NOT_P256],
  [
    'a P-256 key under ES384',
    access({ alg: 'ES384' }),
    about(ACCESS.kid, 'for "alg" ES384, "kty" must be "EC" and "crv" "P-384"'),
  ],
  ['an access key without "x"', access({ x: undefined }), BAD_EC],
  ['an access key whose point is not on the curve', access({ x: ACCESS.y }), BAD_EC],
  ['an access key whose private half is empty', access({ d: '' }), BAD_EC],
  ['an access key whose private half is another key’s', access({ d: STRANGERS_D }), BAD_EC],
  [
    'an RSA key of 1024 bits',
    access({ ...SHORT_RSA, alg: 'RS256' }),
    about(ACCESS.kid, '"n" has 1024 bits, it must have at least 2048'),
  ],
  [
    'an RSA key with a small exponent',
    access({ ...WEAK_RSA, alg: 'PS256' }),
    about(ACCESS.kid, '"e" must be at least 65537'),
  ],
  ['an RSA key whose modulus is another key’s', access({ ...RSA, n: OTHER_RSA.n, alg: 'RS256' }), BAD_RSA],
  ['the same for PS256', access({ ...RSA, n: OTHER_RSA.n, alg: 'PS256' }), BAD_RSA],
  ['an RSA key without its primes', access({ ...RSA, p: undefined, alg: 'RS256' }), BAD_RSA],
  ['a refresh key of another "kty"', refresh({ kty: 'EC' }), NOT_OCT],
  ['a refresh key without its secret', refresh({ k: undefined }), NOT_OCT],
  ['a refresh key whose secret is a number', refresh({ k: 1 }), NOT_OCT],
  ['a refresh key of 31 bytes', refresh({ k: Buffer.alloc(31, 7).toString('base64url') }), NOT_OCT],
  ['"signs_from" as text', access({ signs_from: '2030-01-01' }), date('signs_from')],
  ['"signs_from" null', access({ signs_from: null }), date('signs_from')],
  ['"verifies_until" in milliseconds', access({ verifies_until: NOW + 1 }), date('verifies_until')],
  ['"verifies_until" before 1970', access({ verifies_until: -1 }), date('verifies_until')],
  ['an access key that waits, alone', access({ signs_from: NOW / 1000 + 1 }), noneSigns('access')],
  ['a refresh key that has ended, alone', refresh({ verifies_until: NOW / 1000 }), noneSigns('refresh')],
  ['another issuer’s key as the only one', { keys: [foreign().keys[2], REFRESH] }, noneOfOurs('access')],
  [
    'an empty "iss"',
    foreign({ iss: '' }),
    about('theirs', '"iss" must be the foreign issuer\'s name, or absent for a key of our own'),
  ],
  [
    'another issuer’s refresh key',
    foreign({ token_use: 'refresh' }),
    about('theirs', '"token_use" of a foreign issuer\'s key must be "access"'),
  ],
  ['another issuer’s private key', foreign({}, P384), isPrivate('d')],
  ['another issuer’s primes', foreign({ alg: 'RS256', p: RSA.p }, publicMembers(RSA)), isPrivate('p')],
  [
    'another issuer’s secret',
    foreign({ alg: 'HS256' }, { kty: 'oct', k: REFRESH.k! }),
    about('theirs', '"alg" of a foreign issuer\'s key must not be symmetric'),
  ],
  [
    'another issuer’s key on another curve',
    foreign({ alg: 'ES256' }),
    about('theirs', 'for "alg" ES256, "kty" must be "EC" and "crv" "P-256"'),
  ],
  [
    'another issuer’s short RSA key',
    foreign({ alg: 'RS256' }, publicMembers(SHORT_RSA)),
    about('theirs', '"n" has 1024 bits, it must have at least 2048'),
  ],
];

describe('KeyRing', () => {
  it.each(WRONG_SETS)('refuses %s, and says of which key', (_, set, message) => {
    expect(refusal(set)).toBe(message);
  });

  it('shows no key material in any refusal', () => {
    const secrets = [ACCESS.d, REFRESH.k, P384.d, RSA.d, RSA.p, RSA.q, SHORT_RSA.d, WEAK_RSA.d].map(
      (secret) => String(secret),
    );
    const shown = WRONG_SETS.map(([, set]) => refusal(set)).filter((message) =>
      secrets.some((secret) => message.includes(secret.slice(0, 8))),
    );
    expect(shown).toEqual([]);
  });

  it('finds a key by its "kid", and nothing for another', () => {
    const ring = new KeyRing(SET, NOW);
    const common = { issuer: null, signsFrom: 0, verifiesUntil: Infinity };
    expect(ring.find(ACCESS.kid, NOW)).toMatchObject({
      kid: ACCESS.kid,
      alg: 'ES256',
      kind: 'access',
      ...common,
    });
    expect(ring.find(REFRESH.kid, NOW)).toMatchObject({
      kid: REFRESH.kid,
      alg: 'HS256',
      kind: 'refresh',
      ...common,
    });
    const strange = ['', 'toString', '__proto__', ACCESS.kid.toUpperCase()];
    expect(strange.map((kid) => ring.find(kid, NOW))).toEqual(Array(4).fill(undefined));
  });

  it.each(SIGNING_ALGORITHMS.flatMap((alg) => [[alg, 'access'] as const, [alg, 'refresh'] as const]))(
    'takes a key for %s that signs %s tokens',
    (alg, kind) => {
      const key = generateKey(kind, alg);
      const ring = new KeyRing({ keys: [key, ...SET.keys] }, NOW);
      expect(ring.signingKey(kind, NOW)).toMatchObject({ kid: key.kid, alg });
      expect(ring.find(key.kid, NOW)?.verifyWith.type).toBe(alg === 'HS256' ? 'secret' : 'public');
    },
  );

  it('uses another issuer’s key to verify and never to sign, even if it is the newest', () => {
    const ring = new KeyRing(foreign({ signs_from: NOW / 1000 }) as PrivateJwkSet, NOW);
    expect(ring.find('theirs', NOW)).toMatchObject({ issuer: 'them', signWith: null });
    expect(ring.signingKey('access', NOW).kid).toBe(ACCESS.kid);
  });

  it('verifies with a key until its end, and not at its end', () => {
    const end = NOW / 1000 + 60;
    const ring = new KeyRing({ keys: [...SET.keys, { ...ES384, verifies_until: end }] }, NOW);
    expect(ring.find(ES384.kid, end * 1000 - 1)?.kid).toBe(ES384.kid);
    expect(ring.find(ES384.kid, end * 1000)).toBeUndefined();
  });

  it('says that no key signs once the last one has ended, and throws nothing else', () => {
    const end = NOW / 1000 + 60;
    const ring = new KeyRing(access({ verifies_until: end }), NOW);
    expect(ring.signingKey('access', end * 1000 - 1).kid).toBe(ACCESS.kid);
    expect(() => ring.signingKey('access', end * 1000)).toThrow(new KeyRingError(noneSigns('access')));
    expect(() => new KeyRing().signingKey('access', NOW)).toThrow(KeyRingError);
  });

  it('keeps what it has where a replacement is refused', () => {
    const ring = new KeyRing(SET, NOW);
    for (const [, set] of WRONG_SETS) {
      expect(() => ring.replace(set as PrivateJwkSet, NOW)).toThrow(KeyRingError);
    }
    expect(ring.kids()).toEqual(SET.keys.map(({ kid }) => kid));
    const next = generateKeySet();
    ring.replace(next, NOW);
    expect(ring.kids()).toEqual(next.keys.map(({ kid }) => kid));
  });
});

describe('signingKey', () => {
  const second = fc.integer({ min: 0, max: 20 });
  const keyTimes = fc.record({ signs_from: second, verifies_until: second }, { requiredKeys: [] });

  it('is the newest whose time has come, and of equally new ones the first', () => {
    // Generated once: what differs are their times.
    const pool = Array.from({ length: 6 }, () => generateKey('access', 'HS256'));
    fc.assert(
      fc.property(fc.array(keyTimes, { maxLength: 6 }), second, (times, now) => {
        const keys = times.map((time, i) => ({ ...pool[i]!, ...time }));
        // By the words of the rule, one candidate after the other.
        let expected = ACCESS.kid;
        let newest = 0;
        for (const { kid, signs_from: from = 0, verifies_until: until = Infinity } of keys) {
          if (from <= now && now < until && from > newest) [expected, newest] = [kid, from];
        }
        const ring = new KeyRing({ keys: [ACCESS, ...keys, REFRESH] }, now * 1000);
        expect(ring.signingKey('access', now * 1000).kid).toBe(expected);
        expect(ring.find(expected, now * 1000)?.kid).toBe(expected);
        expect(ring.signingKey('refresh', now * 1000).kid).toBe(REFRESH.kid);
      }),
    );
  });
});

describe('publicJwks', () => {
  const from = NOW / 1000 + JWKS_MAX_AGE_SECONDS;
  const waiting = { ...generateKey('access', 'ES256'), signs_from: from };
  const ending = { ...generateKey('access', 'ES256'), verifies_until: from };
  const set = {
    keys: [
      ...foreign().keys,
      waiting,
      ending,
      generateKey('access', 'HS256'),
      generateKey('refresh', 'ES256'),
      generateKey('refresh', 'PS256'),
    ],
  } as PrivateJwkSet;
  const ring = new KeyRing(set, NOW);
  const { keys } = ring.publicJwks(NOW);

  it('shows the public half of our access keys, those that wait too; no secret, no refresh or foreign key', () => {
    expect(keys).toEqual([ACCESS, waiting, ending].map(publicHalf));
  });

  it('shows a key no more at its end', () => {
    const kids = (now: number) => ring.publicJwks(now).keys.map(({ kid }) => kid);
    expect(kids(from * 1000 - 1)).toEqual([ACCESS.kid, waiting.kid, ending.kid]);
    expect(kids(from * 1000)).toEqual([ACCESS.kid, waiting.kid]);
  });

  it('shows no private member, whatever the algorithm (RFC 7518 §6)', () => {
    const all = SIGNING_ALGORITHMS.map((alg) => generateKey('access', alg));
    const shown = new KeyRing({ keys: [...all, REFRESH] }, NOW).publicJwks(NOW).keys;
    expect(shown.map(({ alg }) => alg)).toEqual(['ES256', 'ES384', 'RS256', 'PS256']);
    const members = new Set(shown.flatMap((key) => Object.keys(key)));
    expect([...members].toSorted()).toEqual(['alg', 'crv', 'e', 'kid', 'kty', 'n', 'use', 'x', 'y']);
  });

  it('shows keys that others can use', () => {
    expect(keys.map((key) => createPublicKey({ key, format: 'jwk' }).asymmetricKeyType)).toEqual([
      'ec',
      'ec',
      'ec',
    ]);
  });
});
