import { Resolver, Query, Subscription } from '@nestjs/graphql';
import { afterEach, expect, it } from '@jest/globals';
import { type Client } from 'graphql-ws';
import { TokenWatch } from '../../../src/auth/internals.js';
import { type TestApp } from '../../support/create-test-app.js';
import { createGraphqlApp, GRAPHQL_STACKS, openSocket } from '../../support/graphql.js';
import { until } from '../../support/until.js';
import { Ticker } from '../../transports/ticker.js';

const SESSIONS = 50;
const SUBSCRIPTIONS = 10;

let ticker: Ticker;
let api: TestApp;
const clients: { access: string; client: Client }[] = [];

// Also after a failure: open sockets would keep the process alive.
afterEach(async () => {
  for (const { client } of clients.splice(0)) await client.dispose();
  await api.close();
});

@Resolver()
class NewsResolver {
  @Query(() => String)
  nothing(): string {
    return '';
  }

  @Subscription(() => Number)
  news() {
    return ticker.listen('news');
  }
}

it.each(GRAPHQL_STACKS)(
  '500 subscriptions of $driver on $adapter end within a second of the logout',
  async (stack) => {
    ticker = new Ticker();
    api = await createGraphqlApp(stack, [NewsResolver]);
    const seen: { at: number; code: unknown }[][] = [];
    for (let i = 0; i < SESSIONS; i++) {
      const { access } = await api.login();
      const client = await openSocket(api, { authorization: `Bearer ${access}` });
      clients.push({ access, client });
      const ended: { at: number; code: unknown }[] = (seen[i] = []);
      for (let n = 0; n < SUBSCRIPTIONS; n++) {
        client.subscribe(
          { query: 'subscription { news }' },
          {
            next: () => {},
            error: (errors) => {
              const [first] = errors as { extensions?: Record<string, unknown> }[];
              ended.push({ at: performance.now(), code: first?.extensions?.['errorCode'] });
            },
            complete: () => {},
          },
        );
      }
    }
    await until(10_000, async () => ticker.listeners('news') === SESSIONS * SUBSCRIPTIONS);
    expect(api.get(TokenWatch).size).toBe(SESSIONS);
    const took: number[] = [];
    for (const [i, { access }] of clients.entries()) {
      await api.request('POST', '/auth/logout', access).expect(204);
      const answered = performance.now();
      await until(5_000, async () => seen[i]?.length === SUBSCRIPTIONS);
      for (const { at, code } of seen[i] ?? []) {
        expect(code).toBe('token_revoked');
        took.push(at - answered);
      }
    }
    const p99 = took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)] ?? Infinity;
    process.stdout.write(
      `  ${stack.driver} on ${stack.adapter}: p99 ${p99.toFixed(1)} ms after the logout's answer\n`,
    );
    expect(took).toHaveLength(SESSIONS * SUBSCRIPTIONS);
    expect(p99).toBeLessThan(1_000);
    expect(api.get(TokenWatch).size).toBe(0);
    expect(ticker.listeners('news')).toBe(0);
  },
);
