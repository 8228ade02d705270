import { Body, Controller, Get, HttpCode, Post, Put, Query } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { IsInt, IsOptional, IsString } from 'class-validator';
import fc from 'fast-check';
import { request as httpRequest } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type Response, type Test } from 'supertest';
import {
  Access,
  AccessOrRefresh,
  CurrentUser,
  FreshAccess,
  OptionalAccess,
  type Principal,
  Refresh,
  TOKEN_LOCATIONS,
  type TokenLocation,
  Unvalidated,
} from '../../src/auth/index.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';

class NoteDto {
  @IsInt()
  readonly n!: number;
}

class PageDto {
  @IsOptional()
  @IsString()
  readonly page?: string;
}

const EVERYWHERE = [...TOKEN_LOCATIONS];

@Controller('team')
class TeamController {
  @Post('default')
  byDefault(@CurrentUser() user: Principal, @Query() query: PageDto, @Body() body: NoteDto): object {
    return { user: user.userId, query, body };
  }

  @Access({ locations: ['query'] })
  @Get('query')
  query(@CurrentUser() user: Principal, @Query() query: PageDto): object {
    return { user: user.userId, query };
  }

  @Access({ locations: ['body'] })
  @Post('body')
  body(@CurrentUser() user: Principal, @Body() body: NoteDto): object {
    return { user: user.userId, body };
  }

  /** No DTO: whatever was parsed. */
  @OptionalAccess({ locations: ['body', 'query'] })
  @Post('anything')
  anything(
    @CurrentUser() user: Principal | null,
    @Query() query: object,
    @Body(Unvalidated) body: unknown,
  ): object {
    return { user: user?.userId ?? null, query, body: body ?? null };
  }

  @OptionalAccess({ locations: ['query'] })
  @Get('optional')
  optional(@CurrentUser() user: Principal | null): object {
    return { user: user?.userId ?? null };
  }

  @FreshAccess({ locations: ['query', 'header'] })
  @Put('fresh')
  fresh(@CurrentUser() user: Principal): object {
    return { user: user.userId };
  }

  @Refresh({ locations: EVERYWHERE })
  @Post('refresh')
  refresh(@CurrentUser() user: Principal): object {
    return { user: user.userId };
  }

  @AccessOrRefresh({ locations: EVERYWHERE })
  @Post('either')
  either(@CurrentUser() user: Principal, @Body(Unvalidated) body: unknown): object {
    return { user: user.userId, body: body ?? null };
  }
}

/** Every order of every set of locations: 64. */
function allOrders(left: readonly TokenLocation[] = TOKEN_LOCATIONS): TokenLocation[][] {
  return left.flatMap((first) => {
    const rest = left.filter((other) => other !== first);
    return [[first], ...allOrders(rest).map((order) => [first, ...order])];
  });
}

/** A route for each order, named after it: `POST /orders/query-header`. */
@Controller('orders')
class OrdersController {}
for (const order of allOrders()) {
  const name = order.join('-');
  const value = (user: Principal) => ({ user: user.userId });
  const descriptor = { value, configurable: true, writable: true };
  const prototype = OrdersController.prototype;
  Object.defineProperty(prototype, name, descriptor);
  Reflect.defineMetadata('design:paramtypes', [Object], prototype, name);
  CurrentUser()(prototype, name, 0);
  for (const decorate of [Post(name), HttpCode(200), Access({ locations: order })]) {
    decorate(prototype, name, descriptor);
  }
}

const ACCESS = '__Host-access_token';
const REFRESH = '__Host-refresh_token';

describe('a token', () => {
  let api: TestApp;
  let login: TestLogin;
  let other: TestLogin;
  beforeAll(async () => {
    api = await createTestApp({
      controllers: [TeamController, OrdersController],
      auth: { cookies: { secure: true } },
    });
    login = await api.login();
    other = await api.login();
  });
  afterAll(() => api.close());

  const user = (response: Response): unknown => (response.body as { user?: unknown }).user;
  /** As a page of ours sends it, so that a cookie is not asked for more. */
  const post = (path: string): Test => api.request('POST', path).set('Sec-Fetch-Site', 'same-origin');

  it('is looked for in the header alone, where nothing else is said', async () => {
    const everywhereElse = post(`/team/default?access_token=${login.access}`)
      .set('Cookie', `${ACCESS}=${login.access}`)
      .send({ n: 1, access_token: login.access });
    expectError(await everywhereElse, 401, 'token_missing');
    const response = await api.request('POST', '/team/default', login.access).send({ n: 1 }).expect(201);
    expect(response.body).toEqual({ user: login.user.id, query: {}, body: { n: 1 } });
  });

  it('is neither taken from the query, the body nor a cookie on routes of ours, where nothing else is said', async () => {
    const { access, refresh } = login;
    expectError(await api.request('GET', `/profile?access_token=${access}`), 401, 'token_missing');
    expectError(await post('/auth/refresh').send({ refresh_token: refresh }), 401, 'token_missing');
    const inForm = await post('/team/default').type('form').send({ access_token: access });
    // Fastify reads no form, and the Express of these tests passes it by.
    expect([401, 415]).toContain(inForm.status);
    const inCookie = await api.request('GET', '/profile').set('Cookie', `access_token=${access}`);
    expectError(inCookie, 401, 'token_missing');
  });

  describe('of several locations', () => {
    const STATES = ['absent', 'good', 'bad', 'twice', 'empty', 'another kind'] as const;
    type State = (typeof STATES)[number];
    const owners = new Map<TokenLocation, TestLogin>();
    beforeAll(async () => {
      for (const location of TOKEN_LOCATIONS) owners.set(location, await api.login());
    });

    function values(location: TokenLocation, state: State): string[] {
      const { access, refresh } = owners.get(location)!;
      const shown: Record<State, string[]> = {
        absent: [],
        good: [access],
        bad: [`${access.slice(0, -4)}AAAA`],
        twice: [access, access],
        empty: [''],
        'another kind': [refresh],
      };
      return shown[state];
    }

    /** What must come of it, by another way than the reader's: one sentence for each state. */
    function expected(order: readonly TokenLocation[], states: Record<TokenLocation, State>): string {
      for (const location of order) {
        const state = states[location];
        // An empty member and a scheme without a token are broken; a parameter or cookie without a value is omitted.
        const isOmitted = location === 'cookie' || location === 'query';
        if (state === 'absent' || (state === 'empty' && isOmitted)) continue;
        if (state === 'good') return owners.get(location)!.user.id;
        return state === 'another kind' ? 'token_wrong_type' : 'token_invalid';
      }
      return 'token_missing';
    }

    it('is that of the first in the order which holds one, good or bad', async () => {
      const state = fc.constantFrom(...STATES);
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...allOrders()),
          fc.record({ header: state, cookie: state, query: state, body: state }),
          async (order, states) => {
            const [header, cookie, query, body] = TOKEN_LOCATIONS.map((location) =>
              values(location, states[location]),
            ) as [string[], string[], string[], string[]];
            const status = await exchange(api, {
              path: `/orders/${order.join('-')}?${query.map((token) => `access_token=${token}`).join('&')}`,
              headers: [
                ...header.flatMap((token) => ['Authorization', `Bearer ${token}`]),
                ...(cookie.length > 0
                  ? ['Cookie', cookie.map((token) => `${ACCESS}=${token}`).join('; ')]
                  : []),
              ],
              body: body.length > 0 ? { access_token: body.length > 1 ? body : body[0] } : {},
            });
            expect(status).toBe(expected(order, states));
          },
        ),
        { numRuns: 150 },
      );
    });
  });

  describe('in the query', () => {
    it('is taken out before the query is validated', async () => {
      const response = await api
        .request('GET', `/team/query?page=2&access_token=${login.access}`)
        .expect(200);
      expect(response.body).toEqual({ user: login.user.id, query: { page: '2' } });
    });

    it('is found under an encoded name, and is taken out under it', async () => {
      const response = await api
        .request('GET', `/team/query?access%5Ftoken=${login.access}&page=1`)
        .expect(200);
      expect(response.body).toEqual({ user: login.user.id, query: { page: '1' } });
    });

    it.each([
      ['two of them', (token: string) => `access_token=${token}&access_token=${token}`],
      ['one encoded, one not', (token: string) => `access_token=${token}&%61ccess_token=${token}`],
      ['two words', (token: string) => `access_token=${token}%20${token}`],
      ['a NUL', (token: string) => `access_token=${token}%00`],
      ['broken escapes', () => 'access_token=%E0%A4%A'],
      ['another script', () => 'access_token=%D1%82%D0%BE%D0%BA%D0%B5%D0%BD'],
    ])('is refused as %s', async (_, query) => {
      expectError(await api.request('GET', `/team/query?${query(login.access)}`), 401, 'token_invalid');
    });

    it.each([
      ['', 'none'],
      ['access_token', 'a name alone'],
      ['access_token=', 'an empty value'],
      ['ACCESS_TOKEN=x', 'a name in capitals'],
      ['access_token[]=x', 'a list as some frameworks write it'],
      ['access_token.x=y', 'a member'],
      ['__proto__[access_token]=x', 'a prototype'],
      ['refresh_token=x', 'the other kind'],
      ['x=1;access_token=x', 'an old separator'],
    ])('is missing in "?%s", %s', async (query) => {
      expectError(await api.request('GET', `/team/query?${query}`), 401, 'token_missing');
    });

    it('is not looked for behind the fragment', async () => {
      const answer = await exchange(api, { method: 'GET', path: '/team/query#?access_token=x', headers: [] });
      expect(answer).toBe('token_missing');
    });

    it.each(['__proto__[x]=1', 'constructor=1', 'constructor[prototype][x]=1', '__proto__=1', '%00=1'])(
      'leaves "%s" beside it harmless',
      async (query) => {
        const response = await api.request('GET', `/team/query?${query}&access_token=${login.access}`);
        expectError(response, 400, 'validation_failed');
        expect(({} as { x?: unknown }).x).toBeUndefined();
      },
    );

    it('may be as long as a request line, and is 401 or 431 then, never 5xx', async () => {
      expectError(
        await api.request('GET', `/team/query?access_token=${'a'.repeat(8000)}`),
        401,
        'token_invalid',
      );
      const answer = await api.request('GET', `/team/query?access_token=${'a'.repeat(20_000)}`);
      expect(answer.status).toBe(431);
    });

    it('need not be there where it is optional, but must be good', async () => {
      expect(user(await api.request('GET', '/team/optional').expect(200))).toBeNull();
      expect(user(await api.request('GET', `/team/optional?access_token=${login.access}`).expect(200))).toBe(
        login.user.id,
      );
      expectError(await api.request('GET', '/team/optional?access_token=x'), 401, 'token_invalid');
    });

    it('is never repeated by an answer, also where there is no such route', async () => {
      const token = login.access;
      for (const path of ['/nowhere', '/team/query', '/team/nowhere', '/team/%zz']) {
        for (const query of [
          `access_token=${token}`,
          `access_token=${token}&access_token=${token}`,
          `access_token[]=${token}`,
          `access_token[]=${token}&access_token=${token}`,
          `access_token=${token}&x=1`,
        ]) {
          const response = await api.request('GET', `${path}?${query}`);
          expect(response.status).toBeLessThan(500);
          expect(response.text + JSON.stringify(response.headers)).not.toContain(token.slice(0, 40));
        }
      }
    });
  });

  describe('in the body', () => {
    it('is taken out before the body is validated', async () => {
      const response = await post('/team/body').send({ access_token: login.access, n: 7 }).expect(201);
      expect(response.body).toEqual({ user: login.user.id, body: { n: 7 } });
    });

    it.each<[string, unknown]>([
      ['a list', ['x', 'y']],
      ['a list of one', ['x']],
      ['an empty list', []],
      ['nothing', ''],
      ['null', null],
      ['a number', 1],
      ['true', true],
      ['an object', { access_token: 'x' }],
      ['an object with a length', { length: 1, 0: 'x' }],
      ['two words', 'x y'],
      ['a line break', 'x\n'],
      ['half a character', '\ud800'],
      ['very long', 'x'.repeat(60_000)],
    ])('is refused as %s', async (_, value) => {
      expectError(await post('/team/body').send({ n: 1, access_token: value }), 401, 'token_invalid');
    });

    it.each<[string, string]>([
      ['no member', '{"n":1}'],
      ['a list', '["access_token"]'],
      ['a list that holds one', '[{"access_token":"x"}]'],
      ['a string', '"access_token"'],
      ['a number', '1'],
      ['null', 'null'],
      ['nothing', ''],
      ['another level', '{"data":{"access_token":"x"}}'],
      ['another case', '{"Access_Token":"x"}'],
      ['the other kind', '{"refresh_token":"x"}'],
    ])('is missing in %s', async (_, text) => {
      const response = await post('/team/body').set('Content-Type', 'application/json').send(text);
      expectError(response, 401, 'token_missing');
    });

    it.each([
      '{"access_token":"x","access_token":"y"}',
      '{"access_token":"x","acc\\u0065ss_token":"x"}',
      '{"__proto__":{"access_token":"x"}}',
      '{"constructor":{"prototype":{"access_token":"x"}}}',
    ])('is not searched for in an invalid body: %s', async (text) => {
      const response = await post('/team/body').set('Content-Type', 'application/json').send(text);
      expectError(response, 400, 'validation_failed');
    });

    it('is missing in a form, which is not read', async () => {
      const response = await post('/team/body').type('form').send({ access_token: login.access });
      expect([401, 415]).toContain(response.status);
    });

    it('is missing where there is no body at all', async () => {
      expectError(await post('/team/body'), 401, 'token_missing');
    });

    it('leaves a body that holds none as it is', async () => {
      const [list, none] = [await post('/team/anything').send([1, 2]), await post('/team/anything')];
      expect([list.body, none.body]).toEqual([
        { user: null, query: {}, body: [1, 2] },
        { user: null, query: {}, body: null },
      ]);
    });

    it('is taken out of body and query, whichever of them decides', async () => {
      const response = await post(`/team/anything?a=1&access_token=${other.access}`)
        .send({ access_token: login.access, n: 1 })
        .expect(201);
      expect(response.body).toEqual({ user: login.user.id, query: { a: '1' }, body: { n: 1 } });
    });
  });

  describe('in the header', () => {
    it('of another scheme is ignored, and the next location is read', async () => {
      const put = (authorization: string, query = '') =>
        api.request('PUT', `/team/fresh${query}`).set('Authorization', authorization);
      expectError(await put('Basic dXNlcjpwYXNz'), 401, 'token_missing');
      expect(user(await put('Basic dXNlcjpwYXNz', `?access_token=${login.access}`).expect(200))).toBe(
        login.user.id,
      );
    });

    it.each([', Bearer', 'Bearer,', ',,,,Bearer x'])(
      'is invalid in "%s": a broken credential of our scheme is not a missing one',
      async (value) => {
        const response = api.request('POST', '/team/default').set('Authorization', value);
        expectError(await response, 401, 'token_invalid');
      },
    );

    it.each([', ,', ',', 'Token x'])('is missing in "%s"', async (value) => {
      const response = api.request('POST', '/team/default').set('Authorization', value);
      expectError(await response, 401, 'token_missing');
    });

    it.each([
      'x',
      'a.b',
      'a.b.c',
      'e30.e30.e30',
      'bnVsbA.bnVsbA.bnVsbA',
      '[]',
      'null',
      ', ,',
      'a b c',
      'x, Bearer y',
      '=',
      '.',
      '..',
    ])('is invalid as "%s", be the request wrong otherwise too', async (value) => {
      const response = api.request('POST', '/team/default').set('Authorization', `Bearer ${value}`);
      expectError(await response.send({ n: 'x' }), 401, 'token_invalid');
    });

    it('is refused in two lines, also when they are the same, and whatever their case', async () => {
      const bearer = `Bearer ${login.access}`;
      for (const headers of [
        ['Authorization', bearer, 'Authorization', bearer],
        ['authorization', bearer, 'AUTHORIZATION', 'Basic eDp5'],
        ['Authorization', 'Basic eDp5', 'Authorization', bearer],
        ['Authorization', `${bearer}, ${bearer}`],
        ['Authorization', `${bearer},${bearer}`],
      ]) {
        expect(await exchange(api, { path: '/team/default', headers, body: { n: 1 } })).toBe('token_invalid');
      }
    });

    it('is found however the scheme is written, and nowhere else than in its header', async () => {
      const answer = (...headers: string[]) =>
        exchange(api, { path: '/team/default', headers, body: { n: 1 } });
      expect(await answer('AUTHORIZATION', `bEARER   ${login.access}`)).toBe(login.user.id);
      for (const name of [
        'X-Authorization',
        'Proxy-Authorization',
        'Authorization_',
        'X-Forwarded-Authorization',
      ]) {
        expect(await answer(name, `Bearer ${login.access}`)).toBe('token_missing');
      }
    });
  });

  describe('where either kind will do', () => {
    it('is read under the names of both', async () => {
      for (const body of [{ access_token: login.access }, { refresh_token: login.refresh }]) {
        const response = await post('/team/either').send(body).expect(201);
        expect(response.body).toEqual({ user: login.user.id, body: {} });
      }
      expect(user(await post(`/team/either?refresh_token=${login.refresh}`).expect(201))).toBe(login.user.id);
      const cookie = post('/team/either').set('Cookie', `${REFRESH}=${login.refresh}`);
      expect(user(await cookie.expect(201))).toBe(login.user.id);
    });
  });

  it('that refreshes is read under the name of the refresh token alone', async () => {
    expect(user(await post(`/team/refresh?refresh_token=${login.refresh}`).expect(201))).toBe(login.user.id);
    expect(user(await post('/team/refresh').send({ refresh_token: login.refresh }).expect(201))).toBe(
      login.user.id,
    );
    expectError(await post(`/team/refresh?access_token=${login.refresh}`), 401, 'token_missing');
    expectError(await post('/team/refresh').send({ access_token: login.refresh }), 401, 'token_missing');
    const cookie = post('/team/refresh').set('Cookie', `${ACCESS}=${login.refresh}`);
    expectError(await cookie, 401, 'token_missing');
  });
});

/** Header lines as they are given, which supertest would join. Answers the user, or the code of the error. */
async function exchange(
  api: TestApp,
  given: { method?: string; path: string; headers: string[]; body?: object },
): Promise<string> {
  const { method = 'POST', path, headers, body } = given;
  const { port } = api.app.getHttpServer().address() as AddressInfo;
  const content = body === undefined ? [] : ['Content-Type', 'application/json'];
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        headers: [
          'Host',
          `127.0.0.1:${port}`,
          'Sec-Fetch-Site',
          'same-origin',
          'Transfer-Encoding',
          'chunked',
          ...content,
          ...headers,
        ],
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          const { user, errorCode } = JSON.parse(text) as { user?: string; errorCode?: string };
          resolve(user ?? errorCode ?? `${response.statusCode}`);
        });
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

describe('locations and names of the application', () => {
  let api: TestApp;
  let login: TestLogin;
  beforeAll(async () => {
    api = await createTestApp({
      controllers: [TeamController],
      auth: {
        locations: {
          order: ['header', 'query', 'body'],
          headerName: 'X-Api-Token',
          headerScheme: '',
          accessName: 'at',
          refreshName: 'rt',
        },
      },
    });
    const { username, password } = await api.user();
    const { body } = await api.request('POST', '/auth/login').send({ username, password }).expect(200);
    login = { access: body.access_token, refresh: body.refresh_token } as TestLogin;
  });
  afterAll(() => api.close());

  it('are read under their own names, and not under the usual ones', async () => {
    const get = (query = '') => api.request('GET', `/profile${query}`);
    await get().set('X-Api-Token', login.access).expect(200);
    await get(`?at=${login.access}`).expect(200);
    expectError(await get(`?access_token=${login.access}`), 401, 'token_missing');
    expectError(await get().set('Authorization', `Bearer ${login.access}`), 401, 'token_missing');
    expectError(await get().set('X-Api-Token', `Bearer ${login.access}`), 401, 'token_invalid');
  });

  it('refuse a header of their own that comes twice, which Node joins with a comma', async () => {
    const twice = ['X-Api-Token', login.access, 'x-api-token', login.access];
    expect(await exchange(api, { method: 'GET', path: '/profile', headers: twice })).toBe('token_invalid');
  });

  it('log in, refresh and log out with what is in the body', async () => {
    const refreshed = await api.request('POST', '/auth/refresh').send({ rt: login.refresh }).expect(200);
    const { access_token: access, refresh_token: refresh } = refreshed.body as Record<string, string>;
    const password = await api.request('PUT', '/auth/password').send({ at: login.access, rt: 'x' });
    // The route does not read the member of the other kind, and the DTO does not have it.
    expectError(password, 400, 'validation_failed');
    expect(refreshed.headers['set-cookie']).toBeUndefined();
    await api
      .request('POST', '/auth/reauthenticate')
      .send({ rt: refresh, password: 'space-corgi' })
      .expect(200);
    const out = await api.request('POST', '/auth/logout').send({ at: access }).expect(204);
    expect(out.headers['set-cookie']).toBeUndefined();
    expectError(await api.request('GET', `/profile?at=${access}`), 401, 'token_revoked');
  });
});
