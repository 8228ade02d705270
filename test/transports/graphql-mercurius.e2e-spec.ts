import {
  CONTEXT,
  Mutation,
  ObjectType,
  Query,
  ResolveField,
  ResolveReference,
  Resolver,
  Field,
} from '@nestjs/graphql';
import { Inject, type Type } from '@nestjs/common';
import { expect, it } from '@jest/globals';
import { CurrentUser, FreshAccess, type Principal, Public, Roles } from '../../src/auth/index.js';
import { ask, createGraphqlApp, type GraphqlStack, GRAPHQL_STACKS } from '../support/graphql.js';
import { describeMatrix } from './graphql-matrix.js';

const MERCURIUS: GraphqlStack = { driver: 'mercurius', adapter: 'fastify' };

@ObjectType()
class Thing {
  @Field(() => String, { nullable: true })
  readonly name?: string;
}

@Resolver(() => Thing)
class ThingsResolver {
  @Query(() => Thing)
  thing(): Thing {
    return {};
  }

  @ResolveField(() => String)
  owner(@CurrentUser() user: Principal): string {
    return user.userId;
  }
}

@Resolver(() => Thing)
class FreshField {
  @FreshAccess()
  @ResolveField(() => String)
  secret(): string {
    return 'secret';
  }
}

@Resolver(() => Thing)
class AdminField {
  @Roles('admin')
  @ResolveField(() => String)
  salary(): string {
    return 'salary';
  }
}

@Resolver(() => Thing)
class Reference {
  @ResolveReference()
  find(): Thing {
    return {};
  }
}

@Resolver(() => Thing)
class OnceField {
  @FreshAccess({ once: true })
  @ResolveField(() => String)
  secret(): string {
    return 'secret';
  }
}

@Resolver(() => Thing)
class PublicAdmin {
  @Public()
  @Roles('admin')
  @Mutation(() => String)
  destroy(): string {
    return 'destroyed';
  }
}

const guardsOnly = { fieldResolverEnhancers: ['guards'] };
const nothing = { fieldResolverEnhancers: [] };

it.each<[string, Type, object]>([
  [
    'FreshField.secret declares its own protection, but the guard is not called for fields',
    FreshField,
    nothing,
  ],
  ["add fieldResolverEnhancers: ['guards', 'filters']", FreshField, guardsOnly],
  ['AdminField.salary declares its own protection', AdminField, nothing],
  ['Reference.find declares its own protection', Reference, nothing],
  ['OnceField.secret declares once, which a GraphQL field cannot', OnceField, {}],
  ['PublicAdmin.destroy declares @Roles(admin), but public gives no roles', PublicAdmin, {}],
])('the start stops: %s', async (message, resolver, graphql) => {
  const started = createGraphqlApp(MERCURIUS, [ThingsResolver, resolver], { graphql });
  await expect(started.then((api) => api.close())).rejects.toThrow(message);
});

it('fields that declare nothing need no enhancers, until they ask who calls', async () => {
  const api = await createGraphqlApp(MERCURIUS, [ThingsResolver], { graphql: nothing });
  const { access } = await api.login();
  expect((await ask(api, '{ thing { name } }', access)).data).toEqual({ thing: { name: null } });
  const { errors } = await ask(api, '{ thing { owner } }', access);
  expect(errors).toHaveLength(1);
  await api.close();
});

it('resolvers that Mercurius compiles are guarded', async () => {
  const api = await createGraphqlApp(MERCURIUS, [ThingsResolver, FreshField], { graphql: { jit: 1 } });
  const login = await api.login();
  for (let i = 0; i < 3; i++) {
    const { data } = await ask(api, '{ a: thing { owner secret } b: thing { owner } }', login.access);
    expect(data).toEqual({
      a: { owner: login.user.id, secret: 'secret' },
      b: { owner: login.user.id },
    });
  }
  const { access_token: stale } = await login.rotate();
  const { errors } = await ask(api, '{ a: thing { owner secret } b: thing { owner } }', stale);
  expect(errors.map(({ path, extensions }) => [path, extensions['errorCode']])).toEqual([
    [['a', 'secret'], 'fresh_token_required'],
  ]);
  expect(
    (await ask(api, '{ a: thing { owner secret } b: thing { owner } }')).errors[0]?.extensions,
  ).toMatchObject({
    errorCode: 'token_missing',
  });
  await api.close();
});

@Resolver()
class ScopedResolver {
  constructor(@Inject(CONTEXT) private readonly context: object) {}

  @FreshAccess()
  @Query(() => Boolean)
  scoped(): boolean {
    return 'req' in this.context;
  }
}

it('resolvers of the scope of a request are guarded', async () => {
  const api = await createGraphqlApp(MERCURIUS, [ScopedResolver]);
  const login = await api.login();
  expect(await ask(api, '{ scoped }', login.access)).toEqual({ data: { scoped: true }, errors: [] });
  const { access_token: stale } = await login.rotate();
  expect((await ask(api, '{ scoped }', stale)).errors[0]?.extensions).toMatchObject({
    errorCode: 'fresh_token_required',
  });
  await api.close();
});

it('says so if the context of GraphQL has no request', async () => {
  const api = await createGraphqlApp(MERCURIUS, [ThingsResolver], {
    graphql: { context: () => ({ req: { own: true } }) },
  });
  const { errors } = await ask(api, '{ thing { name } }');
  expect(errors[0]?.extensions).toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
  await api.close();
});

const shared = { own: true };
it.each([
  ['an object', shared],
  ['a function that returns the same object', () => shared],
])('takes no request for that of another user if the context of Mercurius is %s', async (_, context) => {
  const api = await createGraphqlApp(MERCURIUS, [ThingsResolver], { graphql: { context } });
  const first = await api.login();
  const second = await api.login();
  expect(second.user.id).not.toBe(first.user.id);
  await ask(api, '{ thing { owner } }', first.access);
  for (const token of [second.access, undefined]) {
    const { data, errors } = await ask(api, '{ thing { owner } }', token);
    expect(data).toBeNull();
    expect(errors[0]?.extensions).toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
  }
  await api.close();
});

/* Apollo is in test/hard. */
for (const stack of GRAPHQL_STACKS.filter(({ driver }) => driver === 'mercurius')) describeMatrix(stack);
