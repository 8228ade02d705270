import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DiscoveryService } from '@nestjs/core';
import { handlersOf, inheritsPolicy, type RoutePolicy, routePolicyOf } from '../../src/auth/internals.js';
import { type TestApp } from '../support/create-test-app.js';
import { expectedOutcome, type Outcome } from '../support/expected-outcome.js';
import { type Answer, ask, createGraphqlApp, type GraphqlStack } from '../support/graphql.js';
import { type ShownToken, showToken, TOKEN_KINDS } from '../support/token-kinds.js';
import { DECLARATIONS, DeclaredResolver } from './graphql-declarations.js';

interface Declared extends RoutePolicy {
  member: string;
  inherits: boolean;
}

const CODES: Partial<Record<Outcome, string>> = { insufficient_role: 'FORBIDDEN' };

/** Declares a test of every kind of token × every declaration, on operations and on fields. */
export function describeMatrix(stack: GraphqlStack): void {
  describe(`every declaration × every kind of token [${stack.driver}, ${stack.adapter}]`, () => {
    let api: TestApp;
    let handlers: Declared[];
    beforeAll(async () => {
      api = await createGraphqlApp(stack, [DeclaredResolver]);
      handlers = handlersOf(api.get(DiscoveryService))
        .filter(({ metatype, kind }) => metatype === DeclaredResolver && kind !== 'http')
        .map(({ prototype, member }) => ({
          member,
          inherits: inheritsPolicy(prototype, member),
          ...routePolicyOf(prototype, member),
        }));
    });
    afterAll(() => api.close());

    it('finds every handler', () => {
      expect(handlers).toHaveLength(3 * Object.keys(DECLARATIONS).length + 2);
    });

    it.each(TOKEN_KINDS)('%s', async (shown) => {
      for (const wanted of ['access', 'refresh'] as const) {
        const token = await showToken(api, shown, wanted);
        const named = (prefix: string) =>
          handlers.filter(
            ({ member, policy }) =>
              member.startsWith(prefix) && (policy.level === 'refresh') === (wanted === 'refresh'),
          );
        const names = (prefix: string) => named(prefix).map(({ member }) => member);
        const [queries, mutations, fields] = [names('query'), names('mutate'), names('field')];
        const answers: [string, Declared[], Answer][] = [
          ['query', named('query'), await ask(api, `{ ${queries.join(' ')} openPerson { plain } }`, token)],
          ['mutate', named('mutate'), await ask(api, `mutation { ${mutations.join(' ')} }`, token)],
          ['field', named('field'), await ask(api, `{ openPerson { ${fields.join(' ')} plain } }`, token)],
        ];
        for (const [prefix, declared, answer] of answers) check(shown, prefix, declared, answer);
      }
    });

    it('a field without a declaration has that of its operation', async () => {
      const { access, user } = await api.login();
      const query = '{ openPerson { fieldUndeclared } guardedPerson { fieldUndeclared } }';
      const { data } = await ask(api, query, access);
      expect(data).toEqual({
        openPerson: { fieldUndeclared: 'anonymous' },
        guardedPerson: { fieldUndeclared: `${user.id} header` },
      });
    });
  });
}

/** Each alias of one request has the outcome that its own declaration demands. */
function check(shown: ShownToken, prefix: string, declared: Declared[], answer: Answer): void {
  const expected = Object.fromEntries(
    declared.map(({ member, inherits, ...each }) => [
      member,
      inherits ? 'enters' : expectedOutcome(each, shown),
    ]),
  );
  const seen = Object.fromEntries(
    declared.map(({ member }) => {
      const error = answer.errors.find(({ path }) => path?.at(-1) === member);
      return [member, error ? error.extensions['errorCode'] : 'enters'];
    }),
  );
  expect([shown, prefix, seen]).toEqual([shown, prefix, expected]);
  for (const { extensions } of answer.errors) {
    const errorCode = extensions['errorCode'] as Outcome;
    expect(extensions['code']).toBe(CODES[errorCode] ?? 'UNAUTHENTICATED');
    expect(extensions['headers']).toEqual({ 'WWW-Authenticate': expect.stringMatching(/^Bearer/) });
  }
}
