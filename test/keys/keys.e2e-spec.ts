import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Algorithm, decode, type JwtPayload, sign } from 'jsonwebtoken';
import { createHmac, createPrivateKey, createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Controller, Get } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { KeyFileWatcher } from '../../src/keys/key-file-watcher.js';
import { generateKey, generateKeySet } from '../../src/keys/key-file.js';
import { KeyRing, type PrivateJwk, SIGNING_ALGORITHMS } from '../../src/keys/key-ring.js';
import { retire, rotate } from '../../src/keys/key-rotation.js';
import {
  CurrentUser,
  FreshAccess,
  type Principal,
  Roles,
  SubjectMapper,
  type TokenClaims,
} from '../../src/auth/index.js';
import { expectChallenge } from '../../src/testing/index.js';
import { headerOf } from '../support/claims.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { makeFolder } from '../support/server-process.js';

const apps: TestApp[] = [];
afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()));
});

async function withKeys(...keys: PrivateJwk[]): Promise<{ api: TestApp; keysFile: string }> {
  const keysFile = join(makeFolder(), 'keys.json');
  writeFileSync(keysFile, JSON.stringify({ keys }));
  const api = await createTestApp({ keysFile });
  apps.push(api);
  return { api, keysFile };
}

const profile = async (api: TestApp, token: string) => (await api.request('GET', '/profile', token)).status;
const jwksOf = async (api: TestApp) =>
  (await api.request('GET', '/.well-known/jwks.json').expect(200)).body as { keys: PrivateJwk[] };

describe.each(SIGNING_ALGORITHMS)('keys for %s', (alg) => {
  it('sign and verify both kinds of token over HTTP', async () => {
    const keys = [generateKey('access', alg), generateKey('refresh', alg)];
    const { api } = await withKeys(...keys);
    const login = await api.login();
    expect([headerOf(login.access), headerOf(login.refresh)]).toMatchObject([
      { alg, kid: keys[0]?.kid, typ: 'at+jwt' },
      { alg, kid: keys[1]?.kid, typ: 'rt+jwt' },
    ]);
    expect(await profile(api, login.access)).toBe(200);
    await login.rotate();
    expect(await profile(api, login.access)).toBe(200);
    expect(await profile(api, login.refresh)).toBe(401);
    const shown = await jwksOf(api);
    expect(shown.keys.map(({ kid }) => kid)).toEqual(alg === 'HS256' ? [] : [keys[0]?.kid]);
  });
});

describe('keys of several algorithms in one ring', () => {
  it('each verify only signatures of their own algorithm, and no HMAC made with a public key', async () => {
    const rs = generateKey('access', 'RS256');
    const { api } = await withKeys(
      rs,
      generateKey('access', 'HS256'),
      generateKey('access', 'ES256'),
      generateKey('refresh', 'HS256'),
    );
    const genuine = (await api.login()).access;
    expect(headerOf(genuine)).toMatchObject({ alg: 'RS256', kid: rs.kid });
    const ring = api.get(KeyRing);
    const { verifyWith } = ring.signingKey('access', api.clock.now());
    const payload = genuine.split('.')[1]!;
    const secrets = [
      verifyWith.export({ type: 'spki', format: 'pem' }),
      verifyWith.export({ type: 'spki', format: 'der' }),
      JSON.stringify((await jwksOf(api)).keys[0]),
    ];
    for (const { kid } of (await jwksOf(api)).keys.concat(rs)) {
      for (const secret of secrets) {
        const header = Buffer.from(JSON.stringify({ alg: 'HS256', kid, typ: 'at+jwt' })).toString(
          'base64url',
        );
        const signature = createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url');
        expectError(
          await api.request('GET', '/profile', `${header}.${payload}.${signature}`),
          401,
          'token_invalid',
        );
      }
    }
    const [, , signature] = genuine.split('.');
    for (const change of [
      { alg: 'PS256' },
      ...ring
        .kids()
        .slice(1)
        .map((kid) => ({ kid })),
    ]) {
      const header = Buffer.from(JSON.stringify({ ...headerOf(genuine), ...change })).toString('base64url');
      expectError(
        await api.request('GET', '/profile', `${header}.${payload}.${signature}`),
        401,
        'token_invalid',
      );
    }
    expect(await profile(api, genuine)).toBe(200);
  });
});

it('a signature by the right key but with another algorithm of its family is refused', async () => {
  const keys = [generateKey('access', 'RS256'), generateKey('refresh', 'HS256')];
  const { api } = await withKeys(...keys);
  const login = await api.login();
  const again = (kind: 'access' | 'refresh', alg: Algorithm) =>
    sign(decode(login[kind]) as JwtPayload, api.get(KeyRing).signingKey(kind, api.clock.now()).signWith, {
      algorithm: alg,
      header: { ...headerOf(login[kind]), alg },
    });
  for (const alg of ['RS384', 'RS512', 'PS256', 'PS384'] as const)
    expectError(await api.request('GET', '/profile', again('access', alg)), 401, 'token_invalid');
  for (const alg of ['HS384', 'HS512'] as const)
    expectError(await api.request('POST', '/auth/refresh', again('refresh', alg)), 401, 'token_invalid');
  // By its own, the same way of signing is good.
  expect(await profile(api, again('access', 'RS256'))).toBe(200);
  await login.tryRefresh(again('refresh', 'HS256')).expect(200);
});

describe('a key rotation', () => {
  it('of both keys, three times, does not log users out', async () => {
    let set = generateKeySet();
    const { api, keysFile } = await withKeys(...set.keys);
    const { clock } = api;
    const ttl = { access: 15 * 60_000, refresh: 14 * 86_400_000 };
    const login = await api.login();
    const idle = await login.user.login();
    const kids = new Set<unknown>();
    for (let round = 0; round < 3; round++) {
      for (const kind of ['access', 'refresh'] as const) set = rotate(set, kind, clock.now()).set;
      ({ set } = retire(set, ttl, clock.now()));
      writeFileSync(keysFile, JSON.stringify(set));
      await api.get(KeyFileWatcher).look(keysFile);
      // Past the moment at which the new ones sign, and past the end of the old access key.
      for (const step of ['1m', '4m', '1m', '10m', '6m', '1h', '4d']) {
        const before = login.access;
        await login.rotate();
        for (const token of [before, login.access]) {
          const isOver = (decode(token) as JwtPayload).exp! * 1000 <= clock.now();
          expect([step, isOver, await profile(api, token)]).toEqual([step, isOver, isOver ? 401 : 200]);
        }
        expect(await profile(api, login.access)).toBe(200);
        kids.add(headerOf(login.access).kid).add(headerOf(login.refresh).kid);
        clock.advance(step);
      }
    }
    // Who was away for as long as a refresh token lives, but for a second, comes back all the same.
    clock.advance((decode(idle.refresh) as JwtPayload).exp! * 1000 - clock.now() - 1_000);
    await idle.rotate();
    expect(kids.size).toBe(8);
  });

  it('publishes the new key before it signs, and removes the old one at its end and not before', async () => {
    const old = generateKeySet();
    const { api, keysFile } = await withKeys(...old.keys);
    const { clock } = api;
    const write = async (set: object) => {
      writeFileSync(keysFile, JSON.stringify(set));
      await api.get(KeyFileWatcher).look(keysFile);
    };
    const ttl = { access: 15 * 60_000, refresh: 14 * 86_400_000 };
    const { set, result: next } = rotate(old, 'access', clock.now());
    const { set: retired } = retire(set, ttl, clock.now());
    await write(retired);
    expect((await jwksOf(api)).keys.map(({ kid }) => kid)).toEqual([old.keys[0]?.kid, next.kid]);

    clock.advance(360_000 - 1);
    const user = await api.user();
    const before = await user.login();
    expect(headerOf(before.access).kid).toBe(old.keys[0]?.kid);
    clock.advance(1);
    const after = await user.login();
    expect(headerOf(after.access).kid).toBe(next.kid);
    expect(await profile(api, before.access)).toBe(200);
    expect(await profile(api, after.access)).toBe(200);

    // The last token of the old key: it lives its whole life, and the key a minute longer.
    clock.advance('14m 58s');
    expect(await profile(api, before.access)).toBe(200);
    clock.advance('1m 2s');
    expect((await jwksOf(api)).keys.map(({ kid }) => kid)).toEqual([next.kid]);
    await after.rotate();
    expect(await profile(api, after.access)).toBe(200);
  });

  it('refuses the tokens of a key from its end on, also those that have not expired', async () => {
    const { keys } = generateKeySet();
    const { api, keysFile } = await withKeys(...keys);
    const login = await api.login();
    const end = api.clock.now() / 1000 + 60;
    const next = { ...generateKey('access', 'ES256'), signs_from: end - 60 };
    writeFileSync(keysFile, JSON.stringify({ keys: [{ ...keys[0], verifies_until: end }, keys[1], next] }));
    await api.get(KeyFileWatcher).look(keysFile);
    api.clock.advance(59_999);
    expect(await profile(api, login.access)).toBe(200);
    api.clock.advance(1);
    expectError(await api.request('GET', '/profile', login.access), 401, 'token_invalid');
  });

  it('that is missed answers logins with 500 until a key is added; the process goes on', async () => {
    const { keys } = generateKeySet();
    const keysFile = join(makeFolder(), 'keys.json');
    const end = Math.floor(Date.now() / 1000) + 60;
    writeFileSync(keysFile, JSON.stringify({ keys: [{ ...keys[0], verifies_until: end }, keys[1]] }));
    const api = await createTestApp({ keysFile });
    apps.push(api);
    const { username, password } = await api.user();
    api.clock.advance('2m');
    const login = () => api.request('POST', '/auth/login').send({ username, password });
    expectError(await login(), 500, 'internal_error');
    writeFileSync(keysFile, JSON.stringify({ keys: [...keys, generateKey('access', 'RS256')] }));
    await api.get(KeyFileWatcher).look(keysFile);
    expect((await login()).status).toBe(200);
  });
});

const PARTNER = 'https://partner.example';

@Controller('team')
class TeamController {
  @Get('who')
  who(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @FreshAccess()
  @Get('fresh')
  fresh(): object {
    return {};
  }

  @Roles('admin')
  @Get('admin')
  admin(): object {
    return {};
  }
}

const theirs = createPrivateKey({ key: generateKey('access', 'RS256'), format: 'jwk' });
const entry = {
  ...createPublicKey(theirs).export({ format: 'jwk' }),
  kid: 'partner-1',
  alg: 'RS256',
  token_use: 'access',
  iss: PARTNER,
} as PrivateJwk;

describe('a token of another issuer', () => {
  const keys = { keys: [...generateKeySet().keys, entry] };
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ controllers: [TeamController], auth: { keys } });
  });
  afterAll(() => api.close());

  /** As most providers write it: none of our claims, and the plain `typ`. */
  function theirToken(claims: object = {}, typ = 'JWT'): string {
    const iat = api.clock.now() / 1000;
    const all = { iss: PARTNER, aud: 'freshgate', sub: 'them', iat, exp: iat + 60, ...claims };
    return new JwtService().sign(
      Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)),
      { privateKey: theirs, algorithm: 'RS256', header: { alg: 'RS256', kid: 'partner-1', typ } },
    );
  }

  it('opens ordinary routes, for a user of that issuer', async () => {
    const { body } = await api.request('GET', '/team/who', theirToken()).expect(200);
    expect(body).toEqual({
      userId: `${PARTNER}#them`,
      sessionId: `${PARTNER}#`,
      tokenId: '',
      acr: 'pwd',
      amr: [],
      fresh: false,
      authTime: api.clock.now() / 1000,
      roles: [],
    });
  });

  it('is never one of our users, roles or sessions, even if its claims say so', async () => {
    const login = await api.login();
    const { body } = await api.request('GET', '/auth/sessions', login.access).expect(200);
    const [session] = body as { id: string }[];
    const claims = { sub: login.user.id, sid: session!.id, fresh: true, roles: ['admin'], type: 'access' };
    const posing = theirToken({ ...claims, auth_time: api.clock.now() / 1000, amr: ['pwd'] }, 'at+jwt');
    expectChallenge(await api.request('GET', '/team/fresh', posing), { maxAge: '15m' });
    expectError(await api.request('GET', '/team/admin', posing), 403, 'insufficient_role');
    expectError(await api.request('GET', '/profile', posing), 401, 'token_revoked');
    expect((await api.request('GET', '/auth/sessions', posing).expect(200)).body).toEqual([]);
    await api.request('POST', '/auth/logout-all', posing).expect(204);
    await api.request('POST', '/auth/logout', posing).expect(204);
    await api.request('GET', '/profile', login.access).expect(200);
    expectError(await api.request('POST', '/auth/refresh', posing), 401, 'token_wrong_type');
  });

  it.each([
    ['our issuer', { iss: 'freshgate' }],
    ['a third issuer', { iss: 'https://third.example' }],
    ['another audience', { aud: 'their-app' }],
    ['no audience', { aud: undefined }],
    ['no subject', { sub: undefined }],
    ['no end', { exp: undefined }],
    ['a beginning in the future', { nbf: 4_000_000_000 }],
  ])('is refused with %s', async (_, claims) => {
    expectError(await api.request('GET', '/team/who', theirToken(claims)), 401, 'token_invalid');
  });

  it('is refused once it has expired, and as another kind of token', async () => {
    const token = theirToken();
    expectError(await api.request('GET', '/team/who', theirToken({}, 'rt+jwt')), 401, 'token_invalid');
    api.clock.advance('1m');
    expectError(await api.request('GET', '/team/who', token), 401, 'token_expired');
  });

  it('speaks for our users where the application says so', async () => {
    class TrustingSubjects extends SubjectMapper {
      override toUserId(claims: TokenClaims): string {
        return claims.sub;
      }
    }
    const trusting = await createTestApp({
      clock: api.clock,
      auth: { keys, providers: [{ provide: SubjectMapper, useClass: TrustingSubjects }] },
    });
    try {
      const { id, username } = await trusting.user();
      const { body } = await trusting.request('GET', '/profile', theirToken({ sub: id })).expect(200);
      expect(body).toMatchObject({ id, username, fresh: false });
    } finally {
      await trusting.close();
    }
  });
});
