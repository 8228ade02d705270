import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Access, Authenticator, FreshAccess, Logins, type Acr, ACRS } from '../../src/auth/index.js';
import { Database } from '../../src/database/index.js';
import { createOpenApiDocument } from '../../src/openapi/index.js';
import { expectChallenge, parseChallenge } from '../../src/testing/index.js';
import { TEST_CALLER } from '../../src/testing/token-agents.js';
import { listRoutes, type Route } from '../../src/auth/internals.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { PIN_OF, PinFactor, PinFactorModule } from '../support/pin-factor.js';
import { forgeFreely } from '../support/token-kinds.js';

const proofOf = (token: string) => {
  const { acr, amr, auth_time } = claimsOf(token);
  return { acr, amr, auth_time };
};

describeEachEngine('the level of a proof', (engine) => {
  let api: TestApp;
  let login: TestLogin;
  beforeAll(async () => {
    api = await createTestApp({ engine, imports: [PinFactorModule] });
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    api.get(PinFactor).breaks = false;
    login = await api.login();
  });

  const now = () => api.clock.now() / 1000;
  const reauthenticate = (token: string, acr: Acr = 'pwd', key?: string) =>
    login.tryReauthenticate(token, login.user.password, key).send({ pin: PIN_OF[acr] });
  const row = async () =>
    api
      .get(Database)
      .selectFrom('sessions')
      .select(['acr', 'amr', 'auth_time', 'generation', 'raised_from', 'revoked_at'])
      .where('id', '=', claimsOf(login.access).sid)
      .executeTakeFirstOrThrow();

  it('comes from login, with a factor in the same request, and goes with every refresh', async () => {
    const { username, password } = login.user;
    const { body } = await api
      .request('POST', '/auth/login')
      .send({ username, password, pin: '1' })
      .expect(200);
    const proved = { acr: 'mfa', amr: ['pwd', 'pin'], auth_time: now() };
    expect(claimsOf(body.access_token)).toMatchObject({ fresh: true, ...proved });
    api.clock.advance('1m');
    const { body: next } = await login.tryRefresh(body.refresh_token).expect(200);
    expect(claimsOf(next.access_token)).toMatchObject({ fresh: false, ...proved });
    expect(claimsOf(next.refresh_token)).not.toHaveProperty('acr');
  });

  it('is raised by a stronger proof, and not lowered by a weaker one, which its own token describes', async () => {
    const { body: raised } = await reauthenticate(login.refresh, 'mfa').expect(200);
    const strong = { acr: 'mfa', amr: ['pwd', 'pin'], auth_time: now() };
    expect(claimsOf(raised.access_token)).toMatchObject({ fresh: true, ...strong });
    api.clock.advance('1m');
    const { body: weak } = await reauthenticate(raised.refresh_token).expect(200);
    expect(claimsOf(weak.access_token)).toMatchObject({
      fresh: true,
      acr: 'pwd',
      amr: ['pwd'],
      auth_time: now(),
    });
    const { body: refreshed } = await login.tryRefresh(weak.refresh_token).expect(200);
    expect(claimsOf(refreshed.access_token)).toMatchObject({ fresh: false, ...strong });
    api.clock.advance('1m');
    const { body: again } = await reauthenticate(refreshed.refresh_token, 'mfa').expect(200);
    const { body: last } = await login.tryRefresh(again.refresh_token).expect(200);
    expect(proofOf(last.access_token)).toEqual({ ...strong, auth_time: now() });
  });

  it('of a password change and of `Logins.open` is the one that was proved', async () => {
    const body = { current_password: login.user.password, new_password: 'lunar-dachshund', pin: '1' };
    const changed = await api.request('PUT', '/auth/password', login.access).send(body).expect(200);
    expect(proofOf(changed.body.access_token)).toMatchObject({ acr: 'mfa', amr: ['pwd', 'pin'] });
    const opened = await api
      .get(Logins)
      .open(login.user.id, TEST_CALLER, { acr: 'phr', amr: ['hwk', 'user'] });
    expect(proofOf(opened.access_token)).toMatchObject({ acr: 'phr', amr: ['hwk', 'user'] });
    const other = { acr: 'loa3' as Acr };
    await expect(api.get(Logins).open(login.user.id, TEST_CALLER, other)).rejects.toThrow(RangeError);
  });

  it('is shown to the handler', async () => {
    const mfa = await api.as('levels').fresh({ acr: 'mfa' });
    const { body } = await mfa.get('/levels/fresh-mfa').expect(200);
    expect(body).toMatchObject({ acr: 'mfa', amr: ['pwd', 'otp', 'mfa'], fresh: true });
  });

  it.each([undefined, 'key'])(
    'raised, leaves nothing to the refresh token before it, and revokes nothing: key %s',
    async (key) => {
      const { body } = await reauthenticate(login.refresh, 'mfa', key).expect(200);
      for (let times = 0; times < 2; times++)
        expectError(await login.tryRefresh(login.refresh, key), 401, 'token_revoked');
      api.clock.advance('1m');
      expectError(await login.tryRefresh(login.refresh, 'another'), 401, 'token_revoked');
      expectError(await reauthenticate(login.refresh, 'mfa', 'another'), 401, 'token_revoked');
      expect(await row()).toMatchObject({ revoked_at: null, generation: 1, raised_from: 0 });
      await login.tryRefresh(body.refresh_token).expect(200);
      // Now it is two behind a live token that raised nothing.
      expectError(await login.tryRefresh(login.refresh, key), 401, 'refresh_token_reused');
      expect(await row()).not.toMatchObject({ revoked_at: null });
    },
  );

  it('raised by a lost answer, is fetched by proving again with the same key, at that level alone', async () => {
    const { body: lost } = await reauthenticate(login.refresh, 'mfa', 'key').expect(200);
    expectError(await reauthenticate(login.refresh, 'pwd', 'key'), 401, 'token_revoked');
    api.clock.advance('1h');
    const { body: fetched } = await reauthenticate(login.refresh, 'mfa', 'key').expect(200);
    expect(fetched.refresh_token).toBe(lost.refresh_token);
    expect(claimsOf(fetched.access_token)).toMatchObject({ fresh: true, acr: 'mfa', auth_time: now() });
    expect(await row()).toMatchObject({ revoked_at: null, generation: 1 });
  });

  it('is never raised in a generation that was given out before: the proof makes a new one', async () => {
    // A thief holds the refresh token and its key, and refreshes; the user steps up with the same key.
    const { body: stolen } = await login.tryRefresh(login.refresh, 'key').expect(200);
    const { body: mine } = await reauthenticate(login.refresh, 'mfa', 'key').expect(200);
    expect(mine.refresh_token).not.toBe(stolen.refresh_token);
    expect(await row()).toMatchObject({ generation: 2, raised_from: 0, acr: 'mfa' });
    expectError(await login.tryRefresh(stolen.refresh_token), 401, 'token_revoked');
    expectError(await login.tryRefresh(login.refresh, 'key'), 401, 'token_revoked');
    const { body: next } = await login.tryRefresh(mine.refresh_token).expect(200);
    expect(proofOf(next.access_token)).toMatchObject({ acr: 'mfa' });
  });

  it('of two tabs that step up at once is raised once, and both hold the same session', async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => reauthenticate(login.refresh, 'mfa', 'key')),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1);
    expect(await row()).toMatchObject({ generation: 1, raised_from: 0, acr: 'mfa' });
  });

  it('counts only in a transaction that commits, and a refused factor changes nothing', async () => {
    api.get(PinFactor).breaks = true;
    const before = await row();
    expectError(await reauthenticate(login.refresh, 'mfa'), 401, 'invalid_credentials');
    const wrong = login.tryReauthenticate(login.refresh, login.user.password).send({ pin: '0' });
    expectError(await wrong, 401, 'invalid_credentials');
    expect(await row()).toEqual(before);
  });

  it('is looked at after the password, and a malformed factor before it', async () => {
    const { username } = login.user;
    const seen = api.get(PinFactor).verified.length;
    const wrong = { username, password: 'wrong', pin: '1' };
    expectError(await api.request('POST', '/auth/login').send(wrong), 401, 'invalid_credentials');
    const malformed = { ...wrong, pin: 7 };
    expectError(await api.request('POST', '/auth/login').send(malformed), 400, 'validation_failed');
    const unknown = { ...wrong, pim: '1' };
    expectError(await api.request('POST', '/auth/login').send(unknown), 400, 'validation_failed');
    expect(api.get(PinFactor).verified).toHaveLength(seen);
  });

  it('is the default of rows from before there were levels', async () => {
    const db = api.get(Database);
    const id = claimsOf(login.access).sid;
    const {
      acr: _,
      raised_from: __,
      ...old
    } = await db.selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    await db.deleteFrom('sessions').where('id', '=', id).execute();
    await db
      .insertInto('sessions')
      .values(old as never)
      .execute();
    const { body } = await login.tryRefresh(login.refresh).expect(200);
    expect(proofOf(body.access_token)).toMatchObject({ acr: 'pwd' });
  });
});

describe('a route that requires a level', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ imports: [PinFactorModule] });
  });
  afterAll(() => api.close());

  it('challenges with the level, and with the age where it has one (RFC 9470 §3)', async () => {
    const pwd = await api.as('challenged').fresh();
    expectChallenge(await pwd.get('/levels/fresh-mfa'), { acr: 'mfa', maxAge: '5m' });
    expectChallenge(await pwd.get('/levels/access-mfa'), { acr: 'mfa', errorCode: 'fresh_token_required' });
    const { headers } = await pwd.get('/levels/access-mfa');
    expect(headers['www-authenticate']).not.toContain('max_age');
    const stale = await api.as('challenged').stale({ acr: 'mfa' });
    expectChallenge(await stale.get('/levels/fresh-mfa'), { acr: 'mfa', maxAge: '5m' });
    const once = await api.as('challenged').fresh({ acr: 'phr' });
    await once.get('/levels/fresh-phr').expect(200);
    expectChallenge(await once.get('/levels/fresh-phr'), { acr: 'phr', maxAge: '5m' });
  });

  it('is judged alike by the Authenticator', async () => {
    const authenticator = api.get(Authenticator);
    const { token } = await api.as('judged').fresh();
    const { token: strong } = await api.as('judged').stale({ acr: 'mfa' });
    await expect(authenticator.access(token, { acr: 'mfa' })).rejects.toMatchObject({
      code: 'fresh_token_required',
      required: { acr: 'mfa' },
    });
    await expect(authenticator.freshAccess(token, { acr: 'mfa', maxAge: '5m' })).rejects.toMatchObject({
      code: 'fresh_token_required',
      required: { acr: 'mfa', maxAge: 300_000 },
    });
    const { principal } = await authenticator.access(strong, { acr: 'mfa' });
    expect(principal).toMatchObject({ acr: 'mfa', amr: ['pwd', 'otp', 'mfa'] });
    await expect(authenticator.access(strong, { acr: 'gold' as Acr })).rejects.toThrow(RangeError);
  });

  it('refuses a level that does not exist when the code is loaded', () => {
    expect(() => Access({ acr: 'gold' as Acr })).toThrow('acr must be one of pwd, mfa, phr, not "gold"');
    expect(() => FreshAccess({ acr: 'MFA' as Acr })).toThrow(RangeError);
  });

  it('is documented, with the members that factors add to bodies', () => {
    const document = createOpenApiDocument(api.app, { openapi: '3.1.0', info: { title: 't', version: '1' } });
    const { description, responses } = document.paths['/levels/access-mfa']!.get!;
    expect(description).toContain('The authentication level (`acr`) must be `mfa` or `phr`.');
    expect(JSON.stringify(responses['401'])).toContain('acr_values=\\"mfa\\"');
    const body = document.paths['/auth/login']!.post!.requestBody;
    expect(body).toMatchObject({
      content: {
        'application/json': {
          schema: {
            allOf: [
              { $ref: expect.stringContaining('LoginDto') },
              { $ref: '#/components/schemas/CodesDto' },
              { $ref: '#/components/schemas/PinDto' },
            ],
          },
        },
      },
    });
    expect(JSON.stringify(document)).not.toContain('x-factors');
  });
});

/** Access tokens by what they say: fresh or not, of a level; `null` for one of the version before levels. */
const TOKENS = [true, false].flatMap((fresh) => [...ACRS, null].map((acr) => ({ fresh, acr })));
const RANK = { pwd: 1, mfa: 2, phr: 3 };

/** The contract, independent of the guards: fresh if the route requires it, of its level or a higher one. */
function enters({ policy }: Route, { fresh, acr }: (typeof TOKENS)[number]): boolean {
  if (policy.level !== 'access' && policy.level !== 'fresh-access') return true;
  if (policy.level === 'fresh-access' && !fresh) return false;
  return policy.acr === undefined || RANK[acr ?? 'pwd'] >= RANK[policy.acr];
}

describe('every route with an access token × every level and freshness of the token', () => {
  let api: TestApp;
  let routes: Route[];
  beforeAll(async () => {
    api = await createTestApp({ imports: [PinFactorModule] });
    routes = listRoutes(api.app)
      .filter(({ policy }) => ['access', 'fresh-access'].includes(policy.level))
      // These require the strongest level of the user, beyond their declaration: test/factors, test/passkeys.
      .filter(({ path }) => !/^\/auth\/(factors|passkeys)/.test(path));
  });
  afterAll(() => api.close());

  it('has routes of every level', () => {
    const declared = routes.map(({ policy }) => [policy.level, (policy as { acr?: Acr }).acr].join(' '));
    for (const level of ['access', 'fresh-access'])
      for (const acr of ['', ...ACRS]) expect(declared).toContain(`${level} ${acr}`);
  });

  it.each(TOKENS)('%j', async (shown) => {
    for (const route of routes) {
      const agents = api.as('walker');
      const options = shown.acr === null ? {} : { acr: shown.acr };
      const issued = (await (shown.fresh ? agents.fresh(options) : agents.stale(options))).token;
      const token = shown.acr === null ? forgeFreely(api, issued, { acr: undefined }) : issued;
      const path = route.path.replace(/:\w+/g, '00000000-0000-7000-8000-000000000000');
      const answer = await api.request(route.method, path, token).send({});
      const seen = `${route.method} ${route.path}: ${answer.status} ${JSON.stringify(answer.body)}`;
      if (enters(route, shown)) {
        expect(seen).not.toMatch(/: 5\d\d |fresh_token_required|token_/);
        continue;
      }
      expect(seen).toContain('"errorCode":"fresh_token_required"');
      const { acr, maxAge = 900_000 } = route.policy as { acr?: Acr; maxAge?: number };
      const isFresh = route.policy.level === 'fresh-access';
      expect(parseChallenge(answer)).toEqual({
        error: 'insufficient_user_authentication',
        error_description: 'Fresh token required',
        ...(acr === undefined ? {} : { acr_values: acr }),
        ...(isFresh ? { max_age: String(maxAge / 1000) } : {}),
      });
    }
  });
});
