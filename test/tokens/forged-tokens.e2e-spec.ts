import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decode, type Jwt } from 'jsonwebtoken';
import {
  createHmac,
  createPublicKey,
  createSign,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
} from 'node:crypto';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import { Database } from '../../src/database/index.js';
import { KeyRing, type RingKey } from '../../src/keys/key-ring.js';
import { type TokenKind } from '../../src/tokens/token-claims.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { portOf, type RawAnswer, sendRaw } from '../support/raw-http.js';
import { OnceController } from '../support/once.controller.js';

/*
 * What a stranger may make of what a stranger may know: a genuine pair of tokens of his own, the public keys, and all
 * that the documentation says. Nothing of it opens a route or changes a row.
 */

type Signer = (input: string) => Buffer;
type Token = string | Buffer;
type Corpus = [name: string, token: Token][];

const KINDS = ['access', 'refresh'] as const;
/** One of each kind of protection, and none that a token would need a body for. */
const ROUTES = [
  ['GET', '/profile'],
  ['DELETE', '/auth/sessions/00000000-0000-7000-8000-000000000000'],
  ['POST', '/auth/refresh'],
  ['POST', '/auth/logout'],
] as const;
/** The order of the group of P-256. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const AT_ONCE = 16;
/** Failures that a test names before it gives up: with a check gone, there are thousands. */
const ENOUGH = 5;

const encode = (text: string | Buffer) => Buffer.from(text as string).toString('base64url');
const encodeJson = (value: unknown) => encode(JSON.stringify(value));
const decodeText = (segment: string) => Buffer.from(segment, 'base64url').toString();
const hmac =
  (secret: string | Buffer | KeyObject, hash = 'sha256'): Signer =>
  (input) =>
    createHmac(hash, secret).update(input).digest();
const ecdsa =
  (key: KeyObject, hash = 'sha256'): Signer =>
  (input) =>
    sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
const signed = (header: unknown, payload: unknown, signer: Signer) => {
  const input = `${typeof header === 'string' ? encode(header) : encodeJson(header)}.${
    typeof payload === 'string' ? encode(payload) : encodeJson(payload)
  }`;
  return `${input}.${encode(signer(input))}`;
};

describe('forged tokens', () => {
  let api: TestApp;
  let port: number;
  let victim: TestLogin;
  let publicJwk: JsonWebKey;
  const ring: Record<string, RingKey> = {};
  const genuine: Record<TokenKind, string> = { access: '', refresh: '' };
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const strangerJwk = stranger.publicKey.export({ format: 'jwk' });
  const strangerRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

  beforeAll(async () => {
    api = await createTestApp({ controllers: [OnceController] });
    port = portOf(api.app);
    victim = await api.login();
    genuine.access = victim.access;
    genuine.refresh = victim.refresh;
    const { body } = await api.request('GET', '/.well-known/jwks.json').expect(200);
    publicJwk = (body as { keys: JsonWebKey[] }).keys[0]!;
    for (const kind of KINDS) {
      const { kid } = partsOf(genuine[kind]).header;
      ring[kind] = api.get(KeyRing).find(String(kid), api.clock.now())!;
    }
  });
  afterAll(() => api.close());

  const partsOf = (token: string) => {
    const { header, payload } = decode(token, { complete: true }) as Jwt;
    return { header: { ...header } as Record<string, unknown>, payload: payload as Record<string, unknown> };
  };
  /** Our own signature: what even our key must not make good. */
  const ours = (kind: TokenKind): Signer => {
    const key = ring[kind]!.signWith!;
    return key.type === 'secret' ? hmac(key) : ecdsa(key);
  };
  /** Every row that a token could change, one text for each. */
  const stored = async (): Promise<string[]> => {
    const db = api.get(Database);
    const rows = [
      ...(await db.selectFrom('sessions').selectAll().execute()),
      ...(await db.selectFrom('audit_events').selectAll().execute()),
      ...(await db.selectFrom('spent_tokens').selectAll().execute()),
    ];
    return rows.map((row) => JSON.stringify(row));
  };
  const show = (method: string, path: string, token: Token): Promise<RawAnswer> => {
    const value = Buffer.concat([Buffer.from('Bearer '), Buffer.from(token as string)]);
    return sendRaw(port, { method, path, headers: [['Authorization', value]] });
  };

  /** Shows each at each route. Bytes that no header may hold are refused before there is a token: 400. */
  async function expectAllRefused(
    corpus: Corpus,
    routes: readonly (readonly [string, string])[] = ROUTES,
  ): Promise<void> {
    expect(corpus.length).toBeGreaterThan(0);
    const before = await stored();
    const work = corpus.flatMap(([name, token]) =>
      routes.map(([method, path]) => ({ name, token, method, path })),
    );
    const wrong: string[] = [];
    for (let i = 0; i < work.length && wrong.length < ENOUGH; i += AT_ONCE) {
      await Promise.all(
        work.slice(i, i + AT_ONCE).map(async ({ name, token, method, path }) => {
          const { status, headers, body } = await show(method, path, token);
          const expected = hasControl(token) ? 400 : 401;
          const isRight =
            status === expected &&
            (status === 400 || (body?.['errorCode'] === 'token_invalid' && challenges(headers)));
          if (!isRight) wrong.push(`${name} at ${method} ${path}: ${status} ${JSON.stringify(body)}`);
        }),
      );
    }
    expect(wrong.slice(0, ENOUGH)).toEqual([]);
    await expectUntouched(before);
  }
  async function expectUntouched(before: string[]): Promise<void> {
    const known = new Set(before);
    const now = await stored();
    const changed = now.filter((row) => !known.has(row));
    expect({ rows: now.length, changed: changed.slice(0, ENOUGH) }).toEqual({
      rows: before.length,
      changed: [],
    });
  }
  const challenges = (headers: RawAnswer['headers']) =>
    headers.get('www-authenticate') === 'Bearer error="invalid_token", error_description="Token is invalid"';

  it('the genuine tokens from which these are forged are accepted', async () => {
    const twin = await api.login();
    expect((await show('GET', '/profile', twin.access)).status).toBe(200);
    expect((await show('POST', '/auth/refresh', twin.refresh)).status).toBe(200);
    for (const kind of KINDS) {
      // And so does the way in which this file forges, where nothing is forged.
      const { header, payload } = partsOf(genuine[kind]);
      const again = signed(header, payload, ours(kind));
      const [method, path] = kind === 'access' ? ROUTES[0] : (['POST', '/auth/logout'] as const);
      if (kind === 'access') expect((await show(method, path, again)).status).toBe(200);
    }
  });

  describe.each(KINDS)('forged from the %s token', (kind) => {
    /** The header and claims of the genuine one, changed, with any signature. */
    const forge = (header: object, claims: object, signer: Signer): string => {
      const parts = partsOf(genuine[kind]);
      return signed({ ...parts.header, ...header }, { ...parts.payload, ...claims }, signer);
    };
    const segments = () => genuine[kind].split('.') as [string, string, string];

    it('are refused without a signature', async () => {
      const { header, payload } = partsOf(genuine[kind]);
      const algs = [
        'none',
        'None',
        'NONE',
        'nOnE',
        'none ',
        '',
        ' ',
        'null',
        null,
        undefined,
        0,
        false,
        [],
        ['none'],
        {},
      ];
      await expectAllRefused(
        algs.flatMap((alg): Corpus => {
          const unsigned = `${encodeJson({ ...header, alg })}.${encodeJson(payload)}`;
          return [
            [`alg ${JSON.stringify(alg)}, nothing`, `${unsigned}.`],
            [`alg ${JSON.stringify(alg)}, two segments`, unsigned],
            [`alg ${JSON.stringify(alg)}, the genuine signature`, `${unsigned}.${segments()[2]}`],
            [`alg ${JSON.stringify(alg)}, a character`, `${unsigned}.AA`],
            [`alg ${JSON.stringify(alg)}, signed by us`, forge({ alg }, {}, ours(kind))],
          ];
        }),
      );
    });

    it('are refused when the public key is used as an HMAC secret', async () => {
      const key = createPublicKey({ key: publicJwk, format: 'jwk' });
      const pem = key.export({ type: 'spki', format: 'pem' }).toString();
      const der = key.export({ type: 'spki', format: 'der' });
      const { kty, crv, x, y } = publicJwk;
      const plain: [string, string | Buffer][] = [
        ['PEM', pem],
        ['PEM, trimmed', pem.trim()],
        ['PEM with CRLF', pem.replaceAll('\n', '\r\n')],
        ['DER', der],
        ['JWK', JSON.stringify(publicJwk)],
        ['JWK, its thumbprint members', JSON.stringify({ crv, kty, x, y })],
        ['JWK Set', JSON.stringify({ keys: [publicJwk] })],
        [
          'the point',
          Buffer.concat([Buffer.of(4), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]),
        ],
        ['x', x!],
        ['the kid', String(publicJwk['kid'])],
        ['nothing', ''],
      ];
      const secrets = plain.flatMap(([name, secret]): [string, string | Buffer][] => [
        [name, secret],
        [`base64 of ${name}`, Buffer.from(secret as string).toString('base64')],
        [`base64url of ${name}`, encode(secret)],
      ]);
      await expectAllRefused(
        secrets.flatMap(([name, secret]): Corpus =>
          KINDS.flatMap((named) => {
            const { kid } = ring[named]!;
            return [
              [`HS256 with ${name}, kid of ${named}`, forge({ kid, alg: 'HS256' }, {}, hmac(secret))],
              [
                `HS512 with ${name}, kid of ${named}`,
                forge({ kid, alg: 'HS512' }, {}, hmac(secret, 'sha512')),
              ],
              [
                `ES256 said, HMAC with ${name}, kid of ${named}`,
                forge({ kid, alg: 'ES256' }, {}, hmac(secret)),
              ],
            ];
          }),
        ),
      );
    });

    it('are refused with a hostile "kid"', async () => {
      const { header } = partsOf(genuine[kind]);
      const other = ring[kind === 'access' ? 'refresh' : 'access']!.kid;
      const kid = String(header['kid']);
      const kids: unknown[] = [
        undefined, null, '', 0, 1, -1, true, {}, [], [kid], { kid }, { toString: kid }, other, kid.toUpperCase(),
        `${kid} `, ` ${kid}`, `${kid}\0`, `${kid}\n`, `${kid},${kid}`, '../../../../dev/null', '/dev/null',
        'file:///dev/null', '..\\..\\windows\\win.ini', 'data/keys.json', "' or '1'='1", "'; drop table sessions; --",
        `x' union select 'AA`, '$(sleep 5)', '`id`', '| id', '%00', '\0', '\u202e', '__proto__', 'constructor',
        'prototype', 'toString', 'keys', '0', 'http://127.0.0.1:1/jwks.json', 'x'.repeat(2000), '😀'.repeat(200),
      ]; // prettier-ignore
      await expectAllRefused(
        kids.flatMap((each): Corpus => {
          const name = `kid ${JSON.stringify(each)?.slice(0, 60)}`;
          return [
            [`${name}, HMAC without a key`, forge({ kid: each, alg: 'HS256' }, {}, hmac(''))],
            [`${name}, signed by us`, forge({ kid: each }, {}, ours(kind))],
            [`${name}, by a stranger`, forge({ kid: each, alg: 'ES256' }, {}, ecdsa(stranger.privateKey))],
          ];
        }),
      );
    });

    it('are refused with any of 300 random "kid" values', async () => {
      const names = Array.from({ length: 300 }, (_, i) =>
        Buffer.from(crypto.getRandomValues(new Uint8Array(1 + (i % 60)))).toString('latin1'),
      );
      await expectAllRefused(
        names.map((kid): [string, Token] => [`kid ${encode(kid)}`, forge({ kid }, {}, ours(kind))]),
        [ROUTES[0]],
      );
    });

    it('are refused with a "kid" of several kilobytes', async () => {
      await expectAllRefused(
        [5_000, 10_000].map((n) => [`${n}`, forge({ kid: 'x'.repeat(n) }, {}, ours(kind))]),
      );
    });

    it('are refused with an embedded key or a key URL, and the URL is never fetched', async () => {
      const calls = await withBait(async (url) => {
        const pem = stranger.publicKey.export({ type: 'spki', format: 'pem' }).toString();
        const der = stranger.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
        const brought: [string, object][] = [
          ['jwk', { jwk: strangerJwk }],
          ['jwk as text', { jwk: JSON.stringify(strangerJwk) }],
          ['jwk with the right kid', { jwk: { ...strangerJwk, kid: ring[kind]!.kid } }],
          ['jku', { jku: url }],
          ['x5u', { x5u: url }],
          ['iss', { iss: url }],
          ['x5c', { x5c: [der] }],
          ['x5c as PEM', { x5c: [pem] }],
          ['x5t', { x5t: 'AAAA', 'x5t#S256': 'AAAA' }],
          ['jwks', { jwks: { keys: [strangerJwk] } }],
          ['epk', { epk: strangerJwk }],
          ['all', { jwk: strangerJwk, jku: url, x5u: url, x5c: [der], kid: undefined }],
        ];
        await expectAllRefused(
          brought.flatMap(([name, header]): Corpus => [
            [`${name}, alg ES256`, forge({ alg: 'ES256', ...header }, {}, ecdsa(stranger.privateKey))],
            [`${name}, without kid`, forge({ alg: 'ES256', ...header, kid: undefined }, {}, ecdsa(stranger.privateKey))],
            [`${name}, kid a URL`, forge({ alg: 'ES256', ...header, kid: url }, {}, ecdsa(stranger.privateKey))],
            [`${name}, RS256`, forge({ alg: 'RS256', ...header }, {}, (input) => createSign('sha256').update(input).sign(strangerRsa.privateKey))],
          ]), // prettier-ignore
        );
      });
      expect(calls).toBe(0);
    });

    it('are refused with another key, algorithm or token kind', async () => {
      const strangers: [string, object, Signer][] = [
        ['a stranger’s ES256', { alg: 'ES256' }, ecdsa(stranger.privateKey)],
        ['a stranger’s ES256 with his kid', { alg: 'ES256', kid: 'mine' }, ecdsa(stranger.privateKey)],
        ['a stranger’s HS256', { alg: 'HS256' }, hmac('secret')],
        ['a stranger’s RS256', { alg: 'RS256' }, (input) => createSign('sha256').update(input).sign(strangerRsa.privateKey)],
        ['ES256K', { alg: 'ES256K' }, ours(kind)],
        ['ES384 said', { alg: 'ES384' }, ours(kind)],
        ['PS256 said', { alg: 'PS256' }, ours(kind)],
        ['EdDSA said', { alg: 'EdDSA' }, ours(kind)],
        ['dir said', { alg: 'dir' }, ours(kind)],
        ['in lower case', { alg: kind === 'access' ? 'es256' : 'hs256' }, ours(kind)],
      ]; // prettier-ignore
      const other = kind === 'access' ? 'refresh' : 'access';
      const { alg, kid } = ring[other]!;
      const typ = { access: 'at+jwt', refresh: 'rt+jwt' };
      await expectAllRefused([
        ...strangers.map(([name, header, signer]): [string, Token] => [name, forge(header, {}, signer)]),
        ['the key of the other kind', forge({ alg, kid }, {}, ours(other))],
        ['the key of the other kind, "type" too', forge({ alg, kid }, { type: other }, ours(other))],
        ['the key and typ of the other kind', forge({ alg, kid, typ: typ[other] }, {}, ours(other))],
        ['the typ of the other kind', forge({ typ: typ[other] }, { type: other }, ours(kind))],
        ['the type of the other kind', forge({}, { type: other }, ours(kind))],
        [
          'all claims of the other kind under this key',
          signed(partsOf(genuine[kind]).header, partsOf(genuine[other]).payload, ours(kind)),
        ],
        ...[
          undefined,
          null,
          'JWT',
          'jwt',
          'at+JWT',
          'application/at+jwt',
          'rt',
          ['at+jwt'],
          { typ: 'at+jwt' },
          1,
        ].map((each): [string, Token] => [
          `typ ${JSON.stringify(each)}`,
          forge({ typ: each }, {}, ours(kind)),
        ]),
      ]);
    });

    it('are refused with "crit", or as a JWE or a JSON serialization', async () => {
      const [header, payload, signature] = segments();
      const { alg, kid, typ } = partsOf(genuine[kind]).header;
      const flattened = { protected: header, payload, signature };
      const detached = encodeJson({ alg, kid, typ, b64: false, crit: ['b64'] });
      const rawInput = `${detached}.${decodeText(payload)}`;
      const crits: unknown[] = [['b64'], ['exp'], ['kid'], [], null, 'b64', {}, 0, ['x', 'x']];
      await expectAllRefused([
        ...crits.map((crit): [string, Token] => [`crit ${JSON.stringify(crit)}`, forge({ crit }, {}, ours(kind))]),
        ['b64 false, crit', forge({ b64: false, crit: ['b64'] }, {}, ours(kind))],
        ['b64 false, unencoded', `${rawInput}.${encode(ours(kind)(rawInput))}`],
        ['b64 false, detached', `${detached}..${encode(ours(kind)(rawInput))}`],
        [
          'zip, deflated',
          (() => {
            const input = `${encodeJson({ alg, kid, typ, zip: 'DEF' })}.${encode(deflateRawSync(decodeText(payload)))}`;
            return `${input}.${encode(ours(kind)(input))}`;
          })(),
        ],
        ['a JWE, dir', `${encodeJson({ alg: 'dir', enc: 'A256GCM', kid, typ })}..${encode('iv')}.${payload}.${signature}`],
        ['a JWE, ECDH-ES', [encodeJson({ alg: 'ECDH-ES', enc: 'A256GCM', kid, typ, epk: strangerJwk }), 'AA', 'AA', payload, signature].join('.')],
        ['a JWE, PBES2 with endless work', [encodeJson({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', kid, typ, p2c: 2_000_000_000, p2s: 'AA' }), 'AA', 'AA', payload, signature].join('.')],
        ['nested: a JWS in a JWS', signed({ alg, kid, typ, cty: 'JWT' }, genuine[kind], ours(kind))],
        ['flattened JSON', JSON.stringify(flattened)],
        ['flattened JSON, encoded', encodeJson(flattened)],
        ['general JSON', JSON.stringify({ payload, signatures: [{ protected: header, signature }] })],
        ['general JSON with an unprotected header', JSON.stringify({ payload, signatures: [{ header: { alg: 'none' }, signature: '' }] })],
      ]); // prettier-ignore
    });

    it('are refused with a duplicate member and no signature of ours', async () => {
      const { header, payload } = partsOf(genuine[kind]);
      const twice = (name: string, first: unknown, last: unknown, rest: object) => {
        const others = Object.entries(rest).filter(([each]) => each !== name);
        const members = [[name, first], ...others, [name, last]] as [string, unknown][];
        return `{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join()}}`;
      };
      const both = (name: string, evil: unknown, of: Record<string, unknown>): [string, string][] => [
        [`${name}, evil first`, twice(name, evil, of[name], of)],
        [`${name}, evil last`, twice(name, of[name], evil, of)],
      ];
      const headers = [
        ...both('alg', 'none', header),
        ...both('kid', 'x', header),
        ...both('typ', 'JWT', header),
      ];
      const payloads = [
        ...both('sub', 'somebody', payload),
        ...both('exp', 9e9, payload),
        ...both('iss', 'x', payload),
      ];
      const signers: [string, Signer][] = [
        ['the genuine signature', () => Buffer.from(segments()[2], 'base64url')],
        ['none', () => Buffer.alloc(0)],
        ['an empty HMAC', hmac('')],
        ['a stranger', ecdsa(stranger.privateKey)],
      ];
      await expectAllRefused(
        signers.flatMap(([by, signer]): Corpus => [
          ...headers.map(([name, text]): [string, Token] => [
            `header ${name}, ${by}`,
            signed(text, payload, signer),
          ]),
          ...payloads.map(([name, text]): [string, Token] => [
            `payload ${name}, ${by}`,
            signed(header, text, signer),
          ]),
        ]),
      );
      // RFC 7515 §4, RFC 7519 §4: refused, or the last counts. Signed by us, it counts for every reader of ours.
      await expectAllRefused(
        [...both('alg', 'none', header), ...both('kid', 'x', header), ...both('typ', 'JWT', header)]
          .filter(([name]) => name.endsWith('last'))
          .map(([name, text]) => [`header ${name}, signed by us`, signed(text, payload, ours(kind))]),
      );
    });

    it('are refused unless they are three segments of canonical base64url', async () => {
      const [header, payload, signature] = segments();
      const base64 = (segment: string) => Buffer.from(segment, 'base64url').toString('base64');
      const token = genuine[kind];
      const junk = [
        '=',
        '==',
        '%3D',
        '+',
        '/',
        '*',
        ',',
        ';',
        '"',
        '%00',
        '%0a',
        '\t',
        ' ',
        '\u00a0',
        '.',
        '..',
        '~',
        'é',
      ];
      await expectAllRefused([
        ['two segments', `${header}.${payload}`],
        ['two segments, the last ones', `${payload}.${signature}`],
        ['one segment', header],
        ['four segments', `${token}.${signature}`],
        ['four segments, another header before', `${encodeJson({ alg: 'none' })}.${token}`],
        ['five segments', `${token}.${payload}.${signature}`],
        ['three empty ones', '..'],
        ['a thousand dots', '.'.repeat(1000)],
        ['an empty header', `.${payload}.${signature}`],
        ['an empty payload', `${header}..${signature}`],
        ['swapped segments', `${payload}.${header}.${signature}`],
        ['base64, header', `${base64(header)}=.${payload}.${signature}`],
        ['base64, signature', `${header}.${payload}.${base64(signature)}==`],
        ['hex, signature', `${header}.${payload}.${Buffer.from(signature, 'base64url').toString('hex')}`],
        ['said twice', `${token}${token}`],
        ['said twice, a comma between', `${token}, ${token}`],
        ['a scheme within', `Bearer ${token}`],
        ['quoted', `"${token}"`],
        ['in pointed brackets', `<${token}>`],
        ['as a parameter', `token=${token}`],
        ...junk.flatMap((each): Corpus => {
          const places: Corpus = [
            [
              `${each} in the header`,
              `${header.slice(0, 5)}${each}${header.slice(5)}.${payload}.${signature}`,
            ],
            [`${each} after the header`, `${header}${each}.${payload}.${signature}`],
            [`${each} after the payload`, `${header}.${payload}${each}.${signature}`],
            [
              `${each} in the signature`,
              `${header}.${payload}.${signature.slice(0, 9)}${each}${signature.slice(9)}`,
            ],
          ];
          // White space around a header's value is not part of it (RFC 9110 §5.5).
          return each.trim() === '' && each !== '\u00a0'
            ? places
            : [...places, [`${each} before`, `${each}${token}`], [`${each} after`, `${token}${each}`]];
        }),
        ...[0, 1, 2].flatMap((index) =>
          respellings(segments()[index]!).map((each): [string, Token] => [
            `another spelling of segment ${index}`,
            segments().with(index, each).join('.'),
          ]),
        ),
      ]);
    });

    it('are refused with times of a wrong type, even with our signature', async () => {
      const now = Number(partsOf(genuine[kind]).payload['iat']);
      const wrong: [string, unknown][] = [
        ['text', String(now + 900)], ['null', null], ['negative', -1], ['a fraction', now + 0.5], ['1e30', 1e30],
        ['a list', [now + 900]], ['an object', {}], ['true', true], ['empty text', ''], ['2^53', 2 ** 53],
      ]; // prettier-ignore
      const names = kind === 'access' ? ['exp', 'iat', 'nbf', 'auth_time'] : ['exp', 'iat', 'nbf', 'gen'];
      const raw = (name: string, number: string) => {
        const { header, payload } = partsOf(genuine[kind]);
        const text = JSON.stringify({ ...payload, [name]: '@' }).replace('"@"', number);
        return signed(header, text, ours(kind));
      };
      await expectAllRefused(
        names.flatMap((name): Corpus => [
          ...wrong.map(([form, value]): [string, Token] => [
            `${name} ${form}`,
            forge({}, { [name]: value }, ours(kind)),
          ]),
          [`${name} 1e400`, raw(name, '1e400')],
          [`${name} NaN`, raw(name, 'NaN')],
          [`${name} hexadecimal`, raw(name, '0x7fffffff')],
          ...(name === 'nbf'
            ? []
            : ([[`${name} absent`, forge({}, { [name]: undefined }, ours(kind))]] as Corpus)),
        ]),
      );
    });

    it('are refused with claims of a wrong type, even with our signature', async () => {
      const wrong: unknown[] = [
        undefined,
        null,
        0,
        true,
        [],
        [[]],
        {},
        { length: 1 },
        '',
        ['x', 1],
        { 0: 'x', length: 1 },
      ];
      const names = [
        'iss',
        'aud',
        'sub',
        'sid',
        'jti',
        'type',
        ...(kind === 'access' ? ['fresh', 'acr', 'amr'] : ['gen']),
      ];
      const isFine = (name: string, value: unknown) =>
        (name === 'fresh' && value === true) ||
        // As in a token of the previous version.
        (name === 'acr' && value === undefined) ||
        (name === 'gen' && value === 0) ||
        (name === 'amr' && Array.isArray(value) && value.length === 0);
      await expectAllRefused([
        ...names.flatMap((name) =>
          wrong
            .filter((value) => !isFine(name, value))
            .map((value): [string, Token] => [
              `${name} ${JSON.stringify(value)}`,
              forge({}, { [name]: value }, ours(kind)),
            ]),
        ),
        ...['iss', 'sub', 'sid'].map((name): [string, Token] => [
          `${name} a list of the right one`,
          forge({}, { [name]: [partsOf(genuine[kind]).payload[name]] }, ours(kind)),
        ]),
        ...['Freshgate', 'freshgate/', ' freshgate', 'freshgate\0', 'http://freshgate'].flatMap(
          (each): Corpus => [
            [`iss ${each}`, forge({}, { iss: each }, ours(kind))],
            [`aud ${each}`, forge({}, { aud: each }, ours(kind))],
            [`aud list of ${each}`, forge({}, { aud: [each] }, ours(kind))],
          ],
        ),
      ]);
    });

    it('are refused with deep nesting, large content or prototype members', async () => {
      const { header, payload } = partsOf(genuine[kind]);
      const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
      const proto = `{"__proto__":${JSON.stringify(payload)}}`;
      const inherited = `{"constructor":{"prototype":${JSON.stringify(payload)}}}`;
      const payloads: [string, string][] = [
        ['nested 2,500 deep', deep(2_500)],
        ['a prototype for all claims', proto],
        ['a constructor for all claims', inherited],
        ['null', 'null'], ['a list', '[]'], ['text', '"x"'], ['a number', '1'], ['true', 'true'],
        ['a list of the claims', JSON.stringify([payload])],
        ['no JSON', '{'], ['two values', '{}{}'], ['a comment', '/**/{}'], ['a BOM', `\ufeff${JSON.stringify(payload)}`],
        ['a single quote', "{'sub':1}"], ['a trailing comma', '{"sub":"x",}'], ['NUL', '\0'], ['empty braces', '{}'],
      ]; // prettier-ignore
      const headers = payloads.map(([name, text]) => [
        name,
        text.replaceAll(JSON.stringify(payload), JSON.stringify(header)),
      ]) as [string, string][];
      await expectAllRefused([
        ...payloads.flatMap(([name, text]): Corpus => [
          [`payload: ${name}, signed by us`, signed(header, text, ours(kind))],
          [`payload: ${name}, by a stranger`, signed(header, text, ecdsa(stranger.privateKey))],
        ]),
        ...headers.map(([name, text]): [string, Token] => [
          `header: ${name}`,
          signed(text, payload, ours(kind)),
        ]),
      ]);
      // Beside all that a token must say, it is only another member: nothing inherits from it.
      const text = JSON.stringify(payload).replace('{', '{"__proto__":{"fresh":true,"roles":["admin"]},');
      expect(JSON.parse(text)).not.toHaveProperty('roles', ['admin']);
      const polluted = signed(header, text, ours(kind));
      if (kind === 'access') {
        const { status, body } = await show('GET', '/profile', polluted);
        expect([status, body?.['id']]).toEqual([200, victim.user.id]);
        expect((await show('GET', `/admin/users/${victim.user.id}/sessions`, polluted)).status).toBe(403);
      }
      expect(({} as { roles?: unknown }).roles).toBeUndefined();
    });

    it('are refused with any single byte changed', async () => {
      const token = genuine[kind];
      const routes = kind === 'access' ? [ROUTES[0], ROUTES[3]] : [ROUTES[2], ROUTES[3]];
      const flip = (at: number, bit: number): [string, Token] => {
        const bytes = Buffer.from(token);
        bytes[at]! ^= 1 << bit;
        return [`byte ${at}, bit ${bit}`, bytes];
      };
      const every = Array.from(token, (_, at) => flip(at, at % 8));
      const sample = Array.from({ length: 24 }, (_, i) => Math.floor((i * token.length) / 24)).flatMap((at) =>
        Array.from({ length: 8 }, (_, bit) => flip(at, bit)),
      );
      await expectAllRefused([...every, ...sample], routes);
    }, 60_000);

    it('are refused with a byte too few or too many', async () => {
      const token = genuine[kind];
      const cut = Array.from(token, (_, at): [string, Token] => [`cut at ${at}`, token.slice(0, at)]).slice(
        1,
      );
      const [header, payload, signature] = segments();
      const bytes = Buffer.from(signature, 'base64url');
      const short = [0, 1, 16, bytes.length / 2, bytes.length - 1];
      await expectAllRefused([
        ...cut.filter((_, i) => i % 7 === 0),
        ...short.map((n): [string, Token] => [
          `signature of ${n}`,
          `${header}.${payload}.${encode(bytes.subarray(0, n))}`,
        ]),
        ...[1, 8, 32, 64, 500].map((n): [string, Token] => [
          `signature and ${n} more`,
          `${header}.${payload}.${encode(Buffer.concat([bytes, Buffer.alloc(n)]))}`,
        ]),
      ]);
    });
  });

  describe('forged by their ECDSA signature', () => {
    const withSignature = (signature: Buffer) =>
      `${genuine.access.split('.').slice(0, 2).join('.')}.${encode(signature)}`;
    const number = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
    const pair = (r: bigint, s: bigint) => withSignature(Buffer.concat([number(r), number(s)]));
    const signatureOf = (token: string) => {
      const hex = Buffer.from(token.split('.')[2]!, 'base64url').toString('hex');
      return [BigInt(`0x${hex.slice(0, 64)}`), BigInt(`0x${hex.slice(64)}`)] as const;
    };

    it('are refused with zero, the group order, larger values or a guess ("psychic signatures", CVE-2022-21449)', async () => {
      const [r, s] = signatureOf(genuine.access);
      const max = (1n << 256n) - 1n;
      const edges = [0n, 1n, ORDER - 1n, ORDER, ORDER + 1n, max];
      await expectAllRefused([
        ...edges.flatMap((a) => edges.map((b): [string, Token] => [`r ${a}, s ${b}`, pair(a, b)])),
        ...edges.flatMap((a): Corpus => [
          [`r, s ${a}`, pair(r, a)],
          [`r ${a}, s`, pair(a, s)],
        ]),
        ['swapped', pair(s, r)],
        ...(r + ORDER <= max ? ([['r and the order', pair(r + ORDER, s)]] as Corpus) : []),
        ...(s + ORDER <= max ? ([['s and the order', pair(r, s + ORDER)]] as Corpus) : []),
      ]);
    });

    it('are refused with a signature in DER', async () => {
      const key = ring['access']!.signWith!;
      const input = Buffer.from(genuine.access.split('.').slice(0, 2).join('.'));
      const der = sign('sha256', input, key);
      const [r, s] = signatureOf(genuine.access);
      const hex = (value: bigint) => value.toString(16).padStart(66, '0');
      await expectAllRefused([
        ['DER', withSignature(der)],
        ['DER in base64', `${input.toString()}.${der.toString('base64')}`],
        ['DER, long form', withSignature(Buffer.from(`3081460221${hex(r)}0221${hex(s)}`, 'hex'))],
        ['DER of nought', withSignature(Buffer.from('3006020100020100', 'hex'))],
        ['DER and junk', withSignature(Buffer.concat([der, Buffer.from('junk')]))],
        ['over SHA-384', withSignature(ecdsa(key, 'sha384')(input.toString()))],
        [
          'hex',
          withSignature(
            Buffer.from(
              signatureOf(genuine.access)
                .map((v) => v.toString(16))
                .join(''),
            ),
          ),
        ],
      ]);
    });

    it('a mirrored signature (s → n − s) makes no second token, because a used token is remembered by its "jti"', async () => {
      // Every holder of the token can do this; refusing it would buy nothing, since no list of ours
      // (ended sessions, spent tokens, generations) knows a token by its bytes.
      const login = await api.login();
      const [r, s] = signatureOf(login.access);
      const mirrored = `${login.access.split('.').slice(0, 2).join('.')}.${encode(Buffer.concat([number(r), number(ORDER - s)]))}`;
      expect((await show('GET', '/profile', mirrored)).body).toMatchObject({ id: login.user.id });

      const use = (token: string) => api.request('POST', '/once', token);
      await use(login.access).expect(201);
      expect((await use(mirrored)).body).toMatchObject({ errorCode: 'fresh_token_required' });
      await api.request('POST', '/auth/logout', login.access).expect(204);
      expect((await show('GET', '/profile', mirrored)).body).toMatchObject({ errorCode: 'token_revoked' });
    });
  });

  it('a token with our signature may have unknown header members: they are ignored, and no URL is fetched', async () => {
    const calls = await withBait(async (url) => {
      const { header, payload } = partsOf(genuine.access);
      const more = { jku: url, x5u: url, jwk: strangerJwk, zip: 'DEF' };
      expect(
        (await show('GET', '/profile', signed({ ...header, ...more }, payload, ours('access')))).status,
      ).toBe(200);
    });
    expect(calls).toBe(0);
  });

  it('a token with our signature may repeat a member: the last value counts everywhere', async () => {
    // RFC 7515 §4 and RFC 7519 §4 leave that or a refusal. This needs a signature with our key.
    const other = await api.login();
    const { header, payload } = partsOf(genuine.access);
    const twice = (name: string, first: unknown, rest: object) =>
      JSON.stringify(rest).replace('{', `{"${name}":${JSON.stringify(first)},`);
    const shown = async (first: unknown, second: unknown) =>
      (await show('GET', '/profile', signed(first, second, ours('access')))).body;
    const { id } = victim.user;
    expect(await shown(header, twice('sub', other.user.id, payload))).toMatchObject({ id });
    expect(await shown(header, twice('exp', 0, payload))).toMatchObject({ id });
    expect(await shown(twice('alg', 'none', header), payload)).toMatchObject({ id });
    const unsigned = twice('alg', header['alg'], { ...header, alg: 'none' });
    expect(await shown(unsigned, payload)).toMatchObject({ errorCode: 'token_invalid' });
    const expired = twice('exp', 9e9, { ...payload, exp: 0 });
    expect(await shown(header, expired)).toMatchObject({ errorCode: 'token_expired' });
  });

  it('an access token is refused for a refresh, and a refresh token for access', async () => {
    const before = await stored();
    const swapped: [string, string, string][] = [
      ['POST', '/auth/refresh', genuine.access],
      ['POST', '/auth/reauthenticate', genuine.access],
      ['GET', '/profile', genuine.refresh],
      ['PUT', '/auth/password', genuine.refresh],
      ['POST', '/once', genuine.refresh],
    ];
    for (const [method, path, token] of swapped) {
      const { status, body } = await show(method, path, token);
      expect([path, status, body?.['errorCode']]).toEqual([path, 401, 'token_wrong_type']);
    }
    await expectUntouched(before);
  });

  it('the pair of the attacked user still works after all these attacks', async () => {
    expect((await show('GET', '/profile', genuine.access)).status).toBe(200);
    expect((await show('POST', '/auth/refresh', genuine.refresh)).status).toBe(200);
  });
});

/** @returns how often the address was called meanwhile */
async function withBait(work: (url: string) => Promise<void>): Promise<number> {
  let calls = 0;
  const bait = createServer((_, response) => {
    calls++;
    response.end('{"keys":[]}');
  });
  await new Promise<void>((resolve) => bait.listen(0, '127.0.0.1', resolve));
  try {
    await work(`http://127.0.0.1:${(bait.address() as AddressInfo).port}/jwks.json`);
  } finally {
    bait.close();
  }
  return calls;
}

function hasControl(token: Token): boolean {
  return Buffer.from(token as string).some((byte) => (byte < 0x20 && byte !== 9) || byte === 0x7f);
}

/** Other last characters of a segment that decode to the same bytes: the spare bits are not nought. */
function respellings(segment: string): string[] {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const bytes = Buffer.from(segment, 'base64url');
  return [...alphabet]
    .map((last) => segment.slice(0, -1) + last)
    .filter((each) => each !== segment && Buffer.from(each, 'base64url').equals(bytes));
}
