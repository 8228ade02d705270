import { Controller, Get, Post } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decode } from 'jsonwebtoken';
import {
  AccessOrRefresh,
  AccountAdmin,
  CurrentUser,
  FreshAccess,
  OptionalAccess,
  type Principal,
  Public,
  Refresh,
  Roles,
} from '../../src/auth/index.js';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import { expectChallenge, parseChallenge } from '../../src/testing/index.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { forge } from '../support/token-kinds.js';

@Roles('admin')
@Controller('vault')
class VaultController {
  @Get()
  open(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @FreshAccess({ once: true })
  @Post()
  empty(): object {
    return {};
  }

  @Roles('auditor', 'ops:read')
  @Get('log')
  log(): object {
    return {};
  }
}

@Controller('whoami')
class WhoAmIController {
  @AccessOrRefresh()
  @Get()
  show(@CurrentUser() user: Principal): Principal {
    return user;
  }
}

const claimOf = (token: string) => (decode(token) as { roles?: string[] }).roles;

describeEachEngine('roles', (engine) => {
  let api: TestApp;
  let admin: AccountAdmin;
  beforeAll(async () => {
    api = await createTestApp({
      engine,
      env: { OPENAPI: 'on' },
      controllers: [VaultController, WhoAmIController],
    });
    admin = api.get(AccountAdmin);
  });
  afterAll(() => api.close());

  const enter = (login: TestLogin, path = '/vault') => api.request('GET', path, login.access);
  const expectRefused = async (login: TestLogin, path?: string) => {
    const response = await enter(login, path);
    expectError(response, 403, 'insufficient_role');
    expect(parseChallenge(response)).toEqual({
      error: 'insufficient_scope',
      error_description: 'The token has none of the roles that this needs',
    });
  };

  it('are in the next access token after they were granted, and open the route', async () => {
    const login = await api.login();
    await expectRefused(login);
    expect('roles' in (decode(login.access) as object)).toBe(false);
    await admin.grant(login.user.username, 'admin');
    await expectRefused(login);
    await login.rotate();
    expect(claimOf(login.access)).toEqual(['admin']);
    expect((await enter(login).expect(200)).body).toMatchObject({ roles: ['admin'], fresh: false });
  });

  it('are read at login, refresh, reauthentication and password change, and are never in a refresh token', async () => {
    const { user } = await api.login();
    await admin.grant(user.username, 'admin');
    const login = await user.login();
    expect(claimOf(login.access)).toEqual(['admin']);
    await admin.grant(user.username, 'auditor');
    await login.reauthenticate();
    expect(claimOf(login.access)).toEqual(['admin', 'auditor']);
    await admin.grant(user.username, 'ops:read');
    const { body } = await api
      .request('PUT', '/auth/password', login.access)
      .send({ current_password: user.password, new_password: 'lunar-dachshund' })
      .expect(200);
    const pair = body as TokenPairDto;
    expect(claimOf(pair.access_token)).toEqual(['admin', 'auditor', 'ops:read']);
    expect('roles' in (decode(pair.refresh_token) as object)).toBe(false);
    expect((await api.request('GET', '/whoami', pair.refresh_token)).body).toMatchObject({ roles: [] });
  });

  it('revoke every session when a role is taken away, and are absent after the next login', async () => {
    const { user } = await api.login();
    await admin.grant(user.username, 'admin');
    const [login, other] = [await user.login(), await user.login()];
    await enter(login).expect(200);
    await admin.revoke(user.username, 'admin');
    for (const each of [login, other]) {
      expectError(await enter(each), 401, 'token_revoked');
      expectError(await each.tryRefresh(each.refresh), 401, 'token_revoked');
    }
    await expectRefused(await user.login());
  });

  it('open nothing after a role was taken away, also with a refresh at the same moment', async () => {
    const { user } = await api.login();
    await admin.grant(user.username, 'admin');
    const logins = await Promise.all(Array.from({ length: 8 }, () => user.login()));
    const [answers] = await Promise.all([
      Promise.all(logins.map(async (login) => login.tryRefresh(login.refresh))),
      admin.revoke(user.username, 'admin'),
    ]);
    const pairs = answers.filter(({ status }) => status === 200).map(({ body }) => body as TokenPairDto);
    for (const token of [...logins.map(({ access }) => access), ...pairs.map((pair) => pair.access_token)])
      expectError(await api.request('GET', '/vault', token), 401, 'token_revoked');
  });

  it('need one of those that the handler names, which override its class’s', async () => {
    const { user } = await api.login();
    await admin.grant(user.username, 'ops:read');
    const login = await user.login();
    await enter(login, '/vault/log').expect(200);
    await expectRefused(login);
  });

  it('are checked after the token: a stale one gets the step-up first, and a refusal uses up nothing', async () => {
    const { user } = await api.login();
    const login = await user.login();
    const empty = () => api.request('POST', '/vault', login.access);
    expectError(await empty(), 403, 'insufficient_role');
    await admin.grant(user.username, 'admin');
    await login.rotate();
    expectChallenge(await empty(), { maxAge: '15m' });
    await login.reauthenticate();
    await empty().expect(201);
    expectChallenge(await empty(), { maxAge: '15m' });
    expectError(await api.request('GET', '/vault'), 401, 'token_missing');
  });

  it('count only where the claim is a list of names', async () => {
    const login = await api.login();
    await api.request('GET', '/vault', forge(api, login.access, { roles: ['admin'] })).expect(200);
    for (const roles of ['admin', { admin: true }, [['admin']], null]) {
      const response = await api.request('GET', '/vault', forge(api, login.access, { roles }));
      expectError(response, 401, 'token_invalid');
    }
  });

  it('are documented', async () => {
    const { body } = await api.request('GET', '/openapi.json').expect(200);
    expect(body.paths['/vault/log'].get).toMatchObject({
      description: 'Requires an access token. The token must have the role auditor or ops:read.',
      responses: {
        '403': {
          description: expect.stringMatching(/^`insufficient_role`/),
          headers: { 'WWW-Authenticate': expect.any(Object) },
        },
      },
    });
    expect(body.paths['/profile'].get.responses['403']).toBeUndefined();
  });
});

describe('@Roles where no token gives any', () => {
  const methods = {
    public: Public(),
    refresh: Refresh(),
    'access-or-refresh': AccessOrRefresh(),
    'optional-access': OptionalAccess(),
  };

  it.each(Object.entries(methods))(
    'stops the start, and names the handler: %s',
    async (level, protection) => {
      @Roles('admin')
      @Controller('nobody')
      class NobodyController {
        @protection
        @Get()
        enters(): object {
          return {};
        }
      }
      const started = createTestApp({ controllers: [NobodyController] }).then((api) => api.close());
      await expect(started).rejects.toThrow(
        `NobodyController.enters declares @Roles(admin), but ${level} gives no roles`,
      );
    },
  );
});
