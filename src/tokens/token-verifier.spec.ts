import { beforeEach, describe, expect, it } from '@jest/globals';
import { JsonWebTokenError, JwtService, NotBeforeError, TokenExpiredError } from '@nestjs/jwt';
import fc from 'fast-check';
import { createHmac, generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import { TestClock } from '../testing/test-clock.js';
import { generateKeySet } from '../keys/key-file.js';
import { KeyRing } from '../keys/key-ring.js';
import { type TokenKind } from './token-claims.js';
import { PASSWORD_PROOF } from './proof.js';
import { TokenError } from './token.errors.js';
import { TokenIssuer } from './token-issuer.js';
import { toTokenError, TokenVerifier, TYP_OF } from './token-verifier.js';

type Signer = (input: string) => Buffer;

const KINDS = ['access', 'refresh'] as const;
const ALGORITHMS = 'HS256 HS384 HS512 RS256 PS256 ES256 ES384 ES512 EdDSA es256 hs256'.split(' ');
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const TTL = 900;
const options = {
  issuer: 'https://auth.example',
  audience: ['freshgate-api'],
  acceptIssuers: [],
  acceptAudiences: [],
  accessTtl: TTL * 1000,
  leeway: 0,
  notBefore: false,
};
const set = generateKeySet();
const keys = new KeyRing(set, Date.now());
const accessKey = keys.signingKey('access', Date.now());
const refreshKey = keys.signingKey('refresh', Date.now());
const jwt = new JwtService({});

let clock: TestClock;
let issuer: TokenIssuer;
let verifier: TokenVerifier;
beforeEach(() => {
  clock = new TestClock();
  issuer = new TokenIssuer(keys, clock, jwt, options);
  verifier = new TokenVerifier(keys, clock, jwt, options);
});

const ecdsa =
  (key: KeyObject, hash = 'sha256'): Signer =>
  (input) =>
    sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
const ecdsaDer: Signer = (input) => sign('sha256', Buffer.from(input), accessKey.signWith);
const hmac =
  (secret: string | Buffer | KeyObject): Signer =>
  (input) =>
    createHmac('sha256', secret).update(input).digest();
const OUR_SIGNER: Record<TokenKind, Signer> = {
  access: ecdsa(accessKey.signWith),
  refresh: hmac(refreshKey.signWith),
};

const encode = (text: string) => Buffer.from(text).toString('base64url');
/** With white space where needed, so that the segment ends in a character with two or four spare bits. */
const encodeUneven = (value: object) => {
  const text = JSON.stringify(value);
  return encode(text.length % 3 === 0 ? `${text} ` : text);
};
const encodeJson = (value: unknown) => encode(JSON.stringify(value));
const headerOf = (kind: TokenKind) => {
  const { alg, kid } = keys.signingKey(kind, Date.now());
  return { alg, kid, typ: TYP_OF[kind] };
};
const claimsOf = (kind: TokenKind): Record<string, unknown> => {
  const now = clock.now() / 1000;
  const { issuer: iss, audience: aud } = options;
  const common = { iss, aud, sub: 'user', sid: 'session', jti: 'id', iat: now, exp: now + TTL, type: kind };
  return kind === 'access' ? { ...common, fresh: true, auth_time: now, amr: ['pwd'] } : { ...common, gen: 0 };
};

/** A token with our real signature over whatever it says. */
function forge(
  kind: TokenKind,
  { header = {}, claims = {}, signer = OUR_SIGNER[kind] }: Forgery = {},
): string {
  const input = `${encodeJson({ ...headerOf(kind), ...header })}.${encodeJson({ ...claimsOf(kind), ...claims })}`;
  return `${input}.${signer(input).toString('base64url')}`;
}
interface Forgery {
  header?: object;
  claims?: object;
  signer?: Signer;
}

function outcome(kind: TokenKind, token: string, allowExpired = false): string {
  try {
    verifier.verify(kind, token, { allowExpired });
    return 'verified';
  } catch (error) {
    if (error instanceof TokenError) return error.code;
    throw error;
  }
}

const issue = (kind: TokenKind) => {
  const now = clock.now();
  const subject = { subject: 'user', sessionId: 'session' };
  return kind === 'access'
    ? issuer.issueAccess({
        ...subject,
        fresh: true,
        proof: { ...PASSWORD_PROOF, at: now },
        notAfter: now + 9e9,
      }).token
    : issuer.issueRefresh({ ...subject, generation: 0, issuedAt: now, expiresAt: now + TTL * 1000 }).token;
};

describe.each(KINDS)('verify, for a token of kind %s', (kind) => {
  const other = kind === 'access' ? 'refresh' : 'access';

  it('accepts a token of the issuer, and an unchanged copy that this test signs with our key', () => {
    expect([outcome(kind, issue(kind)), outcome(kind, forge(kind))]).toEqual(['verified', 'verified']);
  });

  it('accepts a token of an older key in the ring, but none of a key that was removed', () => {
    const token = issue(kind);
    const newer = generateKeySet();
    verifier = new TokenVerifier(
      new KeyRing({ keys: [...newer.keys, ...set.keys] }, Date.now()),
      clock,
      jwt,
      options,
    );
    expect(outcome(kind, token)).toBe('verified');
    verifier = new TokenVerifier(new KeyRing(newer, Date.now()), clock, jwt, options);
    expect(outcome(kind, token)).toBe('token_invalid');
  });

  it('refuses a token in which any one character was changed', () => {
    const tokens = [issue(kind), forge(kind)];
    const changes = fc.record({
      token: fc.constantFrom(...tokens),
      at: fc.nat({ max: Math.min(...tokens.map(({ length }) => length)) - 1 }),
      by: fc.constantFrom(...BASE64URL, '.', '=', '+', '/', ' ', '\n', '\0', 'é'),
    });
    fc.assert(
      fc.property(changes, ({ token, at, by }) => {
        fc.pre(token[at] !== by);
        expect(outcome(kind, token.slice(0, at) + by + token.slice(at + 1))).toBe('token_invalid');
      }),
      { numRuns: 1000 },
    );
  });

  it.each(['none', 'None', 'NONE', 'nOnE', '', null, undefined, ['none'], 0])(
    'refuses "alg" %j, with our signature, none, and an empty one',
    (alg) => {
      const token = forge(kind, { header: { alg } });
      const unsigned = token.slice(0, token.lastIndexOf('.') + 1);
      expect([token, unsigned, unsigned.slice(0, -1)].map((each) => outcome(kind, each))).toEqual(
        Array(3).fill('token_invalid'),
      );
    },
  );

  it.each(ALGORITHMS.filter((alg) => alg !== keys.signingKey(kind, Date.now()).alg))(
    'refuses "alg" %s, which is not that of the key',
    (alg) => {
      expect(outcome(kind, forge(kind, { header: { alg } }))).toBe('token_invalid');
    },
  );

  it.each([
    ['absent', undefined],
    ['null', null],
    ['empty', ''],
    ['unknown', 'c0ffee'],
    ['a number', 0],
    ['a list of the right one', [keys.signingKey(kind, Date.now()).kid]],
    ['in capitals', keys.signingKey(kind, Date.now()).kid.toUpperCase()],
    ['a name that every object has', 'constructor'],
    ['a path', '../../../dev/null'],
    ['that of the other kind', keys.signingKey(other, Date.now()).kid],
  ])('refuses a "kid" that is %s', (_, kid) => {
    expect(outcome(kind, forge(kind, { header: { kid } }))).toBe('token_invalid');
  });

  it.each([
    ['absent', undefined],
    ['null', null],
    ['JWT', 'JWT'],
    ['that of the other kind', TYP_OF[other]],
    ['in capitals', TYP_OF[kind].toUpperCase()],
    ['a list of the right one', [TYP_OF[kind]]],
  ])('refuses a "typ" that is %s', (_, typ) => {
    expect(outcome(kind, forge(kind, { header: { typ } }))).toBe('token_invalid');
  });

  it.each([[['exp']], [[]], [null], ['exp']])('refuses "crit" %j', (crit) => {
    expect(outcome(kind, forge(kind, { header: { crit } }))).toBe('token_invalid');
  });

  it.each(['jwk', 'jku', 'x5u', 'x5c'])('ignores a key that the token brings along in "%s"', (name) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const brought: JsonWebKey = publicKey.export({ format: 'jwk' });
    const forgery = { header: { alg: 'ES256', [name]: brought }, signer: ecdsa(privateKey) };
    expect(outcome(kind, forge(kind, forgery))).toBe('token_invalid');
  });

  it.each([
    ['no segment', ''],
    ['dots alone', '..'],
    ['one segment', 'e30'],
    ['an empty header', '.e30.e30'],
    ['a header that is not JSON', `${encode('{"alg"')}.e30.e30`],
    ['a header that is null', `${encode('null')}.e30.e30`],
    ['a header that is a list', `${encode('[]')}.e30.e30`],
    ['a header that is text', `${encode('"text"')}.e30.e30`],
  ])('refuses %s', (_, token) => {
    expect(outcome(kind, token)).toBe('token_invalid');
  });

  it.each<[string, (token: string) => string]>([
    ['two segments', (token) => token.slice(0, token.lastIndexOf('.'))],
    ['an empty signature', (token) => token.slice(0, token.lastIndexOf('.') + 1)],
    ['four segments', (token) => `${token}.e30`],
    ['five segments, as of an encrypted token', (token) => `${token}.e30.e30`],
    ['a dot at the end', (token) => `${token}.`],
    ['an empty payload', (token) => token.replace(/\..*\./, '..')],
    ['padding at the end', (token) => `${token}=`],
    ['padding at the end, twice', (token) => `${token}==`],
    ['padding of a segment', (token) => token.replace('.', '=.')],
    ['a space before', (token) => ` ${token}`],
    ['a space behind', (token) => `${token} `],
    ['a line feed behind', (token) => `${token}\n`],
    ['a space within', (token) => token.replace('.', '. ')],
    ['a NUL behind', (token) => `${token}\0`],
    ['a scheme before', (token) => `Bearer ${token}`],
    ['a percent-encoded dot', (token) => token.replace('.', '%2E')],
    ['the other base64 alphabet', (token) => token.replace(/[-_]|$/, '+')],
  ])('refuses a sound token with %s', (_, change) => {
    expect(outcome(kind, change(issue(kind)))).toBe('token_invalid');
  });

  it.each([
    ['header', 0],
    ['payload', 1],
    ['signature', 2],
  ])('refuses another spelling of the last character of the %s', (_, index) => {
    const input = `${encodeUneven(headerOf(kind))}.${encodeUneven(claimsOf(kind))}`;
    const token = `${input}.${OUR_SIGNER[kind](input).toString('base64url')}`;
    expect(outcome(kind, token)).toBe('verified');

    const segments = token.split('.');
    const segment = segments[index]!;
    const respelled = [...BASE64URL]
      .map((last) => segment.slice(0, -1) + last)
      .filter((each) => each !== segment)
      .filter((each) => Buffer.from(each, 'base64url').equals(Buffer.from(segment, 'base64url')));
    expect(respelled.length).toBeGreaterThanOrEqual(3);
    for (const each of respelled) {
      expect(outcome(kind, segments.with(index, each).join('.'))).toBe('token_invalid');
    }
  });

  it('accepts exactly the segments that base64url produces', () => {
    const segment = fc.string({ unit: fc.constantFrom(...BASE64URL, '=', '+'), maxLength: 9 });
    const isWritten = (text: string) =>
      text !== '' && Buffer.from(text, 'base64url').toString('base64url') === text;
    const segments = fc.tuple(segment, segment, segment);
    fc.assert(
      fc.property(segments, (each) => {
        let reason = '';
        try {
          verifier.keyFor(each.join('.'));
        } catch (error) {
          reason = (error as TokenError).reason;
        }
        expect(reason.includes('compact JWS')).toBe(!each.every(isWritten));
      }),
      { numRuns: 2_000, examples: [[['QQ', 'QUE', 'QUFB']], [['QR', 'QUE', 'QUFB']], [['QQ', 'QUF', 'A']]] },
    );
  });

  it('accepts 8192 characters, and no more', () => {
    const fill = (n: number) => ({ filler: 'x'.repeat(n) });
    const room = Math.floor(((8192 - forge(kind, { claims: fill(0) }).length) * 3) / 4);
    // No segment has every length; two of them together do.
    const tokens = [0, 1, 2].flatMap((inHeader) =>
      Array.from({ length: 30 }, (_, i) => forge(kind, { header: fill(inHeader), claims: fill(room - i) })),
    );
    const outcomes = [8192, 8193].map((length) =>
      outcome(
        kind,
        tokens.find((token) => token.length === length)!,
      ),
    );
    expect(outcomes).toEqual(['verified', 'token_invalid']);
    expect(outcome(kind, 'x'.repeat(1_000_000))).toBe('token_invalid');
  });

  it.each([
    ['absent', undefined],
    ['null', null],
    ['empty', ''],
    ['another', 'https://evil.example'],
    ['ours and a slash', `${options.issuer}/`],
    ['ours in capitals', options.issuer.toUpperCase()],
    ['ours and a space', `${options.issuer} `],
    ['the beginning of ours', options.issuer.slice(0, -1)],
    ['ours in a list', [options.issuer]],
    ['our audience', options.audience],
  ])('refuses an issuer that is %s', (_, iss) => {
    expect(outcome(kind, forge(kind, { claims: { iss } }))).toBe('token_invalid');
  });

  it.each([
    ['absent', undefined],
    ['null', null],
    ['empty', ''],
    ['another', 'other-api'],
    ['ours and a slash', `${options.audience[0]}/`],
    ['ours in capitals', options.audience[0]!.toUpperCase()],
    ['the beginning of ours', options.audience[0]!.slice(0, -1)],
    ['ours and more', `${options.audience[0]}-2`],
    ['a list without ours', ['other-api', `${options.audience[0]}/`]],
    ['an empty list', []],
    ['our issuer', options.issuer],
  ])('refuses an audience that is %s', (_, aud) => {
    expect(outcome(kind, forge(kind, { claims: { aud } }))).toBe('token_invalid');
  });

  it('takes an audience of several, if ours is among them', () => {
    expect(outcome(kind, forge(kind, { claims: { aud: ['other-api', ...options.audience] } }))).toBe(
      'verified',
    );
  });

  it('refuses a token of ours that lacks a claim of its kind, be it also expired', () => {
    for (const claim of Object.keys(claimsOf(kind))) {
      const token = forge(kind, { claims: { exp: 0, [claim]: undefined } });
      expect([claim, outcome(kind, token)]).toEqual([claim, 'token_invalid']);
    }
  });

  it.each(['null', '[]', '"text"', '1', 'no JSON'])('refuses a payload that is %s', (payload) => {
    const input = `${encodeJson(headerOf(kind))}.${encode(payload)}`;
    const token = `${input}.${OUR_SIGNER[kind](input).toString('base64url')}`;
    expect(outcome(kind, token)).toBe('token_invalid');
  });

  it('takes a token until the second before its "exp", and not at "exp" itself', () => {
    const token = issue(kind);
    clock.advance((TTL - 1) * 1000 + 999);
    expect(outcome(kind, token)).toBe('verified');
    clock.advance(1);
    expect(outcome(kind, token)).toBe('token_expired');
    clock.advance('1d');
    expect(outcome(kind, token)).toBe('token_expired');
  });

  it('checks "nbf" and "exp" with the leeway, to the second', () => {
    const now = clock.now() / 1000;
    const lenient = new TokenVerifier(keys, clock, jwt, { ...options, leeway: 30_000 });
    const takes = (by: TokenVerifier, claims: object) => {
      try {
        return by.verify(kind, forge(kind, { claims })).sub === 'user';
      } catch (error) {
        return (error as TokenError).code;
      }
    };
    expect(takes(verifier, { nbf: now })).toBe(true);
    expect(takes(verifier, { nbf: now + 1 })).toBe('token_invalid');
    expect(takes(lenient, { nbf: now + 30 })).toBe(true);
    expect(takes(lenient, { nbf: now + 31 })).toBe('token_invalid');
    expect(takes(lenient, { exp: now - 29 })).toBe(true);
    expect(takes(lenient, { exp: now - 30 })).toBe('token_expired');
  });

  it('accepts an expired token if that is allowed, after all other checks', () => {
    const token = issue(kind);
    const forged = forge(kind, { signer: () => Buffer.alloc(64) });
    const halved = forge(kind, { claims: { sid: undefined } });
    clock.advance('1d');
    expect([token, forged, halved].map((each) => outcome(kind, each, true))).toEqual([
      'verified',
      'token_invalid',
      'token_invalid',
    ]);
    expect(outcome(other, token, true)).toBe('token_wrong_type');
  });

  describe(`where one of kind ${other} is wanted`, () => {
    it('says that a sound one is of the wrong type', () => {
      expect(outcome(other, issue(kind))).toBe('token_wrong_type');
    });

    it('says first that it is expired', () => {
      const token = issue(kind);
      clock.advance(TTL * 1000);
      expect(outcome(other, token)).toBe('token_expired');
    });

    it('says first of all that its signature or its claims are wrong', () => {
      const broken = [
        forge(kind, { claims: { exp: 0 }, signer: () => Buffer.alloc(64) }),
        forge(kind, { claims: { exp: 0, sid: '' } }),
        forge(kind, { claims: { type: other } }),
      ];
      expect(broken.map((token) => outcome(other, token))).toEqual(Array(3).fill('token_invalid'));
    });
  });
});

describe.each(KINDS)('keyFor, for a token of kind %s', (kind) => {
  it('gives the key that the token names, before any signature is looked at', () => {
    const token = forge(kind, { signer: () => Buffer.alloc(64) });
    expect(verifier.keyFor(token)).toBe(keys.signingKey(kind, Date.now()));
  });

  it.each([
    ['"kid"', { kid: 'c0ffee' }, 'no key has the "kid" of the token'],
    ['"alg"', { alg: 'none' }, `"alg" is not the algorithm of key ${keys.signingKey(kind, Date.now()).kid}`],
    ['"typ"', { typ: 'JWT' }, `"typ" is not ${TYP_OF[kind]}`],
    ['"crit"', { crit: ['exp'] }, '"crit" names an extension'],
  ])('gives none for a wrong %s, and says which member it was', (_, header, reason) => {
    const wrong = forge(kind, { header });
    expect(() => verifier.keyFor(wrong)).toThrow(new TokenError('token_invalid', reason));
  });
});

describe('verify, where the public key is used as a secret', () => {
  const publicKey = accessKey.verifyWith;
  const publicJwk = JSON.stringify(keys.publicJwks(Date.now()).keys[0]);
  const secrets: [string, string | Buffer][] = [
    ['PEM', publicKey.export({ type: 'spki', format: 'pem' })],
    ['PEM without its last line feed', publicKey.export({ type: 'spki', format: 'pem' }).toString().trim()],
    ['DER', publicKey.export({ type: 'spki', format: 'der' })],
    ['JWK', publicJwk],
    ['JWK Set', JSON.stringify(keys.publicJwks(Date.now()))],
    ['nothing at all', ''],
  ];

  it.each(secrets)('refuses an access token signed with it as %s, whatever "alg" it names', (_, secret) => {
    const outcomes = ['HS256', 'ES256'].map((alg) =>
      outcome('access', forge('access', { header: { alg }, signer: hmac(secret) })),
    );
    expect(outcomes).toEqual(['token_invalid', 'token_invalid']);
  });

  it.each(secrets)('refuses a refresh token signed with it as %s, under either "kid"', (_, secret) => {
    const outcomes = [accessKey, refreshKey].map(({ kid }) =>
      outcome('refresh', forge('refresh', { header: { kid }, signer: hmac(secret) })),
    );
    expect(outcomes).toEqual(['token_invalid', 'token_invalid']);
  });
});

describe('verify, where one kind of token poses as the other', () => {
  it.each(KINDS)('refuses the claims of the other kind under the key and header of %s', (kind) => {
    const claims = claimsOf(kind === 'access' ? 'refresh' : 'access');
    expect(outcome(kind, forge(kind, { claims: { ...claims, type: claims.type } }))).toBe('token_invalid');
  });

  it('refuses an access token under the refresh key, with every "typ"', () => {
    const outcomes = [TYP_OF.access, TYP_OF.refresh].map((typ) => {
      const { alg, kid } = refreshKey;
      return outcome('access', forge('access', { header: { alg, kid, typ }, signer: OUR_SIGNER.refresh }));
    });
    expect(outcomes).toEqual(['token_invalid', 'token_invalid']);
  });
});

describe('an ECDSA signature', () => {
  it('is refused in its DER form', () => {
    expect(outcome('access', forge('access', { signer: ecdsaDer }))).toBe('token_invalid');
  });

  it.each([
    ['zero', Buffer.alloc(64)],
    ['all ones', Buffer.alloc(64, 0xff)],
    ['too short', Buffer.alloc(32, 1)],
    ['too long', Buffer.alloc(65, 1)],
  ])('is refused where it is %s (CVE-2022-21449)', (_, signature) => {
    expect(outcome('access', forge('access', { signer: () => signature }))).toBe('token_invalid');
  });

  it('is refused over another hash', () => {
    const signer = ecdsa(accessKey.signWith, 'sha384');
    expect(outcome('access', forge('access', { header: { alg: 'ES384' }, signer }))).toBe('token_invalid');
    expect(outcome('access', forge('access', { signer }))).toBe('token_invalid');
  });
});

describe('toTokenError', () => {
  it.each([
    ['the expiry that the library found', 'token_expired', new TokenExpiredError('jwt expired', new Date(0))],
    ['a "not before"', 'token_invalid', new NotBeforeError('jwt not active', new Date(0))],
    ['a bad signature', 'token_invalid', new JsonWebTokenError('invalid signature')],
    ['any other error', 'token_invalid', new Error('invalid signature')],
    ['a value that is not an Error', 'token_invalid', 'invalid signature'],
  ])('reports %s as %s, the reason with it', (_, code, error) => {
    const found = toTokenError(error);
    expect(found).toBeInstanceOf(TokenError);
    expect(found).toMatchObject({
      code,
      reason: error instanceof Error ? error.message : error,
    });
  });

  it('leaves an error of ours as it is', () => {
    const error = new TokenError('token_revoked', 'ended');
    expect(toTokenError(error)).toBe(error);
  });
});
