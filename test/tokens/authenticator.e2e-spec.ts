import { Controller, Get } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Access,
  AccessOrRefresh,
  ApiError,
  Authenticator,
  CurrentToken,
  TokenRule,
  TokenError,
} from '../../src/auth/index.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { outcomeOf } from '../support/outcome-of.js';
import { forge, type ShownToken, showToken, TOKEN_KINDS } from '../support/token-kinds.js';

declare module '../../src/auth/index.js' {
  interface ErrorCodes {
    device_unknown: 403;
  }
}

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

  it.each(SHOWN)('answers for %s as the guards do', async (shown) => {
    for (const method of ['access', 'freshAccess', 'refresh', 'accessOrRefresh'] as const) {
      const token = (await showToken(api, shown, method === 'refresh' ? 'refresh' : 'access')) ?? '';
      const outcome = await outcomeOf(authenticator[method](token));
      expect({ method, outcome }).toEqual({ method, outcome: EXPECTED[method][shown] });
    }
  });

  it('returns the user and the claims of the token', async () => {
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
    await expect(refused).rejects.toMatchObject({
      code: 'fresh_token_required',
      required: { maxAge: 60_000 },
    });
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

  it('skips only the revocation check with `skipRevocationCheck`', async () => {
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
  ])('text that is no JWT decodes to null and is inactive: %#', async (text) => {
    expect(tokens.decode(text)).toBeNull();
    expect(() => tokens.verify(text)).toThrow(TokenError);
    expect(await tokens.inspect(text)).toEqual({
      active: false,
      errorCode: 'token_invalid',
      claims: null,
    });
  });

  it('decode a token of another issuer: nothing is checked', () => {
    const theirs = `${encode('{"alg":"none","typ":"JWT"}')}.${encode('{"sub":"somebody"}')}.`;
    expect(tokens.decode(theirs)).toEqual({
      header: { alg: 'none', typ: 'JWT' },
      claims: { sub: 'somebody' },
    });
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

describe('Authenticator.inspect with a TokenRule of the team', () => {
  it('returns the code of a refusal that is not a TokenError', async () => {
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
