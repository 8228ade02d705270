import { Controller, Get } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  Access,
  AccessOrRefresh,
  AccountAdmin,
  ApiError,
  Authenticator,
  CurrentToken,
  type LoginOptions,
  Logins,
  TokenRule,
  TokenError,
} from '../../src/auth/index.js';
import { Database } from '../../src/database/index.js';
import { Purger } from '../../src/database/index.js';
import { expectChallenge } from '../../src/testing/index.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { forge, type ShownToken, showToken, TOKEN_KINDS } from '../support/token-kinds.js';

declare module '../../src/auth/index.js' {
  interface ErrorCodes {
    device_unknown: 403;
  }
}

const CALLER = { ip: '192.0.2.1', userAgent: 'passkey/1.0', requestId: null };

@Controller('shown')
class ShownController {
  @AccessOrRefresh({ locations: ['header', 'query'] })
  @Get()
  shown(
    @CurrentToken() claims: object,
    @CurrentToken('claims') same: object,
    @CurrentToken('header') header: object,
    @CurrentToken('location') location: string,
  ): object {
    return { claims, same: claims === same, header, location };
  }

  @Access({ skipRevocationCheck: true })
  @Get('skip')
  skip(): object {
    return {};
  }
}

/** `accepted`, or the code of the refusal. */
async function outcomeOf(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'accepted',
    (error: unknown) => {
      if (error instanceof TokenError) return error.code;
      throw error;
    },
  );
}

describe('the Authenticator', () => {
  let api: TestApp;
  let authenticator: Authenticator;
  beforeAll(async () => {
    api = await createTestApp({ controllers: [ShownController] });
    authenticator = api.get(Authenticator);
  });
  afterAll(() => api.close());

  type Method = 'access' | 'freshAccess' | 'refresh' | 'accessOrRefresh';
  const FORGED = {
    garbage: 'token_invalid',
    'wrong issuer': 'token_invalid',
    'wrong audience': 'token_invalid',
    'wrong key': 'token_invalid',
    'wrong typ': 'token_invalid',
    'expired access': 'token_expired',
    'expired refresh': 'token_expired',
  };
  const EXPECTED: Record<Method, Record<Exclude<ShownToken, 'none'>, string>> = {
    access: {
      ...FORGED,
      'fresh access': 'accepted',
      'stale access': 'accepted',
      refresh: 'token_wrong_type',
      'revoked access': 'token_revoked',
      'revoked refresh': 'token_wrong_type',
    },
    freshAccess: {
      ...FORGED,
      'fresh access': 'accepted',
      'stale access': 'fresh_token_required',
      refresh: 'token_wrong_type',
      'revoked access': 'token_revoked',
      'revoked refresh': 'token_wrong_type',
    },
    refresh: {
      ...FORGED,
      'fresh access': 'token_wrong_type',
      'stale access': 'token_wrong_type',
      refresh: 'accepted',
      'revoked access': 'token_wrong_type',
      'revoked refresh': 'token_revoked',
    },
    accessOrRefresh: {
      ...FORGED,
      'fresh access': 'accepted',
      'stale access': 'accepted',
      refresh: 'accepted',
      'revoked access': 'token_revoked',
      'revoked refresh': 'token_revoked',
    },
  };

  const SHOWN = TOKEN_KINDS.filter((kind) => kind !== 'none');

  it.each(SHOWN)('says of %s what the guards say', async (shown) => {
    for (const method of ['access', 'freshAccess', 'refresh', 'accessOrRefresh'] as const) {
      const token = (await showToken(api, shown, method === 'refresh' ? 'refresh' : 'access')) ?? '';
      const outcome = await outcomeOf(authenticator[method](token));
      expect({ method, outcome }).toEqual({ method, outcome: EXPECTED[method][shown] });
    }
  });

  it('returns who shows the token, and what it says', async () => {
    const { user, access, refresh } = await api.login();
    const { principal, claims } = await authenticator.access(access);
    expect(principal).toMatchObject({ userId: user.id, fresh: true, sessionId: claims.sid });
    expect(claims).toEqual(claimsOf(access));
    expect(await authenticator.accessOrRefresh(refresh)).toMatchObject({
      principal: { userId: user.id, fresh: false, authTime: null },
      claims: { type: 'refresh', gen: 0 },
    });
  });

  it('takes the age of a password proof, and says which one it wants', async () => {
    const { access } = await api.login();
    api.clock.advance('1m');
    expect(await outcomeOf(authenticator.freshAccess(access, { maxAge: '1m' }))).toBe('accepted');
    api.clock.advance('1s');
    const refused = authenticator.freshAccess(access, { maxAge: '1m' });
    await expect(refused).rejects.toMatchObject({ code: 'fresh_token_required', maxAge: 60_000 });
    expect(await outcomeOf(authenticator.freshAccess(access))).toBe('accepted');
  });

  it.each(['0s', 'soon', '-1m', ''])('takes no age of %p, as @FreshAccess', async (maxAge) => {
    const { access } = await api.login();
    await expect(authenticator.freshAccess(access, { maxAge })).rejects.toThrow(RangeError);
  });

  it('refuses a refresh token of a generation that is over', async () => {
    const login = await api.login();
    const first = login.refresh;
    await login.rotate();
    expect(await outcomeOf(authenticator.refresh(first))).toBe('token_revoked');
    expect(await outcomeOf(authenticator.refresh(login.refresh))).toBe('accepted');
  });

  it('skips the revocation where it is told to, as a route does, and nothing else', async () => {
    const { access } = await api.login();
    await api.request('POST', '/auth/logout', access).expect(204);
    const skip = { skipRevocationCheck: true };
    expect(await outcomeOf(authenticator.access(access, skip))).toBe('accepted');
    await api.request('GET', '/shown/skip', access).expect(200);
    expectError(await api.request('GET', '/shown', access), 401, 'token_revoked');
    api.clock.advance('15m');
    expect(await outcomeOf(authenticator.access(access, skip))).toBe('token_expired');
    const { refresh } = await api.login();
    expect(await outcomeOf(authenticator.access(refresh, skip))).toBe('token_wrong_type');
  });
});

describe('Authenticator, of a token in hand', () => {
  let api: TestApp;
  let tokens: Authenticator;
  beforeAll(async () => {
    api = await createTestApp();
    tokens = api.get(Authenticator);
  });
  afterAll(() => api.close());

  const GOOD = { verify: 'ours', inspect: 'active' };
  const INVALID = { verify: 'token_invalid', inspect: 'token_invalid', claims: false };
  const EXPIRED = { verify: 'token_expired', inspect: 'token_expired', claims: true };
  const REVOKED = { verify: 'ours', inspect: 'token_revoked', claims: true };
  const EXPECTED: Record<
    Exclude<ShownToken, 'none'>,
    { verify: string; inspect: string; claims?: boolean }
  > = {
    garbage: INVALID,
    'expired access': EXPIRED,
    'expired refresh': EXPIRED,
    'fresh access': GOOD,
    'stale access': GOOD,
    refresh: GOOD,
    'wrong issuer': INVALID,
    'wrong audience': INVALID,
    'wrong key': INVALID,
    'wrong typ': INVALID,
    'revoked access': REVOKED,
    'revoked refresh': REVOKED,
  };

  it.each(Object.entries(EXPECTED))('decode, verify and inspect %s', async (shown, expected) => {
    for (const wanted of ['access', 'refresh'] as const) {
      const token = (await showToken(api, shown as ShownToken, wanted)) ?? '';
      const decoded = tokens.decode(token);
      expect(decoded?.claims).toEqual(shown === 'garbage' ? undefined : claimsOf(token));
      if (shown !== 'garbage') expect(decoded?.header).toMatchObject({ alg: expect.any(String) });

      const verify = async () => tokens.verify(token);
      expect(await outcomeOf(verify())).toBe(expected.verify === 'ours' ? 'accepted' : expected.verify);
      if (expected.verify === 'ours') expect(tokens.verify(token)).toEqual(claimsOf(token));
      if (expected.verify === 'token_expired') {
        expect(tokens.verify(token, { allowExpired: true })).toEqual(claimsOf(token));
      }

      const inspection = await tokens.inspect(token);
      if (expected.inspect === 'active') {
        const principal = expect.objectContaining({
          sessionId: claimsOf(token).sid,
          userId: claimsOf(token).sub,
        });
        expect(inspection).toEqual({ active: true, claims: claimsOf(token), principal });
      } else {
        const claims = expected.claims ? claimsOf(token) : null;
        expect(inspection).toEqual({ active: false, errorCode: expected.inspect, claims });
      }
    }
  });

  const encode = (value: unknown) => Buffer.from(String(value)).toString('base64url');
  it.each([
    '',
    ' ',
    '..',
    'a.b',
    'a.b.c.d',
    `${encode('{"typ":"JWT","alg":"none"}')}.${encode('no JSON')}.`,
    `${encode('{"typ":"JWT","alg":"HS256"}')}.${encode('{')}.x`,
    `${encode('{"alg":"HS256"}')}.${encode('null')}.x`,
    `${encode('null')}.${encode('{}')}.x`,
    `${encode('no JSON')}.${encode('{}')}.x`,
    'ä.ö.ü',
    'x'.repeat(100_000),
  ])('what is no JWT is null, and inactive: %#', async (text) => {
    expect(tokens.decode(text)).toBeNull();
    expect(() => tokens.verify(text)).toThrow(TokenError);
    expect(await tokens.inspect(text)).toEqual({
      active: false,
      errorCode: 'token_invalid',
      claims: null,
    });
  });

  it('decode a stranger’s token: nothing is checked', () => {
    const theirs = `${encode('{"alg":"none","typ":"JWT"}')}.${encode('{"sub":"somebody"}')}.`;
    expect(tokens.decode(theirs)).toEqual({
      header: { alg: 'none', typ: 'JWT' },
      claims: { sub: 'somebody' },
    });
  });
});

describe('Logins.open', () => {
  let api: TestApp;
  let logins: Logins;
  beforeAll(async () => {
    api = await createTestApp({ controllers: [ShownController] });
    logins = api.get(Logins);
  });
  afterAll(() => api.close());

  const rows = async (userId: string) =>
    api.get(Database).selectFrom('sessions').selectAll().where('user_id', '=', userId).execute();
  const events = async (userId: string) => {
    const all = api.get(Database).selectFrom('audit_events').select('event');
    return (await all.where('subject_id', '=', userId).execute()).map(({ event }) => event);
  };

  it('gives a fresh pair in a session like any other', async () => {
    const { id } = await api.user();
    const pair = await logins.open(id, CALLER, { amr: ['hwk', 'user'] });
    expect(pair).toMatchObject({ token_type: 'Bearer', expires_in: 900, refresh_expires_in: 1_209_600 });
    const claims = claimsOf(pair.access_token);
    expect(claims).toMatchObject({ sub: id, sid: pair.sessionId, fresh: true, amr: ['hwk', 'user'] });
    const { body } = await api.request('GET', '/auth/sessions', pair.access_token).expect(200);
    expect(body).toEqual([
      expect.objectContaining({
        id: pair.sessionId,
        ip: CALLER.ip,
        user_agent: CALLER.userAgent,
        current: true,
      }),
    ]);
    const refreshed = await api.request('POST', '/auth/refresh', pair.refresh_token).expect(200);
    const next = claimsOf((refreshed.body as { access_token: string }).access_token);
    expect(next).toMatchObject({ fresh: false, amr: ['hwk', 'user'] });
    await api.request('DELETE', '/profile', pair.access_token).expect(204);
  });

  it('says pwd where nobody says how the user was authenticated', async () => {
    const { id } = await api.user();
    expect(claimsOf((await logins.open(id, CALLER)).access_token)).toMatchObject({ amr: ['pwd'] });
  });

  it.each([[[]], [['']], [['two words']], [['pwd', '']]])(
    'takes no amr %j: the token would be refused',
    async (amr) => {
      const { id } = await api.user();
      await expect(logins.open(id, CALLER, { amr })).rejects.toThrow(RangeError);
      expect(await rows(id)).toEqual([]);
    },
  );

  it('remembers nobody: a session of its own length, which no refresh moves', async () => {
    const { id } = await api.user();
    const pair = await logins.open(id, CALLER, { sessionTtl: '20m' });
    expect(pair).toMatchObject({ expires_in: 900, refresh_expires_in: 1200 });
    api.clock.advance('10m');
    const { body } = await api.request('POST', '/auth/refresh', pair.refresh_token).expect(200);
    expect(body).toMatchObject({ expires_in: 600, refresh_expires_in: 600 });
    api.clock.advance('10m');
    const { refresh_token } = body as { refresh_token: string };
    expectError(await api.request('POST', '/auth/refresh', refresh_token), 401, 'token_expired');
  });

  it('remembers me: a session longer than the others, refreshed in time', async () => {
    const { id } = await api.user();
    const { sessionId, refresh_expires_in } = await logins.open(id, CALLER, { sessionTtl: '52w' });
    expect(refresh_expires_in).toBe(1_209_600);
    const [row] = await rows(id);
    expect(row).toMatchObject({ id: sessionId, expires_at: api.clock.now() + 52 * 7 * 86_400_000 });
  });

  it('gives the first access token a life of its own, and logout ends it for all of it', async () => {
    const { id } = await api.user();
    const pair = await logins.open(id, CALLER, { accessTtl: '2h' });
    expect(pair.expires_in).toBe(7200);
    const [row] = await rows(id);
    expect(row?.access_until).toBe(claimsOf(pair.access_token).exp! * 1000);
    await api.request('POST', '/auth/logout', pair.access_token).expect(204);
    api.clock.advance('1h 59m');
    await api.get(Purger).run();
    expectError(await api.request('GET', '/profile', pair.access_token), 401, 'token_revoked');
    api.clock.advance('1m');
    expectError(await api.request('GET', '/profile', pair.access_token), 401, 'token_expired');
  });

  it('cuts the access token at the session’s end', async () => {
    const { id } = await api.user();
    const pair = await logins.open(id, CALLER, { accessTtl: '2h', sessionTtl: '1h' });
    expect(pair).toMatchObject({ expires_in: 3600, refresh_expires_in: 3600 });
  });

  it('is stale after a while like any other login', async () => {
    const { id } = await api.user();
    const { access_token } = await logins.open(id, CALLER, { accessTtl: '1h' });
    api.clock.advance('15m 1s');
    expectChallenge(await api.request('DELETE', '/profile', access_token), { maxAge: '15m' });
  });

  it.each([
    0,
    -1,
    999,
    1500.5,
    Number.NaN,
    Infinity,
    1e30,
    Number.MAX_SAFE_INTEGER,
    '0s',
    '-5m',
    'soon',
    '',
    '101w',
  ])('takes no lifetime of %p, and writes nothing', async (lifetime) => {
    const { id } = await api.user();
    const before = await events(id);
    for (const options of [{ accessTtl: lifetime }, { sessionTtl: lifetime }] satisfies LoginOptions[]) {
      await expect(logins.open(id, CALLER, options)).rejects.toThrow(RangeError);
    }
    expect(await rows(id)).toEqual([]);
    expect(await events(id)).toEqual(before);
  });

  it('refuses claims that tokens have anyway, and writes nothing', async () => {
    const { id } = await api.user();
    const refused = logins.open(id, CALLER, { claims: { fresh: true } });
    await expect(refused).rejects.toThrow('the claim "fresh" is reserved');
    expect(await rows(id)).toEqual([]);
  });

  it('refuses who is unknown, deleted or disabled, and writes nothing', async () => {
    expect(await outcomeOf(logins.open(randomUUID(), CALLER))).toBe('token_revoked');
    expect(await outcomeOf(logins.open('\0', CALLER))).toBe('token_revoked');
    const { id, username } = await api.user();
    await api.get(AccountAdmin).disable(username);
    expect(await outcomeOf(logins.open(id, CALLER))).toBe('token_revoked');
    expect(await rows(id)).toEqual([]);
    await api.get(AccountAdmin).enable(username);
    expect(await outcomeOf(logins.open(id, CALLER))).toBe('accepted');
  });
});

describe('Logins.accessToken', () => {
  let api: TestApp;
  let logins: Logins;
  beforeAll(async () => {
    api = await createTestApp({ controllers: [ShownController] });
    logins = api.get(Logins);
  });
  afterAll(() => api.close());

  const rowOf = async (sid: string) =>
    api.get(Database).selectFrom('sessions').selectAll().where('id', '=', sid).executeTakeFirstOrThrow();

  it('gives another token in the session, never fresh, with claims of its own', async () => {
    const { access, user } = await api.login();
    const { sid } = claimsOf(access);
    const issued = await logins.accessToken(sid, { claims: { file: 7 }, headers: { use: 'download' } });
    expect(issued).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 900 });
    expect(claimsOf(issued.access_token)).toMatchObject({ sub: user.id, sid, fresh: false, file: 7 });
    await api.request('GET', '/profile', issued.access_token).expect(200);
    expectChallenge(await api.request('DELETE', '/profile', issued.access_token), { maxAge: '15m' });
    // The others live on.
    await api.request('GET', '/profile', access).expect(200);
  });

  it('has a life of its own, and logout ends it for all of it', async () => {
    const { access } = await api.login();
    const { sid } = claimsOf(access);
    const { access_token } = await logins.accessToken(sid, { ttl: '3h' });
    expect((await rowOf(sid)).access_until).toBe(claimsOf(access_token).exp! * 1000);
    // A shorter one after it does not shorten the memory.
    expect((await logins.accessToken(sid, { ttl: '1m' })).expires_in).toBe(60);
    expect((await rowOf(sid)).access_until).toBe(claimsOf(access_token).exp! * 1000);
    await api.request('POST', '/auth/logout', access).expect(204);
    api.clock.advance('2h 59m');
    await api.get(Purger).run();
    expectError(await api.request('GET', '/profile', access_token), 401, 'token_revoked');
    api.clock.advance('1m');
    expectError(await api.request('GET', '/profile', access_token), 401, 'token_expired');
  });

  it('never outlives its session', async () => {
    const { id } = await api.user();
    const { sessionId } = await logins.open(id, CALLER, { sessionTtl: '10m' });
    expect((await logins.accessToken(sessionId)).expires_in).toBe(600);
    expect((await logins.accessToken(sessionId, { ttl: '1h' })).expires_in).toBe(600);
  });

  it.each([0, -1, 999, Number.NaN, Infinity, 1e30, '0s', 'soon'])('takes no lifetime of %p', async (ttl) => {
    const { access } = await api.login();
    const { sid } = claimsOf(access);
    const before = await rowOf(sid);
    await expect(logins.accessToken(sid, { ttl })).rejects.toThrow(RangeError);
    expect(await rowOf(sid)).toEqual(before);
  });

  it('refuses a session that has ended, has expired or never was, and a disabled user', async () => {
    const ended = await api.login();
    await api.request('POST', '/auth/logout', ended.access).expect(204);
    expect(await outcomeOf(logins.accessToken(claimsOf(ended.access).sid))).toBe('token_revoked');
    expect(await outcomeOf(logins.accessToken(randomUUID()))).toBe('token_revoked');
    const { id, username } = await api.user();
    const { sessionId } = await logins.open(id, CALLER, { sessionTtl: '10m' });
    api.clock.advance('10m');
    expect(await outcomeOf(logins.accessToken(sessionId))).toBe('token_revoked');
    const other = await logins.open(id, CALLER);
    await api.get(AccountAdmin).disable(username);
    expect(await outcomeOf(logins.accessToken(other.sessionId))).toBe('token_revoked');
  });
});

describe('@CurrentToken', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ controllers: [ShownController] });
  });
  afterAll(() => api.close());

  it('gives the claims, the header, and where the token was found', async () => {
    const { access, refresh } = await api.login();
    const shown = async (path: string, token?: string) =>
      (await api.request('GET', path, token).expect(200)).body as object;
    for (const token of [access, refresh]) {
      const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as object;
      const found = { claims: claimsOf(token), same: true, header };
      expect(await shown('/shown', token)).toEqual({ ...found, location: 'header' });
    }
    expect(await shown(`/shown?access_token=${access}`)).toMatchObject({ location: 'query' });
    expect(await shown(`/shown?refresh_token=${refresh}`)).toMatchObject({
      location: 'query',
      claims: { type: 'refresh' },
    });
  });
});

describe('Tokens.inspect beside a TokenCheck of the team', () => {
  it('tells a refusal that has no code of a token as what it is', async () => {
    class Devices extends TokenRule {
      override accepts(): boolean {
        throw new ApiError(403, 'device_unknown', 'This device is not known');
      }
    }
    const api = await createTestApp({ auth: { providers: [{ provide: TokenRule, useClass: Devices }] } });
    try {
      const { access } = await api.login();
      expect(await api.get(Authenticator).inspect(access)).toMatchObject({
        active: false,
        errorCode: 'device_unknown',
      });
      expect(await api.get(Authenticator).inspect(forge(api, access, { exp: 1 }))).toMatchObject({
        active: false,
      });
    } finally {
      await api.close();
    }
  });
});
