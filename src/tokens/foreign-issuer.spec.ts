import { describe, expect, it } from '@jest/globals';
import { JwtService } from '@nestjs/jwt';
import { createPublicKey, type KeyObject } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';
import { TestClock } from '../testing/test-clock.js';
import { generateKey, generateKeySet } from '../keys/key-file.js';
import { KeyRing, type PrivateJwk, SIGNING_ALGORITHMS } from '../keys/key-ring.js';
import { TokenError } from './token.errors.js';
import { TokenVerifier } from './token-verifier.js';

const clock = new TestClock();
const OURS = 'https://auth.example';
const THEIRS = 'https://partner.example';
const OLD_NAME = 'https://auth.old.example';
const options = {
  issuer: OURS,
  audience: ['api'],
  acceptIssuers: [OLD_NAME],
  acceptAudiences: [],
  accessTtl: 900_000,
  leeway: 0,
  notBefore: false,
};
const theirKey = generateKey('access', 'ES384');
const theirPrivate = new KeyRing({ keys: [theirKey, ...generateKeySet().keys] }, clock.now()).find(
  theirKey.kid,
  clock.now(),
)?.signWith as KeyObject;

/** A ring that holds their public half under the issuer's name. */
function verifierFor(iss: string): TokenVerifier {
  const half = createPublicKey(theirPrivate).export({ format: 'jwk' });
  const entry = { ...half, kid: theirKey.kid, alg: 'ES384', token_use: 'access', iss } as PrivateJwk;
  const ring = new KeyRing({ keys: [...generateKeySet().keys, entry] }, clock.now());
  return new TokenVerifier(ring, clock, new JwtService({}), options);
}

function theirToken(iss: unknown, typ = 'at+jwt'): string {
  const iat = clock.now() / 1000;
  const claims = { iss, aud: 'api', sub: 'u', sid: 's', jti: 'j', iat, exp: iat + 60, type: 'access' };
  return new JwtService({}).sign(
    { ...claims, fresh: true, auth_time: iat, amr: ['pwd'] },
    { privateKey: theirPrivate, algorithm: 'ES384', header: { alg: 'ES384', kid: theirKey.kid, typ } },
  );
}

describe('another issuer’s key', () => {
  it('verifies tokens of that issuer', () => {
    expect(verifierFor(THEIRS).verify('access', theirToken(THEIRS)).iss).toBe(THEIRS);
  });

  it.each([
    ['our issuer', OURS],
    ['a third issuer', 'https://third.example'],
    ['no issuer', undefined],
    ['both issuers', [THEIRS, OURS]],
  ])('verifies no token of %s', (_, iss) => {
    expect(() => verifierFor(THEIRS).verify('access', theirToken(iss))).toThrow(TokenError);
  });

  it('verifies nothing at all under our own name', () => {
    expect(() => verifierFor(OURS).verify('access', theirToken(OURS))).toThrow(TokenError);
    expect(() => verifierFor(OLD_NAME).verify('access', theirToken(OLD_NAME))).toThrow(TokenError);
  });

  it('verifies no refresh token', () => {
    expect(() => verifierFor(THEIRS).verify('refresh', theirToken(THEIRS))).toThrow(TokenError);
    expect(() => verifierFor(THEIRS).verify('refresh', theirToken(THEIRS, 'rt+jwt'))).toThrow(TokenError);
  });
});

describe('jsonwebtoken itself, with all our algorithms allowed', () => {
  it.each(SIGNING_ALGORITHMS.filter((alg) => alg !== 'HS256'))(
    'refuses a token that names HS256 where the key is the public half of one for %s',
    (alg) => {
      const key = generateKey('access', alg);
      const publicKey = createPublicKey({ key, format: 'jwk' });
      const token = jsonwebtoken.sign({}, publicKey.export({ type: 'spki', format: 'pem' }) as string, {
        algorithm: 'HS256',
      });
      const algorithms = [...SIGNING_ALGORITHMS];
      const verify = () => jsonwebtoken.verify(token, publicKey, { algorithms });
      expect(verify).toThrow();
    },
  );
});
