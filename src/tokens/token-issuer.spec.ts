import { describe, expect, it } from '@jest/globals';
import { JwtService } from '@nestjs/jwt';
import fc from 'fast-check';
import { TestClock } from '../testing/test-clock.js';
import { generateKeySet } from '../keys/key-file.js';
import { KeyRing } from '../keys/key-ring.js';
import { type AccessGrant, TokenIssuer } from './token-issuer.js';
import { TokenVerifier } from './token-verifier.js';

const MINUTE = 60_000;
const ACCESS_TTL = 15 * MINUTE;
const options = {
  issuer: 'freshgate',
  audience: ['api'],
  acceptIssuers: [],
  acceptAudiences: [],
  accessTtl: ACCESS_TTL,
  leeway: 0,
  notBefore: false,
};
const clock = new TestClock();
const start = clock.now();
const keys = new KeyRing(generateKeySet(), Date.now());
const issuer = new TokenIssuer(keys, clock, new JwtService({}), options);
const verifier = new TokenVerifier(keys, clock, new JwtService({}), options);

const accessGrant: AccessGrant = {
  subject: 'user',
  sessionId: 'session',
  fresh: true,
  proof: { acr: 'mfa', amr: ['pwd', 'otp'], at: start - 2 * MINUTE + 999 },
  notAfter: start + 60 * MINUTE,
};
const refreshGrant = {
  subject: 'user',
  sessionId: 'session',
  generation: 3,
  issuedAt: start - MINUTE + 999,
  expiresAt: start + 60 * MINUTE + 999,
};

const headerOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as unknown;

describe('issueAccess', () => {
  it('says what was granted, in whole seconds, and nothing else', () => {
    const { token, expiresAt } = issuer.issueAccess(accessGrant);
    expect(headerOf(token)).toEqual({
      alg: 'ES256',
      kid: keys.signingKey('access', Date.now()).kid,
      typ: 'at+jwt',
    });
    expect(verifier.verify('access', token)).toEqual({
      iss: 'freshgate',
      aud: 'api',
      sub: 'user',
      sid: 'session',
      jti: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4/),
      iat: start / 1000,
      exp: (start + ACCESS_TTL) / 1000,
      type: 'access',
      fresh: true,
      auth_time: start / 1000 - 120,
      acr: 'mfa',
      amr: ['pwd', 'otp'],
    });
    expect(expiresAt).toBe((start + ACCESS_TTL) / 1000);
  });

  it('says that a token is not fresh where it is not', () => {
    const { token } = issuer.issueAccess({ ...accessGrant, fresh: false });
    expect(verifier.verify('access', token).fresh).toBe(false);
  });

  it('gives every token a name of its own', () => {
    const names = Array.from({ length: 1_000 }, () => {
      const { token } = issuer.issueAccess(accessGrant);
      return verifier.verify('access', token).jti;
    });
    expect(new Set(names).size).toBe(1_000);
  });

  it('gives no token a life past the end of its session, nor past the configured one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 * ACCESS_TTL }), (left) => {
        const { token, expiresAt } = issuer.issueAccess({ ...accessGrant, notAfter: start + left });
        const { exp } = verifier.verify('access', token, { allowExpired: true });
        expect(exp).toBe(expiresAt);
        expect(exp * 1000).toBeLessThanOrEqual(start + Math.min(left, ACCESS_TTL));
        expect(exp * 1000).toBeGreaterThan(start + Math.min(left, ACCESS_TTL) - 1000);
      }),
      { numRuns: 50 },
    );
  });
});

describe('issueRefresh', () => {
  it('says what was granted, in whole seconds, and nothing else', () => {
    const { token, expiresAt } = issuer.issueRefresh(refreshGrant);
    expect(headerOf(token)).toEqual({
      alg: 'HS256',
      kid: keys.signingKey('refresh', Date.now()).kid,
      typ: 'rt+jwt',
    });
    expect(verifier.verify('refresh', token)).toEqual({
      iss: 'freshgate',
      aud: 'api',
      sub: 'user',
      sid: 'session',
      jti: expect.any(String),
      iat: start / 1000 - 60,
      exp: start / 1000 + 3600,
      type: 'refresh',
      gen: 3,
    });
    expect(expiresAt).toBe(start / 1000 + 3600);
  });

  it('gives the same token for the same generation, byte for byte, however late', () => {
    const first = issuer.issueRefresh(refreshGrant);
    clock.advance('30m');
    expect(issuer.issueRefresh({ ...refreshGrant })).toEqual(first);
    clock.advance(start - clock.now());
  });

  it.each([
    ['generation', { generation: 4 }],
    ['session', { sessionId: 'other' }],
  ])('names the token of another %s differently', (_, change) => {
    const names = [refreshGrant, { ...refreshGrant, ...change }].map(
      (grant) => verifier.verify('refresh', issuer.issueRefresh(grant).token).jti,
    );
    expect(names[0]).not.toBe(names[1]);
  });
});
