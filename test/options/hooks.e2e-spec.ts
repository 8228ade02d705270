import { Controller, Get, Injectable, Module, Post } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import jsonwebtoken from 'jsonwebtoken';
import { setImmediate as soon } from 'node:timers/promises';
import { type Response } from 'supertest';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import {
  Access,
  AccessOrRefresh,
  AccountAdmin,
  ApiError,
  Authenticator,
  type AuthModuleExtras,
  CurrentUser,
  type ErrorAnswer,
  ErrorRenderer,
  FreshAccess,
  LoadUser,
  Logins,
  OptionalAccess,
  type Principal,
  Public,
  Refresh,
  RevocationCheck,
  Roles,
  SubjectMapper,
  TokenRule,
  type TokenClaims,
  TokenError,
  TokenExtras,
  type User,
  UserLoader,
  type ErrorCode,
} from '../../src/auth/index.js';
import { Database } from '../../src/database/index.js';
import { type TokenKind } from '../../src/tokens/token-claims.js';
import { parseChallenge } from '../../src/testing/index.js';
import { claimsOf, headerOf } from '../support/claims.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { forge, forgeFreely, showToken } from '../support/token-kinds.js';

declare module '../../src/auth/index.js' {
  interface ErrorCodes {
    device_unknown: 403;
    plan_ended: 402;
  }
}

const { JsonWebTokenError, NotBeforeError, TokenExpiredError } = jsonwebtoken;
const NOBODY = { ip: null, userAgent: null, requestId: null };

/** A team's own type for its users. */
interface Account {
  name: string;
  plan: string;
}

@Controller('hooks')
class HooksController {
  @Get()
  ordinary(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @FreshAccess()
  @Get('fresh')
  fresh(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @Refresh()
  @Post('refresh')
  refresh(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @AccessOrRefresh()
  @Get('either')
  either(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @Access({ skipRevocationCheck: true })
  @Get('skip')
  skip(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @Get('account')
  account(@CurrentUser(LoadUser) account: Account, @CurrentUser(LoadUser) again: Account): object {
    return { account, same: account === again };
  }

  @OptionalAccess()
  @Get('visitor')
  visitor(@CurrentUser(LoadUser) account: Account | null): object {
    return { account };
  }

  @Public()
  @Get('public')
  public(@CurrentUser(LoadUser) account: Account | null): object {
    return { account };
  }

  @Roles('admin')
  @Get('admin')
  admin(@CurrentUser(LoadUser) account: Account): Account {
    return account;
  }
}

const start = (auth: AuthModuleExtras) => createTestApp({ auth, controllers: [HooksController] });

/** A team's service, in a module of the team's. */
@Injectable()
class Tenants {
  async of({ username }: User): Promise<string> {
    await soon();
    return `tenant of ${username}`;
  }
}

@Module({ providers: [Tenants], exports: [Tenants] })
class TenantsModule {}

@Injectable()
class TenantExtras extends TokenExtras {
  constructor(private readonly tenants: Tenants) {
    super();
  }

  override async claims(user: User, kind: TokenKind): Promise<Record<string, unknown>> {
    return { tenant: await this.tenants.of(user), for: kind, nested: { list: [1, null] } };
  }

  override async headers(user: User, kind: TokenKind): Promise<Record<string, unknown>> {
    return { tid: await this.tenants.of(user), for: kind };
  }
}

describe('TokenExtras', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await start({
      imports: [TenantsModule],
      providers: [{ provide: TokenExtras, useClass: TenantExtras }],
    });
  });
  afterAll(() => api.close());

  it('adds claims and headers to both kinds of token, by a service of an imported module', async () => {
    const login = await api.login();
    const expectExtras = () => {
      for (const [kind, token] of [
        ['access', login.access],
        ['refresh', login.refresh],
      ] as const) {
        const tenant = `tenant of ${login.user.username}`;
        expect(claimsOf(token)).toMatchObject({ tenant, for: kind, nested: { list: [1, null] }, type: kind });
        expect(headerOf(token)).toMatchObject({ tid: tenant, for: kind });
      }
    };
    expectExtras();
    await login.rotate();
    expectExtras();
    await login.reauthenticate();
    expectExtras();
    await api.request('GET', '/hooks', login.access).expect(200);
  });

  it('is overridden by the extras of a single call, for the tokens of that call only', async () => {
    const { user } = await api.login();
    const own = { claims: { tenant: 'another', extra: 1 }, headers: { tid: 'another' } };
    const pair = await api.get(Logins).open(user.id, NOBODY, own);
    for (const token of [pair.access_token, pair.refresh_token]) {
      expect(claimsOf(token)).toMatchObject({ tenant: 'another', extra: 1, nested: { list: [1, null] } });
      expect(headerOf(token)).toMatchObject({ tid: 'another' });
    }
    const { access_token } = await api
      .get(Logins)
      .accessToken(pair.sessionId, { claims: { tenant: 'third' } });
    expect(claimsOf(access_token)).toMatchObject({ tenant: 'third', for: 'access' });
    const { body } = await api.request('POST', '/auth/refresh', pair.refresh_token).expect(200);
    expect(claimsOf((body as TokenPairDto).access_token)).toMatchObject({
      tenant: `tenant of ${user.username}`,
    });
  });
});

describe('what TokenExtras must not add', () => {
  class RiggedExtras extends TokenExtras {
    extraClaims: Record<string, unknown> = {};
    extraHeaders: Record<string, unknown> = {};

    override claims(): Record<string, unknown> {
      return this.extraClaims;
    }

    override headers(): Record<string, unknown> {
      return this.extraHeaders;
    }
  }
  const extras = new RiggedExtras();
  let api: TestApp;
  let login: TestLogin;
  beforeAll(async () => {
    api = await start({ providers: [{ provide: TokenExtras, useValue: extras }] });
    login = await api.login();
  });
  afterAll(() => api.close());
  afterEach(() => {
    extras.extraClaims = {};
    extras.extraHeaders = {};
  });

  const CLAIMS = 'iss aud sub sid jti iat exp nbf type fresh auth_time acr amr roles gen'.split(' ');
  const HEADERS = 'alg kid typ cty crit b64 jku jwk x5u x5c x5t x5t#S256'.split(' ');

  /** Expects that login, refresh and a call issue no token, and that existing tokens still work. */
  async function expectRefused(own: object): Promise<void> {
    const { username, password } = login.user;
    const answer = await api.request('POST', '/auth/login').send({ username, password });
    expectError(answer, 500, 'internal_error');
    expect(JSON.stringify(answer.body)).not.toContain('access_token');
    expectError(await login.tryRefresh(login.refresh), 500, 'internal_error');
    extras.extraClaims = {};
    extras.extraHeaders = {};
    const { sid } = claimsOf(login.access) as { sid: string };
    await expect(api.get(Logins).accessToken(sid, own)).rejects.toThrow('is reserved');
    // The attempt whose answer was lost is repeated, and its tokens have the usual claims.
    const { body } = await login.tryRefresh(login.refresh).expect(200);
    const { access_token, refresh_token } = body as TokenPairDto;
    login.refresh = refresh_token;
    expect(claimsOf(access_token)).toMatchObject({ type: 'access', fresh: false, amr: ['pwd'] });
    expect(headerOf(access_token)).toMatchObject({ alg: 'ES256', typ: 'at+jwt' });
    await api.request('GET', '/hooks', access_token).expect(200);
    const sessions = await api.request('GET', '/auth/sessions', login.access).expect(200);
    expect(sessions.body).toHaveLength(1);
  }

  it.each(CLAIMS)('the claim %s', async (name) => {
    const claims = { [name]: claimsOf(login.access)[name] ?? 1 };
    extras.extraClaims = claims;
    await expectRefused({ claims });
  });

  it.each(HEADERS)('the header %s', async (name) => {
    const headers = { [name]: 'none' };
    extras.extraHeaders = headers;
    await expectRefused({ headers });
  });
});

/** Other systems know the users by another identifier; here it can be told from the id without a look-up. */
@Injectable()
class UrnSubjects extends SubjectMapper {
  override async toSubject({ id }: User): Promise<string> {
    await soon();
    return `urn:user:${id}`;
  }

  override async toUserId({ sub }: TokenClaims): Promise<string> {
    await soon();
    if (!sub.startsWith('urn:user:')) throw new TokenError('token_revoked', `nobody is known as ${sub}`);
    return sub.slice('urn:user:'.length);
  }
}

describe('Subjects', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await start({ providers: [{ provide: SubjectMapper, useClass: UrnSubjects }] });
  });
  afterAll(() => api.close());

  it('sets "sub" in tokens; the application continues to use the user id', async () => {
    const login = await api.login();
    const { id, username } = login.user;
    const expectSubject = () => {
      for (const token of [login.access, login.refresh]) expect(claimsOf(token).sub).toBe(`urn:user:${id}`);
    };
    const me = async () => (await api.request('GET', '/profile', login.access).expect(200)).body as object;

    expectSubject();
    expect(await me()).toMatchObject({ id, username });
    await login.rotate();
    expectSubject();
    expect(await me()).toMatchObject({ id });
    await login.reauthenticate();
    expectSubject();
    for (const path of ['/hooks', '/hooks/fresh', '/hooks/either']) {
      expect((await api.request('GET', path, login.access).expect(200)).body).toMatchObject({ userId: id });
    }
    const shown = await api.request('POST', '/hooks/refresh', login.refresh).expect(201);
    expect(shown.body).toMatchObject({ userId: id });

    const other = await login.user.login();
    const sessions = await api.request('GET', '/auth/sessions', login.access).expect(200);
    expect((sessions.body as { current: boolean }[]).map(({ current }) => current)).toHaveLength(2);
    const changed = await api
      .request('PUT', '/auth/password', login.access)
      .send({ current_password: login.user.password, new_password: 'lunar-dachshund' })
      .expect(200);
    const pair = changed.body as TokenPairDto;
    [login.access, login.refresh] = [pair.access_token, pair.refresh_token];
    expectSubject();
    expectError(await api.request('GET', '/hooks', other.access), 401, 'token_revoked');
    await api.request('POST', '/auth/logout', login.refresh).expect(204);
    expectError(await api.request('GET', '/hooks', login.access), 401, 'token_revoked');

    const rows = await api
      .get(Database)
      .selectFrom('audit_events')
      .select(['event', 'actor_id', 'subject_id'])
      .where('subject_id', 'like', `%${id}%`)
      .execute();
    expect([...new Set(rows.map(({ event }) => event))].toSorted()).toEqual([
      'authn_login_success',
      'authn_password_change',
      'authn_reauthentication_success',
      'session_revoked',
    ]);
    for (const { event, actor_id, subject_id } of rows) {
      expect({ event, actor_id, subject_id }).toEqual({
        event,
        actor_id: event === 'user_created' ? null : id,
        subject_id: id,
      });
    }
  });

  it('ends all sessions of the user, and deletes the account', async () => {
    const login = await api.login();
    const other = await login.user.login();
    await api.request('POST', '/auth/logout-all', other.access).expect(204);
    expectError(await api.request('GET', '/hooks', login.access), 401, 'token_revoked');
    const last = await login.user.login();
    await api.request('DELETE', '/profile', last.access).expect(204);
    expectError(await api.request('GET', '/hooks', last.access), 401, 'token_revoked');
  });

  it('refuses an unknown subject with its own error', async () => {
    const login = await api.login();
    const unknown = forge(api, login.access, { sub: login.user.id });
    expectError(await api.request('GET', '/hooks', unknown), 401, 'token_revoked');
  });

  it.each([[1234], [{ id: 1 }], [''], [null], [undefined]])(
    'that returns %j, which is no string, prevents the token',
    async (subject) => {
      class OddSubjects extends SubjectMapper {
        override toSubject(): string {
          return subject as string;
        }
      }
      const odd = await start({ providers: [{ provide: SubjectMapper, useClass: OddSubjects }] });
      try {
        const { id, username, password } = await odd.user();
        const response = await odd.request('POST', '/auth/login').send({ username, password });
        expectError(response, 500, 'internal_error');
        await expect(odd.get(Logins).open(id, NOBODY)).rejects.toThrow(
          /subject of a token must be a non-empty string/,
        );
      } finally {
        await odd.close();
      }
    },
  );
});

/** Hooks that tests give their rules, and that tell when they are asked. */
class Rigged {
  readonly asked: string[] = [];
  accepts: (claims: TokenClaims, device?: unknown) => boolean | Promise<boolean> = () => true;
  isRevoked: (claims: TokenClaims) => boolean | Promise<boolean> = () => false;
  toUserId: (claims: TokenClaims) => string = ({ sub }) => sub;
  load: (principal: Principal) => Account | null | Promise<Account | null> = ({ userId }) => ({
    name: userId,
    plan: 'gold',
  });

  reset(): void {
    this.asked.length = 0;
    const { accepts, isRevoked, toUserId, load } = new Rigged();
    Object.assign(this, { accepts, isRevoked, toUserId, load });
  }
}

/** The team's classes, which go by the rules of the moment. */
function bind(rigged: Rigged): AuthModuleExtras {
  class Check extends TokenRule {
    override accepts(...[claims, request]: Parameters<TokenRule['accepts']>) {
      rigged.asked.push('TokenRule');
      return rigged.accepts(claims, request?.headers['x-device']);
    }
  }
  class Revocations extends RevocationCheck {
    override isRevoked(claims: TokenClaims) {
      rigged.asked.push('RevocationCheck');
      return rigged.isRevoked(claims);
    }
  }
  class Names extends SubjectMapper {
    override toUserId(claims: TokenClaims) {
      rigged.asked.push('Subjects');
      return rigged.toUserId(claims);
    }
  }
  class Loader extends UserLoader<Account> {
    async load(principal: Principal) {
      rigged.asked.push('UserLoader');
      return rigged.load(principal);
    }
  }
  return {
    providers: [
      { provide: TokenRule, useClass: Check },
      { provide: RevocationCheck, useClass: Revocations },
      { provide: SubjectMapper, useClass: Names },
      { provide: UserLoader, useClass: Loader },
    ],
  };
}

describe('the hooks of a request', () => {
  const rigged = new Rigged();
  let api: TestApp;
  let login: TestLogin;
  beforeAll(async () => {
    api = await start(bind(rigged));
    login = await api.login();
  });
  afterAll(() => api.close());
  afterEach(() => rigged.reset());

  const count = (hook: string) => rigged.asked.filter((each) => each === hook).length;
  const asks = (path: string, token = login.access) =>
    api.request(path === '/hooks/refresh' ? 'POST' : 'GET', path, token);
  const DEVICE_UNKNOWN = new ApiError(403, 'device_unknown', 'This device is not known');
  const fails = (error: Error) => () => {
    throw error;
  };

  describe('UserLoader', () => {
    it('gives the handler a type of the team’s, loaded once though two parameters ask', async () => {
      rigged.load = async ({ userId }) => {
        await soon();
        return { name: `account of ${userId}`, plan: 'silver' };
      };
      const { body } = await asks('/hooks/account').expect(200);
      expect(body).toEqual({ account: { name: `account of ${login.user.id}`, plan: 'silver' }, same: true });
      expect(count('UserLoader')).toBe(1);
      await asks('/hooks/account').expect(200);
      expect(count('UserLoader')).toBe(2);
    });

    it('is not asked where no handler asks', async () => {
      for (const path of ['/hooks', '/hooks/fresh', '/hooks/either']) await asks(path).expect(200);
      expect(count('UserLoader')).toBe(0);
    });

    it('returns null: the token is revoked', async () => {
      rigged.load = async () => null;
      for (const path of ['/hooks/account', '/hooks/visitor']) {
        const response = await asks(path);
        expectError(response, 401, 'token_revoked');
        expect(parseChallenge(response)).toMatchObject({ error: 'invalid_token' });
      }
    });

    it('throws: that is the answer', async () => {
      rigged.load = fails(new ApiError(402, 'plan_ended', 'Renew your plan'));
      expectError(await asks('/hooks/account'), 402, 'plan_ended');
    });

    it('is not asked for an anonymous request, which has null', async () => {
      expect((await api.request('GET', '/hooks/visitor').expect(200)).body).toEqual({ account: null });
      expect((await asks('/hooks/public').expect(200)).body).toEqual({ account: null });
      expect(count('UserLoader')).toBe(0);
      const known = await asks('/hooks/visitor').expect(200);
      expect(known.body).toEqual({ account: { name: login.user.id, plan: 'gold' } });
    });
  });

  describe('TokenRule', () => {
    it('is asked on every route that takes a token, and false is token_invalid', async () => {
      rigged.accepts = async () => {
        await soon();
        return false;
      };
      for (const path of ['/hooks', '/hooks/fresh', '/hooks/either', '/hooks/skip', '/hooks/visitor']) {
        expectError(await asks(path), 401, 'token_invalid');
      }
      expectError(await asks('/hooks/refresh', login.refresh), 401, 'token_invalid');
      await api.request('GET', '/hooks/visitor').expect(200);
    });

    it('refuses a refresh before anything rotates: the same token is good later', async () => {
      rigged.accepts = () => false;
      expectError(await login.tryRefresh(login.refresh), 401, 'token_invalid');
      rigged.reset();
      await login.rotate();
      await login.reauthenticate();
    });

    it('throws an ApiError: that is the answer', async () => {
      rigged.accepts = fails(DEVICE_UNKNOWN);
      expectError(await asks('/hooks'), 403, 'device_unknown');
      expectError(await login.tryRefresh(login.refresh), 403, 'device_unknown');
      rigged.accepts = async () => fails(DEVICE_UNKNOWN)();
      expectError(await asks('/hooks/fresh'), 403, 'device_unknown');
    });

    it('throws an unknown error: the answer is internal_error, and access is refused', async () => {
      rigged.accepts = fails(new Error('the device service is down'));
      const response = await asks('/hooks');
      expectError(response, 500, 'internal_error');
      expect(response.text).not.toContain('device service');
    });

    it.each([
      new JsonWebTokenError('jwt malformed'),
      new TokenExpiredError('jwt expired', new Date()),
      new NotBeforeError('jwt not active', new Date()),
    ])('throws an error of its own JWT library, $name: that says nothing of our token', async (error) => {
      rigged.accepts = fails(error);
      expectError(await asks('/hooks'), 500, 'internal_error');
    });

    it('gets the claims and the request, and no request where there is none', async () => {
      rigged.accepts = ({ sid }, device) => device === `device of ${sid}`;
      const { sid } = claimsOf(login.access) as { sid: string };
      await asks('/hooks').set('X-Device', `device of ${sid}`).expect(200);
      expectError(await asks('/hooks').set('X-Device', 'another'), 401, 'token_invalid');
      await expect(api.get(Authenticator).access(login.access)).rejects.toMatchObject({
        code: 'token_invalid',
      });
      rigged.accepts = (_, device) => device === undefined;
      await api.get(Authenticator).access(login.access);
    });

    it('keeps parallel requests apart, whichever it decides first', async () => {
      rigged.accepts = async (_, device) => {
        for (let i = 0; i < Number(device) % 5; i++) await soon();
        return Number(device) % 2 === 0;
      };
      const statuses = await Promise.all(
        Array.from({ length: 30 }, async (_, i) => (await asks('/hooks').set('X-Device', String(i))).status),
      );
      expect(statuses).toEqual(Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? 200 : 401)));
    });
  });

  describe('RevocationCheck', () => {
    it('revokes on every route that takes a token', async () => {
      rigged.isRevoked = async () => {
        await soon();
        return true;
      };
      for (const path of ['/hooks', '/hooks/fresh', '/hooks/either', '/hooks/visitor', '/hooks/account']) {
        expectError(await asks(path), 401, 'token_revoked');
      }
      expectError(await asks('/hooks/refresh', login.refresh), 401, 'token_revoked');
      expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
    });

    it('gets the claims', async () => {
      const other = await login.user.login();
      rigged.isRevoked = ({ jti }) => jti === claimsOf(other.access).jti;
      expectError(await asks('/hooks', other.access), 401, 'token_revoked');
      await asks('/hooks').expect(200);
    });

    it('is skipped where the route declares it, as is the check of the session', async () => {
      rigged.isRevoked = () => true;
      await asks('/hooks/skip').expect(200);
      const other = await login.user.login();
      await api.request('POST', '/auth/logout', other.access).expect(204);
      await asks('/hooks/skip', other.access).expect(200);
      expect(count('RevocationCheck')).toBe(0);
      // All other checks still run.
      expect(count('TokenRule')).toBe(2);
    });
  });

  describe('at logout', () => {
    it('neither check is called: a logout is always possible', async () => {
      const other = await login.user.login();
      rigged.accepts = () => false;
      rigged.isRevoked = () => true;
      await api.request('POST', '/auth/logout', other.access).expect(204);
      expect([count('TokenRule'), count('RevocationCheck')]).toEqual([0, 0]);
      rigged.reset();
      expectError(await asks('/hooks/fresh', other.access), 401, 'token_revoked');
    });
  });

  describe('the order of checks', () => {
    /** A second session that has ended, with its tokens: both fresh and not. */
    async function endedSession() {
      const other = await login.user.login();
      const fresh = other.access;
      await other.rotate();
      await api.request('POST', '/auth/logout', other.access).expect(204);
      rigged.asked.length = 0;
      return { fresh, stale: other.access, refresh: other.refresh };
    }

    it('signature before claims: a stranger’s token that has expired is invalid', async () => {
      const theirs = await showToken(api, 'wrong key', 'access');
      const [header = '', , signature = ''] = theirs?.split('.') ?? [];
      const claims = { ...claimsOf(theirs ?? ''), exp: 1 };
      const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
      expectError(await asks('/hooks', `${header}.${payload}.${signature}`), 401, 'token_invalid');
    });

    it.each([
      ['audience', { aud: 'another' }],
      ['issuer', { iss: 'another' }],
      ['not before', { nbf: 4_000_000_000 }],
    ])('claims (%s) before expiry, and before type', async (_, wrong) => {
      const exp = api.clock.now() / 1000;
      expectError(await asks('/hooks', forge(api, login.access, { ...wrong, exp })), 401, 'token_invalid');
      expectError(await asks('/hooks', forge(api, login.refresh, wrong)), 401, 'token_invalid');
      expectError(await login.tryRefresh(forge(api, login.access, wrong)), 401, 'token_invalid');
    });

    it('claims before expiry: without "type" it is invalid, be it expired as well', async () => {
      const exp = api.clock.now() / 1000;
      const untyped = forgeFreely(api, login.access, { exp, type: undefined });
      expectError(await asks('/hooks', untyped), 401, 'token_invalid');
    });

    it('expiry before type: an expired refresh token on an access route has expired', async () => {
      const exp = api.clock.now() / 1000;
      for (const path of ['/hooks', '/hooks/fresh', '/hooks/skip']) {
        expectError(await asks(path, forge(api, login.refresh, { exp })), 401, 'token_expired');
      }
      expectError(await login.tryRefresh(forge(api, login.access, { exp })), 401, 'token_expired');
    });

    it('expiry before fresh, and before revoked', async () => {
      const { stale } = await endedSession();
      const expired = forge(api, stale, { exp: api.clock.now() / 1000 });
      expectError(await asks('/hooks/fresh', expired), 401, 'token_expired');
      expectError(await asks('/hooks', expired), 401, 'token_expired');
    });

    it('type before fresh', async () => {
      expectError(await asks('/hooks/fresh', login.refresh), 401, 'token_wrong_type');
    });

    it('type before revoked, by the session and by the RevocationCheck', async () => {
      const { refresh, stale } = await endedSession();
      rigged.isRevoked = () => true;
      expectError(await asks('/hooks', refresh), 401, 'token_wrong_type');
      expectError(await asks('/hooks/fresh', refresh), 401, 'token_wrong_type');
      expectError(await asks('/hooks/refresh', stale), 401, 'token_wrong_type');
      expectError(await login.tryRefresh(stale), 401, 'token_wrong_type');
      expect(rigged.asked).toEqual([]);
    });

    it('fresh before revoked, by the session and by the RevocationCheck', async () => {
      const { stale } = await endedSession();
      expectError(await asks('/hooks/fresh', stale), 401, 'fresh_token_required');
      const { access_token } = await (await login.user.login()).rotate();
      rigged.asked.length = 0;
      rigged.isRevoked = () => true;
      expectError(await asks('/hooks/fresh', access_token), 401, 'fresh_token_required');
      expect(rigged.asked).toEqual([]);
    });

    it('the session before the RevocationCheck', async () => {
      const { fresh, refresh } = await endedSession();
      rigged.isRevoked = fails(DEVICE_UNKNOWN);
      expectError(await asks('/hooks', fresh), 401, 'token_revoked');
      expectError(await asks('/hooks/fresh', fresh), 401, 'token_revoked');
      expectError(await asks('/hooks/refresh', refresh), 401, 'token_revoked');
      expect(rigged.asked).toEqual([]);
    });

    it('the generation before the RevocationCheck', async () => {
      const other = await login.user.login();
      const first = other.refresh;
      await other.rotate();
      rigged.isRevoked = fails(DEVICE_UNKNOWN);
      expectError(await asks('/hooks/refresh', first), 401, 'token_revoked');
    });

    it('revoked before custom, by the session and by the RevocationCheck', async () => {
      const { fresh, refresh } = await endedSession();
      rigged.accepts = fails(DEVICE_UNKNOWN);
      expectError(await asks('/hooks', fresh), 401, 'token_revoked');
      expectError(await asks('/hooks/fresh', fresh), 401, 'token_revoked');
      expectError(await asks('/hooks/refresh', refresh), 401, 'token_revoked');
      rigged.isRevoked = () => true;
      for (const path of ['/hooks', '/hooks/fresh']) {
        expectError(await asks(path), 401, 'token_revoked');
      }
      expectError(await asks('/hooks/refresh', login.refresh), 401, 'token_revoked');
      expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
      expect(count('TokenRule')).toBe(0);
    });

    // On such a route the handler reads the session row, in its own transaction and after all checks of the guard.
    it('custom before revoked where a refresh token rotates', async () => {
      const { refresh } = await endedSession();
      rigged.accepts = fails(DEVICE_UNKNOWN);
      expectError(await login.tryRefresh(refresh), 403, 'device_unknown');
    });

    it('custom before user', async () => {
      rigged.accepts = () => false;
      rigged.toUserId = fails(new TokenError('token_revoked', 'nobody'));
      rigged.load = () => null;
      for (const path of ['/hooks', '/hooks/fresh', '/hooks/account', '/hooks/skip']) {
        expectError(await asks(path), 401, 'token_invalid');
      }
      expect([count('Subjects'), count('UserLoader')]).toEqual([0, 0]);
    });

    it('custom before roles, user before roles, and roles before anything is loaded', async () => {
      rigged.load = () => null;
      const response = await asks('/hooks/admin');
      expectError(response, 403, 'insufficient_role');
      expect(count('UserLoader')).toBe(0);
      rigged.toUserId = fails(new TokenError('token_revoked', 'nobody'));
      expectError(await asks('/hooks/admin'), 401, 'token_revoked');
      rigged.accepts = () => false;
      expectError(await asks('/hooks/admin'), 401, 'token_invalid');

      rigged.reset();
      const { username } = login.user;
      await api.get(AccountAdmin).grant(username, 'admin');
      const { access } = await login.user.login();
      await asks('/hooks/admin', access).expect(200);
      rigged.load = () => null;
      expectError(await asks('/hooks/admin', access), 401, 'token_revoked');
    });

    it('asks each of them once in a request, in this order', async () => {
      await asks('/hooks/account').expect(200);
      expect(rigged.asked).toEqual(['RevocationCheck', 'TokenRule', 'Subjects', 'UserLoader']);
      rigged.asked.length = 0;
      await asks('/hooks/fresh').expect(200);
      expect(rigged.asked).toEqual(['RevocationCheck', 'TokenRule', 'Subjects']);
    });
  });
});

describe('ErrorRenderer', () => {
  let render: (answer: ErrorAnswer, url?: string) => unknown;
  class OwnBody extends ErrorRenderer {
    override render(...[answer, request]: Parameters<ErrorRenderer['render']>): unknown {
      return render(answer, request.url);
    }
  }
  let api: TestApp;
  beforeAll(async () => {
    api = await start({ providers: [{ provide: ErrorRenderer, useClass: OwnBody }] });
  });
  afterAll(() => api.close());

  const problem = ({ errorCode, statusCode }: ErrorAnswer, url?: string) => ({
    type: `https://errors.example.com/${errorCode}`,
    status: statusCode,
    instance: url,
  });
  /** One request for each way that errors come, with its status, code and challenge. */
  const refusals: [string, () => PromiseLike<Response>, number, ErrorCode][] = [
    ['/hooks', () => api.request('GET', '/hooks'), 401, 'token_missing'],
    ['/hooks', () => api.request('GET', '/hooks', 'x'), 401, 'token_invalid'],
    ['/nowhere', () => api.request('GET', '/nowhere'), 404, 'not_found'],
    ['/auth/login', () => api.request('POST', '/auth/login').send({ username: 5 }), 400, 'validation_failed'],
    [
      '/auth/login',
      () => api.request('POST', '/auth/login').set('Content-Type', 'application/json').send('{'),
      400,
      'validation_failed',
    ],
    [
      '/auth/login',
      () => api.request('POST', '/auth/login').send({ username: 'nobody-here', password: 'x' }),
      401,
      'invalid_credentials',
    ],
  ];

  it.each<[string, (answer: ErrorAnswer, url?: string) => unknown]>([
    ['at once', problem],
    [
      'later',
      async (answer, url) => {
        await soon();
        return problem(answer, url);
      },
    ],
  ])('makes the body of every error, %s; status and challenge stay', async (_, own) => {
    render = own;
    for (const [path, ask, status, code] of refusals) {
      const response = await ask();
      expect({ status: response.status, body: response.body as unknown }).toEqual({
        status,
        body: { type: `https://errors.example.com/${code}`, status, instance: path },
      });
      expect('www-authenticate' in response.headers).toBe(status === 401);
      expect(response.headers['x-request-id']).toEqual(expect.any(String));
    }
  });

  it('is given the members that the default has', async () => {
    let given: ErrorAnswer | undefined;
    render = (answer) => (given = answer);
    const response = await api.request('POST', '/auth/login').send({ username: 5 });
    expectError(response, 400, 'validation_failed');
    expect(given).toEqual(response.body);
    expect(given).toHaveProperty('errors');
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no template');
      },
    ],
    ['rejects', async () => Promise.reject(new Error('no template'))],
    ['makes what is no JSON', () => ({ count: 1n })],
    ['makes what is no JSON, later', async () => ({ count: 1n })],
  ])('%s: the default body is sent, with status and challenge', async (_, broken) => {
    for (const [, ask, status, code] of refusals) {
      render = broken;
      expectError(await ask(), status, code);
    }
  });
});
