import { Controller, Get, Injectable, Post } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { decode, type JwtPayload } from 'jsonwebtoken';
import {
  AccountAdmin,
  CurrentToken,
  CurrentUser,
  type Principal,
  RevocationCheck,
  Roles,
  type TokenClaims,
  TokenRule,
  type ErrorCode,
} from '../../src/auth/index.js';
import { RevocationFeed } from '../../src/auth/internals.js';
import { generateKeySet } from '../../src/keys/key-file.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import { VerifiedTokens } from '../../src/tokens/verified-tokens.js';
import {
  createTestApp,
  type TestApp,
  type TestAppOptions,
  type TestLogin,
} from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { forge } from '../support/token-kinds.js';
import { OnceController } from '../support/once.controller.js';

@Controller('team')
class TeamController {
  @Get()
  who(@CurrentUser() user: Principal, @CurrentToken() token: TokenClaims): object {
    return { user, token };
  }

  @Roles('admin')
  @Get('admin')
  admin(): object {
    return {};
  }

  /** What a careless handler does. */
  @Post('careless')
  careless(@CurrentUser() user: Principal, @CurrentToken() token: TokenClaims): object {
    const attempts = [
      () => void (token.sub = 'another'),
      () => void ((token['roles'] as string[]) = ['admin']),
      () => void (token['amr'] as string[]).push('mfa'),
      () => void (user.roles as string[]).push('admin'),
      () => void (user.userId = 'another'),
    ];
    return attempts.map((attempt) => {
      try {
        attempt();
        return 'done';
      } catch {
        return 'refused';
      }
    });
  }
}

/** A rule of the team's own, which can change its mind. */
const verdict = { accepts: true, revoked: false };

@Injectable()
class Moody extends TokenRule {
  override async accepts(): Promise<boolean> {
    return verdict.accepts;
  }
}

@Injectable()
class Listed extends RevocationCheck {
  override async isRevoked(): Promise<boolean> {
    return verdict.revoked;
  }
}

const AUTH: TestAppOptions['auth'] = {
  providers: [
    { provide: TokenRule, useClass: Moody },
    { provide: RevocationCheck, useClass: Listed },
  ],
};

/** Events after which a token is refused, with the status and code. */
const ENDS: Record<
  string,
  [status: number, code: ErrorCode, (api: TestApp, login: TestLogin) => Promise<unknown>]
> = {
  'its expiry': [401, 'token_expired', async (api) => api.clock.advance('15m')],
  logout: [
    401,
    'token_revoked',
    (api, { refresh }) => api.request('POST', '/auth/logout', refresh).expect(204),
  ],
  'logout everywhere': [
    401,
    'token_revoked',
    async (api, { user }) => {
      const other = await user.login();
      await api.request('POST', '/auth/logout-all', other.access).expect(204);
    },
  ],
  'the end of its session by another': [
    401,
    'token_revoked',
    async (api, { user, access }) => {
      const other = await user.login();
      const { sid } = decode(access) as JwtPayload;
      await api.request('DELETE', `/auth/sessions/${sid}`, other.access).expect(204);
    },
  ],
  'a new password': [
    401,
    'token_revoked',
    async (api, { user }) => {
      const other = await user.login();
      const change = { current_password: user.password, new_password: 'another-corgi' };
      await api.request('PUT', '/auth/password', other.access).send(change).expect(200);
    },
  ],
  'the reuse of a refresh token': [
    401,
    'token_revoked',
    async (_, login) => {
      const first = login.refresh;
      await login.rotate('a');
      await login.rotate('b');
      expectError(await login.tryRefresh(first), 401, 'refresh_token_reused');
    },
  ],
  'the end of its account': [
    401,
    'token_revoked',
    (api, { access }) => api.request('DELETE', '/profile', access).expect(204),
  ],
  'a disabled account': [
    401,
    'token_revoked',
    (api, { user }) => api.get(AccountAdmin).disable(user.username),
  ],
  'the end of its key': [
    401,
    'token_invalid',
    async (api) => api.get(KeyRing).replace(generateKeySet(), api.clock.now()),
  ],
  'another key of the same name': [
    401,
    'token_invalid',
    async (api, { access }) => {
      const { header } = decode(access, { complete: true }) as { header: { kid: string } };
      const [other, refresh] = generateKeySet().keys;
      api.get(KeyRing).replace({ keys: [{ ...other!, kid: header.kid }, refresh!] }, api.clock.now());
    },
  ],
  'a clock before its time': [401, 'token_invalid', async (api) => api.clock.advance(-2000)],
  'the team’s check': [401, 'token_invalid', async () => void (verdict.accepts = false)],
  'the team’s list of revoked tokens': [401, 'token_revoked', async () => void (verdict.revoked = true)],
  'the silence of the feed': [
    503,
    'revocation_feed_lost',
    async (api) => void jest.spyOn(api.get(RevocationFeed), 'staleness').mockReturnValue(60_001),
  ],
};

describe('a token that has been let in before', () => {
  const keys = generateKeySet();
  let api: TestApp;
  let own: TestApp | undefined;
  afterEach(async () => {
    Object.assign(verdict, { accepts: true, revoked: false });
    await own?.close();
    own = undefined;
  });
  const create = (options: TestAppOptions = {}) =>
    createTestApp({
      auth: { ...AUTH, keys, tokens: { notBefore: true } },
      controllers: [TeamController, OnceController],
      ...options,
    });
  const start = async (options?: TestAppOptions) => {
    api = own = await create(options);
  };
  const show = (token: string, path = '/team') => api.request('GET', path, token);

  describe.each([{ warm: false }, { warm: true }])('(%j)', ({ warm }) => {
    beforeAll(async () => {
      api = await create();
    });
    afterEach(() => {
      jest.restoreAllMocks();
      api.get(KeyRing).replace(keys, api.clock.now());
    });
    afterAll(() => api.close());

    it.each(Object.entries(ENDS))('is refused after %s', async (_, [status, code, end]) => {
      const login = await api.login();
      if (warm) for (let i = 0; i < 3; i++) await show(login.access).expect(200);
      const token = login.access;
      await end(api, login);
      for (let i = 0; i < 2; i++) expectError(await show(token), status, code);
    });
  });

  it('is verified once, and is not confused with another', async () => {
    await start();
    const [one, other] = [await api.login(), await api.login()];
    for (let i = 0; i < 3; i++) {
      for (const { access, user } of [one, other]) {
        const { body } = await show(access).expect(200);
        expect(body).toMatchObject({ user: { userId: user.id }, token: decode(access) });
      }
    }
    expect(api.get(VerifiedTokens).size).toBe(2);
    const [head, , signature] = one.access.split('.');
    const swapped = [head, other.access.split('.')[1], signature].join('.');
    expectError(await show(swapped), 401, 'token_invalid');
  });

  it('is not remembered if it was refused for any reason', async () => {
    await start();
    const { access, refresh } = await api.login();
    const now = api.clock.now() / 1000;
    verdict.accepts = false;
    await show(access).expect(401);
    verdict.accepts = true;
    for (const forged of [
      forge(api, access, { exp: now }),
      forge(api, access, { iss: 'x' }),
      `${access}x`,
      refresh,
    ]) {
      await show(forged).expect(401);
    }
    // Logout accepts expired tokens, which must not displace live ones.
    await api.request('POST', '/auth/logout', forge(api, access, { exp: now })).expect(204);
    expect(api.get(VerifiedTokens).size).toBe(0);
  });

  it('is verified again on critical routes', async () => {
    await start();
    const { access } = await api.login();
    await show(access).expect(200);
    const find = jest.spyOn(api.get(VerifiedTokens), 'find');
    await api.request('POST', '/once', access).expect(201);
    expect(find).not.toHaveBeenCalled();
    find.mockRestore();
  });

  it('stays the same, even if a handler changes its claims', async () => {
    await start();
    const { access, user } = await api.login();
    const before = (await show(access).expect(200)).body as unknown;
    const { body } = await api.request('POST', '/team/careless', access).expect(201);
    // The principal is the request's own; the roles in it, and the claims, are shared.
    expect(body).toEqual(['refused', 'refused', 'refused', 'refused', 'done']);
    expect((await show(access).expect(200)).body).toEqual(before);
    expectError(await show(access, '/team/admin'), 403, 'insufficient_role');
    expect(before).toMatchObject({ user: { userId: user.id } });
  });

  it('is found under each of its sessions’ tokens, also when a hundred are shown at once', async () => {
    await start({ auth: {} });
    const logins = await Promise.all(Array.from({ length: 10 }, () => api.login()));
    const shown = Array.from({ length: 10 }, () => logins).flat();
    const answers = await Promise.all(shown.map(({ access }) => show(access).expect(200)));
    expect(answers.map(({ body }) => (body as { user: Principal }).user.userId)).toEqual(
      shown.map(({ user }) => user.id),
    );
    expect(api.get(VerifiedTokens).size).toBe(10);
  });
});
