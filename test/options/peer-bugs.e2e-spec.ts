import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { All, Controller, Get, Injectable, Options } from '@nestjs/common';
import jsonwebtoken from 'jsonwebtoken';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Response } from 'supertest';
import {
  Access,
  type AuthModuleOptions,
  AuthOptionsError,
  Authenticator,
  type Caller,
  FreshAccess,
  Logins,
  Public,
  Refresh,
  SubjectMapper,
  TokenRule,
  type ErrorCode,
} from '../../src/auth/index.js';
import { loadConfig } from '../../src/app.config.js';
import { ConfigError } from '../../src/config/config.js';
import { generateKeySet } from '../../src/keys/key-file.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { createTestDatabase, describePostgres, type TestDatabase } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { TestClock, parseChallenge } from '../../src/testing/index.js';
import { forgeFreely } from '../support/token-kinds.js';

/** What was found by running Flask-JWT-Extended 4.7.1, each as it has to be here. */

const { JsonWebTokenError, NotBeforeError, TokenExpiredError } = jsonwebtoken;
const CALLER: Caller = { ip: null, userAgent: null, requestId: null };
let handled = 0;

@Controller('peer')
class PeerController {
  @Get()
  read(): object {
    handled++;
    return {};
  }

  @FreshAccess()
  @Get('fresh')
  fresh(): object {
    return {};
  }

  @Refresh()
  @Get('refresh')
  refresh(): object {
    return {};
  }

  @All('all')
  all(): object {
    handled++;
    return {};
  }

  @Options('options')
  options(): object {
    handled++;
    return {};
  }

  @Access({ locations: ['body'] })
  @All('body')
  body(): object {
    handled++;
    return {};
  }
}

/** An application that uses JWTs of its own: what its library throws is its own affair. */
@Public()
@Controller('own-jwt')
class OwnJwtController {
  @Get('malformed')
  malformed(): object {
    return jsonwebtoken.verify('nonsense', 'secret') as object;
  }

  @Get('expired')
  expired(): object {
    return jsonwebtoken.verify(jsonwebtoken.sign({ exp: 1 }, 'secret'), 'secret') as object;
  }

  @Get('early')
  early(): object {
    return jsonwebtoken.verify(jsonwebtoken.sign({ nbf: 9e9 }, 'secret'), 'secret') as object;
  }
}

/** A request as it is, for what no client library sends. @returns status line and body */
async function sendRaw(api: TestApp, bytes: Buffer): Promise<string> {
  const { port } = api.app.getHttpServer().address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.end(bytes);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

/** A refused token, whatever is wrong with it: 401 with a challenge of RFC 6750, nothing else. */
function expectRefusal(response: Response, errorCode: ErrorCode): void {
  expectError(response, 401, errorCode);
  expect(parseChallenge(response)).toMatchObject(
    errorCode === 'token_missing' ? {} : { error: 'invalid_token', error_description: expect.any(String) },
  );
}

describe('what a stranger sends', () => {
  let api: TestApp;
  let login: TestLogin;
  let seconds: number;
  beforeAll(async () => {
    api = await createTestApp({ controllers: [PeerController, OwnJwtController] });
    login = await api.login();
    seconds = api.clock.now() / 1000;
  });
  afterAll(() => api.close());

  const show = async (authorization: string, path = '/peer') =>
    api.request('GET', path).set('Authorization', authorization);

  it.each([', ,', ',', ', Bearer', 'Bearer', 'Bearer ', 'Bearer,', 'Token x', ',,,,Bearer x'])(
    'is a missing token, not an error of ours: Authorization "%s"',
    async (authorization) => {
      expectRefusal(await show(authorization), 'token_missing');
    },
  );

  it.each(['Bearer , ,', 'Bearer a b c', 'Bearer x, Bearer y', 'Bearer =', 'Bearer .', 'Bearer ..'])(
    'is an invalid token: Authorization "%s"',
    async (authorization) => {
      expectRefusal(await show(authorization), 'token_invalid');
    },
  );

  it('may write the scheme in any case', async () => {
    for (const scheme of ['bearer', 'BEARER', 'bEARER']) {
      expect((await show(`${scheme} ${login.access}`)).status).toBe(200);
    }
  });

  it.each([[[]], [['access_token']], [[{ access_token: 'x' }]], ['text'], [7], [true], [null], [{}]])(
    'is a missing token where the token belongs into the body: %j',
    async (body) => {
      const response = await api
        .request('POST', '/peer/body')
        .set('Content-Type', 'application/json')
        .send(JSON.stringify(body));
      expectRefusal(response, 'token_missing');
    },
  );

  it.each([[null], [7], [{}], [['x', 'y']], ['']])(
    'is an invalid token where the body holds %j for one',
    async (token) => {
      expectRefusal(await api.request('POST', '/peer/body').send({ access_token: token }), 'token_invalid');
    },
  );

  /** Each is signed with our own key, so that nothing but the claim can be what is refused. */
  it.each<[string, { claims?: object; header?: object }]>([
    ['a "fresh" that is null', { claims: { fresh: null } }],
    ['a "fresh" that is a text', { claims: { fresh: 'true' } }],
    ['a "fresh" that is a time', { claims: { fresh: 9e9 } }],
    ['no "fresh"', { claims: { fresh: undefined } }],
    ['an "exp" that is null', { claims: { exp: null } }],
    ['an "exp" that is a text', { claims: { exp: '9000000000' } }],
    ['no "exp"', { claims: { exp: undefined } }],
    ['no "type"', { claims: { type: undefined } }],
    ['a "type" that is unknown', { claims: { type: 'password-reset' } }],
    ['a "type" in capitals', { claims: { type: 'ACCESS' } }],
    ['no "jti"', { claims: { jti: undefined } }],
    ['no "iat"', { claims: { iat: undefined } }],
    ['no "sub"', { claims: { sub: undefined } }],
    ['a "sub" that is a number', { claims: { sub: 1234 } }],
    [
      'nothing of type, exp, jti and iat',
      { claims: { type: undefined, exp: undefined, jti: undefined, iat: undefined } },
    ],
    ['another audience', { claims: { aud: 'another-api' } }],
    ['no audience', { claims: { aud: undefined } }],
    ['another issuer', { claims: { iss: 'another' } }],
    ['an "nbf" to come', { claims: { nbf: 9e9 } }],
    ['an unknown "crit"', { header: { crit: ['x-unknown'], 'x-unknown': true } }],
    ['an empty "crit"', { header: { crit: [] } }],
    ['no "kid"', { header: { kid: undefined } }],
    ['the "typ" of any JWT', { header: { typ: 'JWT' } }],
    ['the "alg" none', { header: { alg: 'none' } }],
  ])('is no access token with %s', async (_, { claims = {}, header = {} }) => {
    const forged = forgeFreely(api, login.access, claims, header);
    expectRefusal(await show(`Bearer ${forged}`), 'token_invalid');
    expectRefusal(await show(`Bearer ${forged}`, '/peer/fresh'), 'token_invalid');
    await expect(api.get(Authenticator).access(forged)).rejects.toMatchObject({ code: 'token_invalid' });
  });

  it('is an access token when nothing was forged: what is refused above is refused for that alone', async () => {
    expect((await show(`Bearer ${forgeFreely(api, login.access, {})}`)).status).toBe(200);
  });

  it.each<[string, (token: string) => string]>([
    ['junk', (token) => `${token}!!!!`],
    ['junk within', (token) => token.replace(/(.{9})$/, '!!!!$1')],
    ['padding', (token) => `${token}==`],
    ['one padding', (token) => `${token}=`],
    ['white space within', (token) => token.replace(/(.{9})$/, ' $1')],
    ['a tab within', (token) => token.replace(/(.{9})$/, '\t$1')],
    ['the other alphabet', (token) => `${token.slice(0, -2)}+/`],
    ['a fourth segment', (token) => `${token}.x`],
  ])('has one spelling: a signature with %s is refused', async (_, spell) => {
    expectRefusal(await show(`Bearer ${spell(login.access)}`), 'token_invalid');
  });

  it.each([
    ['fresh', '/peer/fresh'],
    ['ordinary', '/peer'],
  ])('is of the wrong type: a refresh token on a route that is %s', async (_, path) => {
    expectRefusal(await show(`Bearer ${login.refresh}`, path), 'token_wrong_type');
  });

  it('is of the wrong type: an access token on a route for refresh tokens', async () => {
    expectRefusal(await show(`Bearer ${login.access}`, '/peer/refresh'), 'token_wrong_type');
  });

  // Of two faults the one that no refresh would mend is told: `token_expired` makes clients refresh and try again.
  it.each<[string, object, object, ErrorCode]>([
    ['expired, and for another audience', { aud: 'another-api' }, {}, 'token_invalid'],
    ['expired, and of another issuer', { iss: 'another' }, {}, 'token_invalid'],
    ['expired, and without "type"', { type: undefined }, {}, 'token_invalid'],
    ['expired, and nothing else', {}, {}, 'token_expired'],
  ])('is told the fault that it can act on: %s', async (_, claims, header, code) => {
    const forged = forgeFreely(api, login.access, { exp: seconds - 1, ...claims }, header);
    expectRefusal(await show(`Bearer ${forged}`), code);
  });

  it('is told that the signature is wrong before it is told that the token has expired', async () => {
    const expired = forgeFreely(api, login.access, { exp: seconds - 1 });
    const tampered = expired.replace(
      /.(.{20})$/,
      (all, rest: string) => `${all[0] === 'A' ? 'B' : 'A'}${rest}`,
    );
    expectRefusal(await show(`Bearer ${tampered}`), 'token_invalid');
  });

  it('is told that the token has expired before it is told of its type', async () => {
    const expired = forgeFreely(api, login.refresh, { exp: seconds - 1 });
    expectRefusal(await show(`Bearer ${expired}`), 'token_expired');
  });

  it('never gets 400 or 422 for a token', async () => {
    const bad = [
      'x',
      'a.b',
      'a.b.c',
      'e30.e30.e30',
      'bnVsbA.bnVsbA.bnVsbA',
      '[]',
      'null',
      `${login.access}x`,
    ];
    for (const token of bad) expectRefusal(await show(`Bearer ${token}`), 'token_invalid');
  });

  it('reaches no handler with OPTIONS unless the token would have opened it', async () => {
    handled = 0;
    expectError(await api.request('OPTIONS', '/peer/all'), 401, 'token_missing');
    expectError(await api.request('OPTIONS', '/peer/options'), 401, 'token_missing');
    const response = await api.request('OPTIONS', '/peer');
    expect(response.status).not.toBe(500);
    expect(handled).toBe(0);
    await api.request('OPTIONS', '/peer/options', login.access).expect(200);
    expect(handled).toBe(1);
  });

  it.each(['malformed', 'expired', 'early'])(
    'is not told that its token is bad when the application’s own JWT is %s',
    async (path) => {
      const response = await api.request('GET', `/own-jwt/${path}`, login.access);
      expectError(response, 500, 'internal_error');
      expect(response.text).not.toContain('jwt');
    },
  );
});

describe('a preflight', () => {
  it('is answered without a token, and runs no handler', async () => {
    const api = await createTestApp({
      controllers: [PeerController],
      env: { CORS_ORIGINS: 'https://app.example' },
    });
    try {
      handled = 0;
      for (const path of ['/peer', '/peer/all']) {
        const response = await api
          .request('OPTIONS', path)
          .set('Origin', 'https://app.example')
          .set('Access-Control-Request-Method', 'GET')
          .set('Access-Control-Request-Headers', 'authorization');
        expect(response.status).toBe(204);
        expect(response.headers['access-control-allow-origin']).toBe('https://app.example');
      }
      expect(handled).toBe(0);
    } finally {
      await api.close();
    }
  });
});

describe('a token in a cookie', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ auth: { locations: { order: ['cookie', 'header'] } } });
  });
  afterAll(() => api.close());

  const COOKIE = 'access_token';
  const post = (cookie: string, ...headers: string[]) =>
    Buffer.concat([
      Buffer.from('POST /auth/logout-all HTTP/1.1\r\nHost: freshgate\r\nConnection: close\r\n'),
      Buffer.from(`Content-Length: 0\r\nCookie: ${COOKIE}=${cookie}\r\n`),
      ...headers.map((header) => Buffer.from(`${header}\r\n`)),
      Buffer.from('\r\n'),
    ]);

  it('is refused without a CSRF value that is right, be that value no ASCII', async () => {
    const { access } = await api.login();
    for (const value of ['é', '\u00ff\u00fe', '€', 'x.é', '.', '']) {
      const answer = await sendRaw(api, post(access, `X-CSRF-Token: ${value}`));
      expect(answer).toMatch(/^HTTP\/1\.1 403 /);
      expect(answer).toContain('"errorCode":"csrf_failed"');
    }
    const latin1 = Buffer.concat([
      Buffer.from('POST /auth/logout-all HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n'),
      Buffer.from(`Cookie: ${COOKIE}=${access}\r\nX-CSRF-Token: `),
      Buffer.from([0xe9, 0xff, 0x80]),
      Buffer.from('\r\n\r\n'),
    ]);
    expect(await sendRaw(api, latin1)).toMatch(/^HTTP\/1\.1 403 [^]*"csrf_failed"/);
    // None of them has done anything.
    await api.request('GET', '/profile', access).expect(200);
  });

  it('is refused for itself first: what has expired is expired, whatever the CSRF value', async () => {
    const { access, refresh } = await api.login();
    const expired = forgeFreely(api, access, { exp: api.clock.now() / 1000 });
    const other = forgeFreely(api, access, { exp: api.clock.now() / 1000, aud: 'another-api' });
    const send = (token: string) =>
      api
        .request('POST', '/auth/logout-all')
        .set('Cookie', `${COOKIE}=${token}`)
        .set('X-CSRF-Token', 'wrong');
    expectRefusal(await send(expired), 'token_expired');
    expectRefusal(await send(other), 'token_invalid');
    expectError(await send(access), 403, 'csrf_failed');
    // Nor does the refresh that follows an expired token come without the value.
    const next = await api
      .request('POST', '/auth/refresh')
      .set('Cookie', `refresh_token=${refresh}`)
      .set('X-CSRF-Token', 'wrong');
    expectError(next, 403, 'csrf_failed');
  });
});

describe('keys of two kinds', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      controllers: [PeerController],
      auth: { keys: generateKeySet('RS256') },
    });
  });
  afterAll(() => api.close());

  it('never verify each other’s tokens: the public key as an HMAC secret signs nothing', async () => {
    const { access, refresh } = await api.login();
    await api.request('GET', '/peer', access).expect(200);
    const ring = api.get(KeyRing);
    const now = api.clock.now();
    const pem = ring.signingKey('access', now).verifyWith.export({ type: 'spki', format: 'pem' }).toString();
    const kids = [
      ring.signingKey('access', now).kid,
      ring.signingKey('refresh', now).kid,
      undefined,
      'other',
    ];
    for (const kid of kids) {
      for (const token of [access, refresh]) {
        const forged = forgeFreely(api, token, {}, { alg: 'HS256', kid, typ: 'at+jwt' }, pem);
        expectRefusal(await api.request('GET', '/peer', forged), 'token_invalid');
      }
    }
  });

  it('must not be PEM texts or short secrets: the start is refused', async () => {
    const { keys } = generateKeySet('HS256');
    const [access, refresh] = keys;
    const pem = '-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n';
    for (const k of [Buffer.from('x').toString('base64url'), pem.slice(0, 20)]) {
      const set = { keys: [{ ...access!, k }, refresh!] };
      await expect(createTestApp({ auth: { keys: set } })).rejects.toThrow('at least 32 bytes');
    }
    await expect(
      createTestApp({ auth: { keys: pem as unknown as AuthModuleOptions['keys'] } }),
    ).rejects.toThrow('keys: must be given');
  });
});

describe('a lifetime of nothing', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp();
  });
  afterAll(() => api.close());

  const NOTHING = [0, -1, 999, NaN, Infinity, false, true, null, '0s', '', 'never', '-5m'];

  it.each(NOTHING.map((value) => [value]))('stops the start where an option says %p', async (value) => {
    for (const group of [
      { tokens: { accessTtl: value } },
      { sessions: { refreshTtl: value } },
      { sessions: { sessionTtl: value } },
    ]) {
      const auth = group as Partial<AuthModuleOptions>;
      await expect(createTestApp({ auth })).rejects.toThrow(AuthOptionsError);
    }
  });

  it.each(['0', '0s', '-1s', 'false', 'never', '1', '500ms'])(
    'stops the start where a variable says %s',
    (value) => {
      for (const variable of ['ACCESS_TOKEN_TTL', 'REFRESH_TOKEN_TTL', 'SESSION_TTL', 'FRESH_MAX_AGE']) {
        expect(() => loadConfig({ [variable]: value })).toThrow(ConfigError);
      }
    },
  );

  it.each(NOTHING.map((value) => [value]))('makes no token where a call says %p', async (value) => {
    const { user, access } = await api.login();
    const [logins, ttl] = [api.get(Logins), value as string];
    const { claims } = await api.get(Authenticator).access(access);
    await expect(logins.open(user.id, CALLER, { accessTtl: ttl })).rejects.toThrow(RangeError);
    await expect(logins.open(user.id, CALLER, { sessionTtl: ttl })).rejects.toThrow(RangeError);
    await expect(logins.accessToken(claims.sid, { ttl })).rejects.toThrow(RangeError);
  });

  it('does not come of additional claims either: "exp" and its like are ours', async () => {
    const { access } = await api.login();
    const { sid } = api.get(Authenticator).verify(access);
    for (const claims of [{ exp: 9e9 }, { type: 'app' }, { fresh: true }, { jti: 'x' }, { sub: 'y' }]) {
      await expect(api.get(Logins).accessToken(sid, { claims })).rejects.toThrow('is reserved');
    }
    await expect(api.get(Logins).accessToken(sid, { headers: { alg: 'none' } })).rejects.toThrow(
      'is reserved',
    );
  });
});

describe('what the application itself gets wrong', () => {
  it.each([[1234], [{ id: 1 }], [''], [null], [undefined]])(
    'a subject that is no text makes no token: %j',
    async (subject) => {
      @Injectable()
      class OddSubjects extends SubjectMapper {
        override toSubject(): string {
          return subject as string;
        }
      }
      const api = await createTestApp({
        auth: { providers: [{ provide: SubjectMapper, useClass: OddSubjects }] },
      });
      try {
        const { id, username, password } = await api.user();
        const response = await api.request('POST', '/auth/login').send({ username, password });
        expectError(response, 500, 'internal_error');
        await expect(api.get(Logins).open(id, CALLER)).rejects.toThrow(/subject of a token must be a text/);
      } finally {
        await api.close();
      }
    },
  );

  it.each([
    new JsonWebTokenError('jwt malformed'),
    new TokenExpiredError('jwt expired', new Date()),
    new NotBeforeError('jwt not active', new Date()),
  ])('an error of its JWT library in a hook is not the client’s: $name', async (error) => {
    @Injectable()
    class BrokenCheck extends TokenRule {
      override accepts(): boolean {
        throw error;
      }
    }
    const api = await createTestApp({
      controllers: [PeerController],
      auth: { providers: [{ provide: TokenRule, useClass: BrokenCheck }] },
    });
    try {
      const { access } = await api.login();
      expectError(await api.request('GET', '/peer', access), 500, 'internal_error');
    } finally {
      await api.close();
    }
  });

  it.each<[string, object]>([
    ['locations.order', { locations: { order: ['headers'] } }],
    ['locations.order', { locations: { order: [] } }],
    ['locations.order', { locations: { order: ['header', 'header'] } }],
    ['tokens.accesTtl', { tokens: { accesTtl: '5m' } }],
    ['JWT_ALGORITHM', { JWT_ALGORITHM: 'none' }],
    ['csrf.methods', { csrf: { methods: [] } }],
    ['csrf.enabled', { csrf: { enabled: false } }],
    ['tokens.leeway', { tokens: { leeway: '1h' } }],
    ['cookies.sameSite', { cookies: { sameSite: 'none', secure: false } }],
  ])('a mistake in the options stops the start, and is named: %s', async (option, auth) => {
    await expect(createTestApp({ auth })).rejects.toMatchObject({
      name: 'AuthOptionsError',
      message: expect.stringContaining(`${option}: `),
    });
  });
});

for (const adapter of ['fastify', 'express'] as const) {
  describePostgres(`a logout behind several instances [${adapter}, postgres]`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'freshgate-peer-'));
    const clock = new TestClock();
    let database: TestDatabase;
    let instances: TestApp[];
    beforeAll(async () => {
      database = await createTestDatabase('postgres');
      const instance = () =>
        createTestApp({
          adapter,
          database,
          clock,
          keysFile: join(folder, 'keys.json'),
          controllers: [PeerController],
        });
      instances = [await instance(), await instance()];
    });
    afterAll(async () => {
      await Promise.all(instances.map((api) => api.close()));
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    });

    it('holds on each of them: of forty requests after it, none is let in', async () => {
      const [here, there] = instances as [TestApp, TestApp];
      const { access, refresh } = await here.login();
      await there.request('GET', '/peer', access).expect(200);
      await here.request('POST', '/auth/logout', access).expect(204);
      // At once where the row is read, and on the instance that answered.
      expectRefusal(await there.request('GET', '/peer/refresh', refresh), 'token_revoked');
      expectRefusal(await here.request('GET', '/peer', access), 'token_revoked');
      await delay(1_000);
      const answers = await Promise.all(
        Array.from({ length: 40 }, async (_, i) => instances[i % 2]!.request('GET', '/peer', access)),
      );
      for (const answer of answers) expectRefusal(answer, 'token_revoked');
    });
  });
}
