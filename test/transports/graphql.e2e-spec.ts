import { Logger } from '@nestjs/common';
import {
  Args,
  Context,
  Field,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { GraphQLError } from 'graphql';
import { type Client } from 'graphql-ws';
import {
  ApiError,
  AuthOptions,
  type Caller,
  CurrentUser,
  FreshAccess,
  LoadUser,
  OptionalAccess,
  type Principal,
  Public,
  RequestCaller,
  Roles,
  SessionsService,
} from '../../src/auth/index.js';
import { TokenWatch } from '../../src/auth/internals.js';
import { Sessions } from '../../src/sessions/sessions.repository.js';
import { type TestApp } from '../support/create-test-app.js';
import { ask, createGraphqlApp, GRAPHQL_STACKS, openSocket } from '../support/graphql.js';
import { until } from '../support/until.js';
import { Ticker } from './ticker.js';

/** How often the handler has run. */
let transfers = 0;

@ObjectType()
class Item {
  @Field(() => Int)
  readonly number!: number;
}

@Resolver(() => Item)
class ItemsResolver {
  constructor(private readonly sessions: SessionsService) {}

  @FreshAccess({ maxAge: '5m' })
  @Query(() => [Item])
  items(@Args('count', { type: () => Int }) count: number): Item[] {
    return Array.from({ length: count }, (_, number) => ({ number }));
  }

  @FreshAccess()
  @ResolveField(() => String, { nullable: true })
  secret(@Parent() { number }: Item): string {
    return `secret ${number}`;
  }

  @FreshAccess({ maxAge: '5m' })
  @ResolveField(() => String, { nullable: true })
  recent(): string {
    return 'recent';
  }

  @ResolveField(() => String)
  owner(@CurrentUser() user: Principal): string {
    return user.userId;
  }

  @Query(() => String)
  account(@CurrentUser(LoadUser) account: { username: string }): string {
    return account.username;
  }

  @FreshAccess({ once: true })
  @Mutation(() => String, { nullable: true })
  transfer(@Args('outcome', { nullable: true }) outcome?: string): string {
    transfers++;
    if (outcome === 'refused') throw new ApiError(404, 'not_found', 'There is no such receiver');
    if (outcome === 'broken') throw new Error('hunter2');
    return 'done';
  }

  @Mutation(() => Item)
  async logout(@CurrentUser() user: Principal, @RequestCaller() caller: Caller): Promise<Item> {
    await this.sessions.revoke(user, user.sessionId, caller);
    return { number: 1 };
  }

  @Roles('admin')
  @Query(() => String, { nullable: true })
  admin(): string {
    return 'admin';
  }

  @Public()
  @Query(() => String, { nullable: true })
  own(): string {
    throw new GraphQLError('as it is', { extensions: { code: 'MINE' } });
  }
}

@Resolver()
class TicksResolver {
  @Subscription(() => Int)
  ticks(@Context('ticker') ticker: Ticker) {
    return ticker.listen('ticks');
  }

  @FreshAccess({ maxAge: '5m' })
  @Subscription(() => Int)
  freshTicks(@Context('ticker') ticker: Ticker) {
    return ticker.listen('freshTicks');
  }

  @Subscription(() => Item)
  itemTicks(@Context('ticker') ticker: Ticker) {
    return ticker.listen('itemTicks');
  }

  @OptionalAccess()
  @Subscription(() => Int)
  optionalTicks(@Context('ticker') ticker: Ticker) {
    return ticker.listen('optionalTicks');
  }
}

describe.each(GRAPHQL_STACKS)('GraphQL with $driver on $adapter', (stack) => {
  let api: TestApp;
  const ticker = new Ticker();
  beforeAll(async () => {
    api = await createGraphqlApp(stack, [ItemsResolver, TicksResolver], {
      auth: { locations: { order: ['header', 'cookie'] } },
      graphql: {
        context: (given: object) => ({ ...('connectionParams' in given ? { req: given } : {}), ticker }),
        ...(stack.driver === 'mercurius' && {
          subscription: { context: () => ({ ticker }), fullWsTransport: true },
        }),
      },
    });
  });
  afterAll(() => api.close());

  it('tells in the error what a step-up must satisfy', async () => {
    const login = await api.login();
    const { access_token: stale } = await login.rotate();
    const { errors } = await ask(api, '{ items(count: 1) { number } }', stale);
    expect(errors).toEqual([
      expect.objectContaining({
        message: 'Fresh token required',
        path: ['items'],
        extensions: expect.objectContaining({
          code: 'UNAUTHENTICATED',
          statusCode: 401,
          errorCode: 'fresh_token_required',
          max_age: 300,
          headers: {
            'WWW-Authenticate':
              'Bearer error="insufficient_user_authentication", error_description="Fresh token required", max_age="300"',
          },
        }),
      }),
    ]);
    const { errors: forbidden } = await ask(api, '{ admin }', stale);
    expect(forbidden[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', errorCode: 'insufficient_role' });
  });

  it('hides what it does not know, and leaves errors of GraphQL as they are', async () => {
    const { access } = await api.login();
    const { errors } = await ask(api, 'mutation { transfer(outcome: "broken") }', access);
    expect(JSON.stringify(errors)).not.toContain('hunter2');
    expect(errors[0]?.extensions).toMatchObject({
      code: 'INTERNAL_SERVER_ERROR',
      errorCode: 'internal_error',
    });
    expect((await ask(api, '{ own }')).errors[0]).toMatchObject({
      message: 'as it is',
      extensions: { code: 'MINE' },
    });
  });

  it('loads the account of @CurrentUser(LoadUser)', async () => {
    const login = await api.login();
    expect((await ask(api, '{ account }', login.access)).data).toEqual({ account: login.user.username });
  });

  it('reads the session once for all fields of a query, and checks each declaration', async () => {
    const { access } = await api.login();
    const read = jest.spyOn(api.get(Sessions), 'findLive');
    const { data, errors } = await ask(
      api,
      '{ a: items(count: 20) { secret } b: items(count: 20) { secret } }',
      access,
    );
    expect(errors).toEqual([]);
    expect(data?.['b']).toHaveLength(20);
    expect(read).toHaveBeenCalledTimes(1);
    read.mockRestore();
    api.clock.advance('6m');
    const later = await ask(api, '{ items(count: 1) { secret } }', access);
    expect(later.errors[0]?.extensions).toMatchObject({ errorCode: 'fresh_token_required', max_age: 300 });
  });

  it('checks again after each mutation: one may revoke the session', async () => {
    const { access } = await api.login();
    const { data, errors } = await ask(
      api,
      'mutation { first: logout { number secret } second: logout { number } }',
      access,
    );
    expect(data).toBeNull();
    expect(errors.map(({ path, extensions }) => [path, extensions['errorCode']])).toEqual(
      expect.arrayContaining([
        [['first', 'secret'], 'token_revoked'],
        [['second'], 'token_revoked'],
      ]),
    );
  });

  it('lets one mutation of a request use a once token up', async () => {
    const { access } = await api.login();
    const query = 'mutation { a: transfer(outcome: "refused") b: transfer c: transfer }';
    const { data, errors } = await ask(api, query, access);
    expect(data).toEqual({ a: null, b: 'done', c: null });
    expect(errors.map(({ path, extensions }) => [path, extensions['code'], extensions['errorCode']])).toEqual(
      [
        [['a'], 'NOT_FOUND', 'not_found'],
        [['c'], 'UNAUTHENTICATED', 'fresh_token_required'],
      ],
    );
  });

  it.each(['GET', 'HEAD'])(
    'runs no mutation of a request by %s, which pages of other sites can make',
    async (method) => {
      const { access } = await api.login();
      const cookie = `${api.get(AuthOptions).cookies.accessName}=${access}`;
      const url = `${await api.app.getUrl()}/graphql?query=${encodeURIComponent('mutation { transfer }')}`;
      const before = transfers;
      const crossSite = { cookie, 'sec-fetch-site': 'cross-site' };
      for (const token of [crossSite, { authorization: `Bearer ${access}` }]) {
        const headers = Object.entries({ 'apollo-require-preflight': 'true', ...token });
        await fetch(url, { method, headers });
      }
      expect(transfers).toBe(before);
      expect((await ask(api, 'mutation { transfer }', access)).data).toEqual({ transfer: 'done' });
    },
  );

  it('logs the same refusal of a handler once for a request, which may have thousands', async () => {
    const log = jest.spyOn(Logger.prototype, 'log').mockReturnValue();
    const aliases = Array.from({ length: 100 }, (_, i) => `a${i}: admin b${i}: account`).join(' ');
    const mutations = Array.from({ length: 100 }, (_, i) => `a${i}: transfer`).join(' ');
    await ask(api, `query { ${aliases} }`);
    expect(log).toHaveBeenCalledTimes(2);
    expect(log).toHaveBeenCalledWith(expect.stringContaining('401 token_missing Query.admin'));
    expect(log).toHaveBeenCalledWith(expect.stringContaining('401 token_missing Query.account'));
    await ask(api, `mutation { ${mutations} }`);
    expect(log).toHaveBeenCalledTimes(3);
    await ask(api, '{ admin }');
    expect(log).toHaveBeenCalledTimes(4);
    log.mockRestore();
  });

  it('answers batched queries each by itself', async () => {
    const { access } = await api.login();
    const queries = [
      { query: '{ account }' },
      { query: '{ admin }' },
      { query: '{ items(count: 1) { secret } }' },
    ];
    const { body } = await api.request('POST', '/graphql', access).send(queries).expect(200);
    expect(body.map(({ errors }: { errors?: unknown[] }) => errors?.length ?? 0)).toEqual([0, 1, 0]);
  });

  it('asks cookies for the origin of the request', async () => {
    const { access } = await api.login();
    const { cookies } = api.get(AuthOptions);
    const cookie = `${cookies.accessName}=${access}`;
    const code = async (headers: Record<string, string>) =>
      (await ask(api, '{ account }', undefined, { cookie, ...headers })).errors[0]?.extensions['errorCode'];
    expect(await code({ 'sec-fetch-site': 'same-origin' })).toBeUndefined();
    expect(await code({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' })).toBe(
      'csrf_failed',
    );
    expect(await code({})).toBe('csrf_failed');
  });

  describe('a subscription', () => {
    let client: Client;
    const open = async (params: object, headers?: Record<string, string>) =>
      (client = await openSocket(api, params as Record<string, unknown>, headers));
    const subscribe = (name: string, fields = '') => {
      const seen: { events: unknown[]; errors: { extensions?: Record<string, unknown> }[]; done: boolean } = {
        events: [],
        errors: [],
        done: false,
      };
      client.subscribe(
        { query: `subscription { ${name} ${fields} }` },
        {
          next: ({ data, errors }) => {
            if (data) seen.events.push(data[name]);
            if (errors) seen.errors.push(...(errors as unknown as typeof seen.errors));
          },
          error: (errors) => {
            seen.errors.push(
              ...(Array.isArray(errors) ? errors : [{ extensions: { failed: String(errors) } }]),
            );
            seen.done = true;
          },
          complete: () => (seen.done = true),
        },
      );
      return seen;
    };
    const codes = ({ errors }: ReturnType<typeof subscribe>) =>
      errors.map(({ extensions }) => extensions?.['errorCode']);
    // Also after a failure: an open socket would keep the process alive.
    afterEach(() => client.dispose());

    it('takes the token of the connection, and ends when the session is revoked', async () => {
      const { access } = await api.login();
      await open({ Authorization: `Bearer ${access}` });
      const seen = subscribe('ticks');
      await until(2_000, async () => ticker.listeners('ticks') === 1);
      ticker.tick('ticks', 1);
      await until(2_000, async () => seen.events.length === 1);
      await api.request('POST', '/auth/logout', access).expect(204);
      ticker.tick('ticks', 2);
      await until(1_000, async () => seen.done);
      expect(seen.events).toEqual([1]);
      expect(codes(seen)).toEqual(['token_revoked']);
      expect(ticker.listeners('ticks')).toBe(0);
      expect(api.get(TokenWatch).size).toBe(0);
    });

    it('ends when the token expires, not when its proof gets old', async () => {
      const { access } = await api.login();
      await open({ headers: { authorization: `Bearer ${access}` } });
      const seen = subscribe('freshTicks');
      await until(2_000, async () => ticker.listeners('freshTicks') === 1);
      api.clock.advance('6m');
      ticker.tick('freshTicks', 1);
      await until(2_000, async () => seen.events.length === 1);
      api.clock.advance('10m');
      await until(1_000, async () => seen.done);
      expect(codes(seen)).toEqual(['token_expired']);
      const again = subscribe('ticks');
      await until(2_000, async () => again.done || again.errors.length > 0);
      expect(codes(again)).toEqual(['token_expired']);
    });

    it('checks the declarations of fields with each event', async () => {
      const { access, user } = await api.login();
      await open({ authorization: `Bearer ${access}` });
      const seen = subscribe('itemTicks', '{ number owner recent }');
      await until(2_000, async () => ticker.listeners('itemTicks') === 1);
      ticker.tick('itemTicks', { number: 1 });
      await until(2_000, async () => seen.events.length === 1);
      api.clock.advance('6m');
      ticker.tick('itemTicks', { number: 2 });
      await until(2_000, async () => seen.events.length === 2);
      expect(seen.events).toEqual([
        { number: 1, owner: user.id, recent: 'recent' },
        { number: 2, owner: user.id, recent: null },
      ]);
      expect(codes(seen)).toEqual(['fresh_token_required']);
      await client.dispose();
    });

    it('needs a token unless it is optional, and stops when the client does', async () => {
      await open({});
      const refused = subscribe('ticks');
      await until(2_000, async () => refused.errors.length > 0);
      expect(codes(refused)).toEqual(['token_missing']);
      const anonymous = subscribe('optionalTicks');
      await until(2_000, async () => ticker.listeners('optionalTicks') === 1);
      ticker.tick('optionalTicks', 1);
      await until(2_000, async () => anonymous.events.length === 1);
      await client.dispose();
      await until(2_000, async () => ticker.listeners('optionalTicks') === 0);
    });

    it('shares its connection with queries, each checked by its declaration', async () => {
      const login = await api.login();
      await open({ authorization: `Bearer ${login.access}` });
      const query = async (text: string) => (await client.iterate({ query: text }).next()).value;
      expect(await query('{ account }')).toMatchObject({ data: { account: login.user.username } });
      const fields = '{ a: items(count: 2) { secret } b: items(count: 2) { recent } }';
      expect(await query(fields)).not.toHaveProperty('errors');
      await api.request('POST', '/auth/logout', login.access).expect(204);
      expect(await query(fields)).toMatchObject({ errors: [{ extensions: { errorCode: 'token_revoked' } }] });
      await client.dispose();
    });

    it('lets no page of another site use the cookie', async () => {
      const { access } = await api.login();
      const cookie = `${api.get(AuthOptions).cookies.accessName}=${access}`;
      await open({ 'sec-fetch-site': 'same-origin' }, { cookie, origin: 'https://evil.example' });
      const refused = subscribe('ticks');
      await until(2_000, async () => refused.errors.length > 0);
      expect(codes(refused)).toEqual(['csrf_failed']);
      await client.dispose();
      await open({}, { cookie, origin: await api.app.getUrl() });
      subscribe('ticks');
      await until(2_000, async () => ticker.listeners('ticks') === 1);
    });
  });
});
