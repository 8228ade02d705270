import { Controller, Get, Post } from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { decode, type Jwt } from 'jsonwebtoken';
import { randomUUID } from 'node:crypto';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import { AccountAdmin, type AuthModuleOptions, AuthOptions, FreshAccess } from '../../src/auth/index.js';
import { RevocationFeed } from '../../src/auth/internals.js';
import { Database, Purger } from '../../src/database/index.js';
import { generateKeySet } from '../../src/keys/key-file.js';
import { expectChallenge } from '../../src/testing/index.js';
import { type SetCookie, setCookies } from '../support/browser.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { forge } from '../support/token-kinds.js';

@Controller('walk')
class WalkController {
  @Get()
  ordinary(): object {
    return { ok: true };
  }

  @Post()
  change(): object {
    return { ok: true };
  }

  @FreshAccess()
  @Get('fresh')
  fresh(): object {
    return { ok: true };
  }
}

/** The value given for an option, beside what that value needs to be allowed, and what a client then sees. */
interface Row {
  given: Partial<AuthModuleOptions>;
  shows: (api: TestApp) => Promise<void>;
}

const seconds = (api: TestApp) => api.clock.now() / 1000;
const open = (api: TestApp, token: string) => api.request('GET', '/walk', token);

/** What a browser holds after its login: the cookies, and what it sends from then on. */
interface Browser {
  cookies: Map<string, SetCookie>;
  jar: string;
}

async function browse(api: TestApp): Promise<Browser> {
  const { username, password } = await api.user();
  const response = await api.request('POST', '/auth/login').send({ username, password }).expect(200);
  const cookies = setCookies(response);
  return { cookies, jar: [...cookies].map(([name, { value }]) => `${name}=${value}`).join('; ') };
}

const COOKIE = { locations: { order: 'cookie' } } as const;

/** Every attribute that the cookies of a login have, by the cookies' names. */
async function attributesOf(api: TestApp): Promise<Record<string, string[]>> {
  const { cookies } = await browse(api);
  return Object.fromEntries([...cookies].map(([name, each]) => [name, each.attributes]));
}

/** Expects that this wrong password is the first that is refused without a check, counted from one. */
async function refusesGuess(api: TestApp, which: number): Promise<void> {
  const { username, password } = await api.user();
  const guess = (given: string) => api.request('POST', '/auth/login').send({ username, password: given });
  for (let i = 1; i < which; i++) expectError(await guess(`wrong-${i}`), 401, 'invalid_credentials');
  expectError(await guess(password), 429, 'rate_limited');
}

const ROWS: Record<string, Row> = {
  keys: {
    given: { keys: generateKeySet('ES384') },
    async shows(api) {
      const { access } = await api.login();
      const { header } = decode(access, { complete: true }) as Jwt;
      expect(header.alg).toBe('ES384');
      const { body } = await api.request('GET', '/.well-known/jwks.json').expect(200);
      expect(body).toEqual({ keys: [expect.objectContaining({ kid: header.kid, alg: 'ES384' })] });
      await open(api, access).expect(200);
    },
  },
  'tokens.issuer': {
    given: { tokens: { issuer: 'https://id.example.com' } },
    async shows(api) {
      const { access, refresh } = await api.login();
      for (const token of [access, refresh]) expect(claimsOf(token).iss).toBe('https://id.example.com');
      await open(api, access).expect(200);
      expectError(await open(api, forge(api, access, { iss: 'freshgate' })), 401, 'token_invalid');
    },
  },
  'tokens.audience': {
    given: { tokens: { audience: ['api', 'mobile'] } },
    async shows(api) {
      const { access, refresh } = await api.login();
      for (const token of [access, refresh]) expect(claimsOf(token).aud).toEqual(['api', 'mobile']);
      await open(api, access).expect(200);
      await open(api, forge(api, access, { aud: 'mobile' })).expect(200);
      await open(api, forge(api, access, { aud: ['another', 'api'] })).expect(200);
      for (const aud of ['freshgate', ['another'], [], 'api mobile']) {
        expectError(await open(api, forge(api, access, { aud })), 401, 'token_invalid');
      }
    },
  },
  'tokens.acceptIssuers': {
    given: { tokens: { acceptIssuers: ['old-name', 'older-name'] } },
    async shows(api) {
      const login = await api.login();
      expect(claimsOf(login.access).iss).toBe('freshgate');
      for (const iss of ['freshgate', 'old-name', 'older-name']) {
        const { body } = await api.request('GET', '/profile', forge(api, login.access, { iss })).expect(200);
        expect(body).toMatchObject({ id: login.user.id });
      }
      const refreshed = await login.tryRefresh(forge(api, login.refresh, { iss: 'old-name' })).expect(200);
      expect(claimsOf((refreshed.body as TokenPairDto).refresh_token).iss).toBe('freshgate');
      expectError(await open(api, forge(api, login.access, { iss: 'oldest-name' })), 401, 'token_invalid');
    },
  },
  'tokens.acceptAudiences': {
    given: { tokens: { audience: ['api', 'web'], acceptAudiences: 'old-api' } },
    async shows(api) {
      const { access } = await api.login();
      expect(claimsOf(access).aud).toEqual(['api', 'web']);
      for (const aud of ['api', 'web', 'old-api', ['old-api', 'x']]) {
        await open(api, forge(api, access, { aud })).expect(200);
      }
      expectError(await open(api, forge(api, access, { aud: 'older-api' })), 401, 'token_invalid');
    },
  },
  'tokens.accessTtl': {
    given: { tokens: { accessTtl: '5m' } },
    async shows(api) {
      const login = await api.login();
      const pair = await login.rotate();
      expect(pair.expires_in).toBe(300);
      const { iat = 0, exp } = claimsOf(login.access);
      expect(exp).toBe(iat + 300);
      api.clock.advance('4m 59s');
      await open(api, login.access).expect(200);
      api.clock.advance('1s');
      expectError(await open(api, login.access), 401, 'token_expired');
    },
  },
  'tokens.leeway': {
    given: { tokens: { leeway: '30s', accessTtl: '20m' } },
    async shows(api) {
      const login = await api.login();
      const now = seconds(api);
      await open(api, forge(api, login.access, { exp: now - 29 })).expect(200);
      await open(api, forge(api, login.access, { nbf: now + 30 })).expect(200);
      const late = forge(api, login.access, { exp: now - 29 });
      await api.request('GET', '/walk/fresh', late).expect(200);
      expectError(await open(api, forge(api, login.access, { exp: now - 30 })), 401, 'token_expired');
      expectError(await open(api, forge(api, login.access, { nbf: now + 31 })), 401, 'token_invalid');
      const expired = forge(api, login.refresh, { exp: now - 30 });
      expectError(await login.tryRefresh(expired), 401, 'token_expired');
      await login.tryRefresh(forge(api, login.refresh, { exp: now - 29 })).expect(200);
      // The leeway does not extend the maximum age of a proof.
      api.clock.advance('15m');
      await api.request('GET', '/walk/fresh', login.access).expect(200);
      api.clock.advance('1s');
      expectChallenge(await api.request('GET', '/walk/fresh', login.access), { maxAge: '15m' });
      await open(api, login.access).expect(200);
      // The tokens of a revoked session stay revoked for the leeway too.
      const { access } = await login.user.login();
      await api.request('POST', '/auth/logout', access).expect(204);
      api.clock.advance('20m 29s');
      expectError(await open(api, access), 401, 'token_revoked');
      api.clock.advance('1s');
      expectError(await open(api, access), 401, 'token_expired');
    },
  },
  'tokens.notBefore': {
    given: { tokens: { notBefore: true } },
    async shows(api) {
      const login = await api.login();
      api.clock.advance('1m');
      const { access_token, refresh_token } = await login.rotate();
      for (const token of [access_token, refresh_token]) {
        expect(claimsOf(token)).toMatchObject({ iat: seconds(api), nbf: seconds(api) });
      }
      await open(api, access_token).expect(200);
      api.clock.advance(-1000);
      expectError(await open(api, access_token), 401, 'token_invalid');
    },
  },
  'sessions.sessionTtl': {
    given: { sessions: { sessionTtl: '1h', refreshTtl: '40m' } },
    async shows(api) {
      const login = await api.login();
      const { body } = await api.request('GET', '/auth/sessions', login.access).expect(200);
      const [session] = body as { expires_at: string }[];
      expect(Date.parse(session?.expires_at ?? '')).toBe(api.clock.now() + 3_600_000);
      api.clock.advance('30m');
      expect(await login.rotate()).toMatchObject({ expires_in: 900, refresh_expires_in: 1800 });
      api.clock.advance('20m');
      // Neither token outlives the session, whenever it is refreshed.
      expect(await login.rotate()).toMatchObject({ expires_in: 600, refresh_expires_in: 600 });
      api.clock.advance('10m');
      expectError(await login.tryRefresh(login.refresh), 401, 'token_expired');
      expectError(await open(api, login.access), 401, 'token_expired');
    },
  },
  'sessions.refreshTtl': {
    given: { sessions: { refreshTtl: '20m' } },
    async shows(api) {
      const login = await api.login();
      const { iat = 0, exp } = claimsOf(login.refresh);
      expect(exp).toBe(iat + 1200);
      api.clock.advance('19m 59s');
      expect(await login.rotate()).toMatchObject({ refresh_expires_in: 1200 });
      api.clock.advance('20m');
      expectError(await login.tryRefresh(login.refresh), 401, 'token_expired');
    },
  },
  'sessions.refreshGrace': {
    given: { sessions: { refreshGrace: '1m' } },
    async shows(api) {
      const login = await api.login();
      const first = login.refresh;
      const { refresh_token } = await login.rotate();
      api.clock.advance('59s');
      expect((await login.tryRefresh(first).expect(200)).body).toMatchObject({ refresh_token });
      api.clock.advance('2s');
      expectError(await login.tryRefresh(first), 401, 'refresh_token_reused');
    },
  },
  'sessions.revocationMaxStaleness': {
    given: { sessions: { revocationMaxStaleness: '5s' } },
    async shows(api) {
      const { access } = await api.login();
      const staleness = jest.spyOn(api.get(RevocationFeed), 'staleness');
      staleness.mockReturnValue(5000);
      await open(api, access).expect(200);
      staleness.mockReturnValue(5001);
      const refused = await open(api, access);
      expectError(refused, 503, 'revocation_feed_lost');
      expect(refused.headers['retry-after']).toBe('2');
      // A fresh route reads the session row and does not need the feed.
      await api.request('GET', '/walk/fresh', access).expect(200);
    },
  },
  'locations.order': {
    given: { locations: { order: ['query', 'header'] } },
    async shows(api) {
      const { access } = await api.login();
      await api.request('GET', `/walk?access_token=${access}`).expect(200);
      await open(api, access).expect(200);
      expectError(await api.request('GET', '/walk?access_token=x', access), 401, 'token_invalid');
    },
  },
  'locations.headerName': {
    given: { locations: { headerName: 'X-Auth-Token' } },
    async shows(api) {
      const { access } = await api.login();
      await api.request('GET', '/walk').set('X-Auth-Token', `Bearer ${access}`).expect(200);
      await api.request('GET', '/walk').set('x-auth-token', `bearer ${access}`).expect(200);
      expectError(await open(api, access), 401, 'token_missing');
    },
  },
  'locations.headerScheme': {
    given: { locations: { headerScheme: 'JWT' } },
    async shows(api) {
      const login = await api.login();
      const show = (scheme: string, path = '/walk') =>
        api.request('GET', path).set('Authorization', `${scheme} ${login.access}`);
      await show('JWT').expect(200);
      await show('jwt').expect(200);
      const other = await show('Bearer');
      expectError(other, 401, 'token_missing');
      expect(other.headers['www-authenticate']).toBe('JWT');
      const { body } = await api
        .request('POST', '/auth/refresh')
        .set('Authorization', `JWT ${login.refresh}`)
        .expect(200);
      login.access = (body as TokenPairDto).access_token;
      const stale = await show('JWT', '/walk/fresh');
      expect(stale.headers['www-authenticate']).toMatch(/^JWT error="insufficient_user_authentication", /);
    },
  },
  'locations.accessName': {
    given: { locations: { order: ['query', 'body'], accessName: 'at' } },
    async shows(api) {
      const { access } = await api.login();
      await api.request('GET', `/walk?at=${access}`).expect(200);
      await api.request('POST', '/walk').send({ at: access }).expect(201);
      expectError(await api.request('GET', `/walk?access_token=${access}`), 401, 'token_missing');
    },
  },
  'locations.refreshName': {
    given: { locations: { order: ['query', 'body'], refreshName: 'rt' } },
    async shows(api) {
      const { refresh } = await api.login();
      expectError(await api.request('POST', `/auth/refresh?refresh_token=${refresh}`), 401, 'token_missing');
      const { body } = await api.request('POST', `/auth/refresh?rt=${refresh}`).expect(200);
      const next = (body as TokenPairDto).refresh_token;
      await api.request('POST', '/auth/refresh').send({ rt: next }).expect(200);
    },
  },
  'cookies.accessName': {
    given: { ...COOKIE, cookies: { accessName: 'a' } },
    async shows(api) {
      const { cookies } = await browse(api);
      expect([...cookies.keys()]).toEqual([
        'a',
        '__Host-refresh_token',
        '__Host-csrf_token',
        '__Host-device',
      ]);
      const value = cookies.get('a')?.value;
      await api.request('GET', '/walk').set('Cookie', `a=${value}`).expect(200);
      const other = await api.request('GET', '/walk').set('Cookie', `__Host-access_token=${value}`);
      expectError(other, 401, 'token_missing');
    },
  },
  'cookies.refreshName': {
    given: { ...COOKIE, cookies: { refreshName: 'r' } },
    async shows(api) {
      const { cookies } = await browse(api);
      expect([...cookies.keys()]).toEqual(['__Host-access_token', 'r', '__Host-csrf_token', '__Host-device']);
      const refreshed = await api
        .request('POST', '/auth/refresh')
        .set('Cookie', `r=${cookies.get('r')?.value}`)
        .set('Sec-Fetch-Site', 'same-origin')
        .expect(200);
      expect([...setCookies(refreshed).keys()]).toContain('r');
    },
  },
  'cookies.deviceName': {
    given: { ...COOKIE, cookies: { deviceName: 'd' }, limits: { account: '1 per 1h' } },
    async shows(api) {
      const { username, password } = await api.user();
      const login = (given: string) => api.request('POST', '/auth/login').send({ username, password: given });
      const cookies = setCookies(await login(password).expect(200));
      expect([...cookies.keys()]).toEqual([
        '__Host-access_token',
        '__Host-refresh_token',
        '__Host-csrf_token',
        'd',
      ]);
      expectError(await login('wrong-corgi'), 401, 'invalid_credentials');
      // The account is at its limit, and a cookie of another name does not identify the device.
      const value = cookies.get('d')?.value;
      expectError(await login(password).set('Cookie', `__Host-device=${value}`), 429, 'rate_limited');
      await login(password).set('Cookie', `d=${value}`).expect(200);
    },
  },
  'cookies.accessPath': {
    given: { ...COOKIE, cookies: { accessName: 'a', accessPath: '/walk' } },
    async shows(api) {
      const { a, '__Host-refresh_token': other } = await attributesOf(api);
      expect([a?.[0], other?.[0]]).toEqual(['Path=/walk', 'Path=/']);
    },
  },
  'cookies.refreshPath': {
    given: { ...COOKIE, cookies: { refreshName: 'r', refreshPath: '/auth' } },
    async shows(api) {
      const { r, '__Host-access_token': other } = await attributesOf(api);
      expect([r?.[0], other?.[0]]).toEqual(['Path=/auth', 'Path=/']);
    },
  },
  'cookies.domain': {
    given: {
      ...COOKIE,
      cookies: { accessName: 'a', refreshName: 'r', deviceName: 'd', domain: 'example.com' },
      csrf: { cookieName: 'c' },
    },
    async shows(api) {
      const all = await attributesOf(api);
      expect(Object.keys(all)).toEqual(['a', 'r', 'c', 'd']);
      for (const each of Object.values(all)) expect(each).toContain('Domain=example.com');
    },
  },
  'cookies.secure': {
    given: { ...COOKIE, cookies: { secure: false } },
    async shows(api) {
      const all = await attributesOf(api);
      expect(Object.keys(all)).toEqual(['access_token', 'refresh_token', 'csrf_token', 'device']);
      for (const each of Object.values(all)) expect(each).not.toContain('Secure');
    },
  },
  'cookies.sameSite': {
    given: { ...COOKIE, cookies: { sameSite: 'lax' } },
    async shows(api) {
      for (const each of Object.values(await attributesOf(api))) expect(each).toContain('SameSite=Lax');
    },
  },
  'cookies.persistent': {
    given: { ...COOKIE, cookies: { persistent: false } },
    async shows(api) {
      expect(Object.values(await attributesOf(api)).join()).not.toMatch(/Max-Age|Expires/);
    },
  },
  'cookies.partitioned': {
    given: { ...COOKIE, cookies: { partitioned: true } },
    async shows(api) {
      for (const each of Object.values(await attributesOf(api))) expect(each).toContain('Partitioned');
    },
  },
  'csrf.trustedOrigins': {
    given: { ...COOKIE, csrf: { trustedOrigins: 'https://app.example.com' } },
    async shows(api) {
      const { jar } = await browse(api);
      const from = (origin: string) =>
        api.request('POST', '/walk').set({ Cookie: jar, 'Sec-Fetch-Site': 'cross-site', Origin: origin });
      await from('https://app.example.com').expect(201);
      expectError(await from('https://evil.example.com'), 403, 'csrf_failed');
    },
  },
  'csrf.methods': {
    given: { ...COOKIE, csrf: { methods: ['GET'] } },
    async shows(api) {
      const { jar } = await browse(api);
      const crossing = { Cookie: jar, 'Sec-Fetch-Site': 'cross-site' };
      expectError(await api.request('GET', '/walk').set(crossing), 403, 'csrf_failed');
      await api.request('POST', '/walk').set(crossing).expect(201);
    },
  },
  'csrf.headerName': {
    given: { ...COOKIE, csrf: { headerName: 'X-Own' } },
    async shows(api) {
      const { jar, cookies } = await browse(api);
      const value = cookies.get('__Host-csrf_token')?.value ?? '';
      await api.request('POST', '/walk').set({ Cookie: jar, 'X-Own': value }).expect(201);
      const other = await api.request('POST', '/walk').set({ Cookie: jar, 'X-CSRF-Token': value });
      expect(expectError(other, 403, 'csrf_failed')).toContain('X-Own');
    },
  },
  'csrf.cookieName': {
    given: { ...COOKIE, csrf: { cookieName: 'c' } },
    async shows(api) {
      const { jar, cookies } = await browse(api);
      expect([...cookies.keys()]).toEqual([
        '__Host-access_token',
        '__Host-refresh_token',
        'c',
        '__Host-device',
      ]);
      const value = cookies.get('c')?.value ?? '';
      await api.request('POST', '/walk').set({ Cookie: jar, 'X-CSRF-Token': value }).expect(201);
    },
  },
  'limits.account': {
    given: { limits: { account: '1 per 1h' } },
    shows: (api) => refusesGuess(api, 2),
  },
  'limits.accountAndAddress': {
    given: { limits: { accountAndAddress: '2 per 1h' } },
    shows: (api) => refusesGuess(api, 3),
  },
  'limits.address': {
    given: { limits: { address: '3 per 1h' } },
    shows: (api) => refusesGuess(api, 4),
  },
  'limits.device': {
    given: { limits: { device: '1 per 1h' } },
    async shows(api) {
      const login = await api.login();
      expectError(await login.tryReauthenticate(login.refresh, 'wrong-password'), 401, 'invalid_credentials');
      expectError(await login.tryReauthenticate(login.refresh, 'wrong-password'), 429, 'rate_limited');
    },
  },
  'limits.register': {
    given: { limits: { register: '1 per 1h' } },
    async shows(api) {
      const register = () => {
        const account = { username: `user-${randomUUID().slice(0, 8)}`, password: 'space-corgi' };
        return api.request('POST', '/auth/register').send(account);
      };
      await register().expect(201);
      expectError(await register(), 429, 'rate_limited');
    },
  },
  'limits.refresh': {
    given: { limits: { refresh: '1 per 1h' } },
    async shows(api) {
      const login = await api.login();
      await login.rotate();
      expectError(await login.tryRefresh(login.refresh), 429, 'rate_limited');
    },
  },
  'passwords.minLength': {
    given: { passwords: { minLength: 15 } },
    async shows(api) {
      const account = { username: `user-${randomUUID().slice(0, 8)}`, password: 'space-corgi' };
      const refused = await api.request('POST', '/auth/register').send(account);
      expect(expectError(refused, 400, 'validation_failed')).toContain('15 characters');
      const longer = { ...account, password: 'space-corgi-on-the-moon' };
      await api.request('POST', '/auth/register').send(longer).expect(201);
    },
  },
  'audit.retention': {
    given: { audit: { retention: '1d' } },
    async shows(api) {
      const db = api.get(Database);
      const trail = () => db.selectFrom('audit_events').select('event').execute();
      await (await api.user()).login();
      const recorded = await trail();
      expect(recorded).not.toEqual([]);
      // A day after the retention, like everything that is purged.
      api.clock.advance('2d');
      await api.get(Purger).run();
      expect(await trail()).toEqual(recorded);
      api.clock.advance('1s');
      await api.get(Purger).run();
      expect(await trail()).toEqual([]);
    },
  },
  freshMaxAge: {
    given: { freshMaxAge: '5m' },
    async shows(api) {
      const { access } = await api.login();
      api.clock.advance('5m');
      await api.request('GET', '/walk/fresh', access).expect(200);
      api.clock.advance('1s');
      expectChallenge(await api.request('GET', '/walk/fresh', access), { maxAge: '5m' });
      await open(api, access).expect(200);
    },
  },
  registration: {
    given: { registration: 'closed' },
    async shows(api) {
      const account = { username: `user-${randomUUID().slice(0, 8)}`, password: 'space-corgi' };
      const refused = await api.request('POST', '/auth/register').send(account);
      expectError(refused, 403, 'registration_closed');
      // Existing accounts still work, and an operator can create new ones.
      await api.get(AccountAdmin).create(account.username, account.password);
      await api.request('POST', '/auth/login').send(account).expect(200);
    },
  },
};

/** Every option by its path: the groups of the class, and the keys, which have no default. */
function optionPaths(): string[] {
  const groups = Object.entries(new AuthOptions()) as [string, unknown][];
  const paths = groups.flatMap(([group, value]) =>
    typeof value === 'object' && value !== null
      ? Object.keys(value).map((name) => `${group}.${name}`)
      : [group],
  );
  return ['keys', ...paths.filter((path) => path !== 'keys')];
}

it('every option has a row in the table', () => {
  expect(Object.keys(ROWS)).toEqual(optionPaths());
});

describe('the option', () => {
  let api: TestApp | undefined;
  afterEach(async () => {
    await api?.close();
    api = undefined;
  });
  const start = async (auth: Partial<AuthModuleOptions>) => {
    await api?.close();
    // The tests' environment says otherwise of `secure`; here the option has its own default.
    const cookies = { secure: true, ...auth.cookies };
    api = await createTestApp({ auth: { ...auth, cookies }, controllers: [WalkController] });
    return api;
  };

  it.each(Object.entries(ROWS))('%s', async (_, { given, shows }) => {
    await shows(await start(given));
  });

  it('tokens.audience with one value makes "aud" a string, as most libraries expect', async () => {
    const { access } = await (await start({ tokens: { audience: ['api'] } })).login();
    expect(claimsOf(access).aud).toBe('api');
  });

  it('tokens.notBefore is off by default: tokens have no "nbf", but an "nbf" that is present is checked', async () => {
    const walk = await start({});
    const { access } = await walk.login();
    expect(claimsOf(access)).not.toHaveProperty('nbf');
    const now = seconds(walk);
    await open(walk, forge(walk, access, { nbf: now })).expect(200);
    expectError(await open(walk, forge(walk, access, { nbf: now + 1 })), 401, 'token_invalid');
  });

  it('tokens.leeway is zero by default: a token is refused from its "exp" on', async () => {
    const walk = await start({});
    const { access } = await walk.login();
    const expired = forge(walk, access, { exp: seconds(walk) });
    expectError(await open(walk, expired), 401, 'token_expired');
  });

  it('sessions.refreshGrace of zero: the previous refresh token is reuse', async () => {
    const walk = await start({ sessions: { refreshGrace: 0 } });
    const login = await walk.login();
    const first = login.refresh;
    await login.rotate();
    walk.clock.advance('1s');
    expectError(await login.tryRefresh(first), 401, 'refresh_token_reused');
  });

  it('locations.headerScheme may be empty: the header holds only the token', async () => {
    const walk = await start({ locations: { headerName: 'X-Token', headerScheme: '' } });
    const { access } = await walk.login();
    await walk.request('GET', '/walk').set('X-Token', access).expect(200);
    const scheme = await walk.request('GET', '/walk').set('X-Token', `Bearer ${access}`);
    expectError(scheme, 401, 'token_invalid');
    const none = await walk.request('GET', '/walk');
    expectError(none, 401, 'token_missing');
    // The application has no scheme, but RFC 9110 requires one.
    expect(none.headers['www-authenticate']).toBe('Bearer');
  });

  it('tokens.accessTtl is cut to the end of the session', async () => {
    const walk = await start({
      tokens: { accessTtl: '1h' },
      sessions: { sessionTtl: '1h', refreshTtl: '1h' },
    });
    const { access, refresh } = await walk.login();
    expect(claimsOf(access).exp).toBe(claimsOf(refresh).exp);
  });
});
