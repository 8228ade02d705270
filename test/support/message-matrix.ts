import { status as GRPC, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Type } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { handlersOf, routePolicyOf } from '../../src/auth/internals.js';
import { MessagesModule } from '../../src/microservices/index.js';
import { createTestApp, type TestApp } from './create-test-app.js';
import { expectedOutcome } from './expected-outcome.js';
import { DECLARATIONS, doorsOf, type MessageClient, type TransportUnderTest } from './message-doors.js';
import { showToken, TOKEN_KINDS } from './token-kinds.js';

/** Declares the tests of every kind of token × every declaration, with and without the application's configuration. */
export function describeDoors(transportOf: () => Promise<TransportUnderTest>): void {
  describe.each([
    ['of a hybrid application that inherits', true],
    ['of a hybrid application that does not inherit', false],
  ])('%s', (_title, inheritAppConfig) => {
    let api: TestApp;
    let doors: Type;
    let client: MessageClient;
    beforeAll(async () => {
      const transport = await transportOf();
      doors = doorsOf(transport);
      api = await createTestApp({ imports: [MessagesModule], controllers: [doors] });
      api.app.connectMicroservice(transport.options, { inheritAppConfig });
      await api.app.startAllMicroservices();
      client = await transport.connect();
    });
    afterAll(async () => {
      await client.close();
      await api.close();
    });

    it.each(TOKEN_KINDS)('every declaration × %s', async (shown) => {
      const handlers = handlersOf(api.get(DiscoveryService)).filter(({ metatype }) => metatype === doors);
      expect(handlers).toHaveLength(Object.keys(DECLARATIONS).length);
      const tokens = {
        access: await showToken(api, shown, 'access'),
        refresh: await showToken(api, shown, 'refresh'),
      };
      for (const { prototype, member } of handlers) {
        const declared = routePolicyOf(prototype, member);
        const wanted = declared.policy.level === 'refresh' ? 'refresh' : 'access';
        const { errorCode, error, text } = await client.ask(member, tokens[wanted]);
        expect([member, errorCode ?? error ?? 'enters']).toEqual([member, expectedOutcome(declared, shown)]);
        if (errorCode === undefined) expect(text).toMatch(/^([\da-f-]{36})?$/);
        else if (isServiceError(error)) {
          const { code, details } = error;
          const isRole = errorCode === 'insufficient_role';
          expect([code, details]).toEqual([
            isRole ? GRPC.PERMISSION_DENIED : GRPC.UNAUTHENTICATED,
            expect.any(String),
          ]);
        }
      }
    });
  });
}

function isServiceError(error: unknown): error is ServiceError {
  return typeof error === 'object' && error !== null && 'metadata' in error;
}
