import { type Type } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { GraphQLClient, ClientError } from 'graphql-request';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { GraphqlAuthModule } from '../../src/graphql/index.js';
import { type AdapterName } from './adapters.js';
import { createTestApp, type TestApp, type TestAppOptions } from './create-test-app.js';

export type DriverName = 'mercurius' | 'apollo';

/** A driver and what it runs on. */
export interface GraphqlStack {
  driver: DriverName;
  adapter: AdapterName;
}

export const GRAPHQL_STACKS: readonly GraphqlStack[] = [
  { driver: 'mercurius', adapter: 'fastify' },
  { driver: 'apollo', adapter: 'fastify' },
  { driver: 'apollo', adapter: 'express' },
];

/** What the driver needs for all features that the tests use; each loaded when it is needed. */
async function moduleOf(driver: DriverName, options: object) {
  const common = {
    autoSchemaFile: true,
    fieldResolverEnhancers: ['guards', 'filters'] as ('guards' | 'filters')[],
    ...options,
  };
  if (driver === 'mercurius') {
    const { MercuriusDriver } = await import('@nestjs/mercurius');
    return GraphQLModule.forRoot({
      driver: MercuriusDriver,
      subscription: true,
      allowBatchedQueries: true,
      ...common,
    });
  }
  const { ApolloDriver } = await import('@nestjs/apollo');
  return GraphQLModule.forRoot({
    driver: ApolloDriver,
    graphiql: false,
    allowBatchedHttpRequests: true,
    subscriptions: { 'graphql-ws': true },
    ...common,
  });
}

export async function createGraphqlApp(
  { driver, adapter }: GraphqlStack,
  resolvers: Type[],
  { graphql = {}, ...options }: TestAppOptions & { graphql?: object } = {},
): Promise<TestApp> {
  class TeamModule {}
  return createTestApp({
    ...options,
    adapter,
    imports: [
      { module: TeamModule, providers: resolvers },
      await moduleOf(driver, graphql),
      GraphqlAuthModule,
    ],
  });
}

export interface Answer {
  data: Record<string, unknown> | null;
  errors: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> }[];
}

/** Asks by a GraphQL client. */
export async function ask(
  api: TestApp,
  query: string,
  token?: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const client = new GraphQLClient(`${await api.app.getUrl()}/graphql`, {
    headers: { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    errorPolicy: 'all',
  });
  try {
    const { data, errors } = await client.rawRequest<Record<string, unknown>>(query);
    return { data: data ?? null, errors: (errors ?? []) as unknown as Answer['errors'] };
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const { data, errors } = error.response;
    return {
      data: (data as Answer['data'] | undefined) ?? null,
      errors: (errors ?? []) as unknown as Answer['errors'],
    };
  }
}

/** A client of graphql-ws, which both drivers understand. */
export async function openSocket(
  api: TestApp,
  connectionParams: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Client> {
  class Socket extends WebSocket {
    constructor(url: string, protocols: string | string[]) {
      super(url, protocols, { headers });
    }
  }
  const url = `${(await api.app.getUrl()).replace('http', 'ws')}/graphql`;
  return createClient({ url, connectionParams, webSocketImpl: Socket, retryAttempts: 0, lazy: true });
}
