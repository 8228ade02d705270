import { Controller, Get } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  CurrentUser,
  FreshAccess,
  type Principal,
  Roles,
  SubjectMapper,
  type TokenClaims,
} from '../../src/auth/index.js';
import { generateKey, generateKeySet } from '../../src/keys/key-file.js';
import { type PrivateJwk } from '../../src/keys/key-ring.js';
import { expectChallenge } from '../../src/testing/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';

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
